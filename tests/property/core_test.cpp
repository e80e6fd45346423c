// Random commands against the core: value is conserved, no unit is sold twice, nothing is paid
// beyond rate x elapsed, a refused command changes nothing, and replay and snapshots agree.
#include "property/core_driver.hpp"
#include "property/core_model.hpp"
#include "support/seed.hpp"

#include <gtest/gtest.h>

#include <map>

namespace mizan::test {
namespace {

using namespace exchange;

uint64_t steps_wanted() {
  return given_number("MIZAN_STEPS").value_or(MIZAN_DEFAULT_STEPS);
}

constexpr uint64_t kChunk = 20'000;

/// How many bytes differ; all of them if the sizes do.
size_t difference(const Bytes& a, const Bytes& b) {
  if (a.size() != b.size()) return std::max(a.size(), b.size());
  size_t count = 0;
  for (size_t i = 0; i < a.size(); ++i) count += a[i] != b[i] ? 1 : 0;
  return count;
}

TEST(Core, HoldsUnderRandomCommands) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE(seed_note(seed));
  const uint64_t steps = steps_wanted();
  CoreDriver driver(seed);
  CoreModel model;
  Exchange core(driver.rules());
  Exchange follower(driver.rules());  // reads the journal, and is never restored from a snapshot
  std::vector<Bytes> journal;         // since the follower last caught up
  std::map<std::string, uint64_t> refusals;
  uint64_t accepted = 0;

  Sequenced command{1, {1'800'000'000'000}, {}, driver.genesis()};
  for (uint64_t step = 1; step <= steps; ++step) {
    // Now and then the state before a command is kept, to see that a refusal leaves it alone.
    Bytes before;
    if (step % 997 == 0) {
      const Sequenced tick{core.last_sequence() + 1, command.time, {}, Tick{}};
      journal.push_back(encode(tick));
      model.follow(core, core.apply(tick).events);
      command.sequence = core.last_sequence() + 1;
      before = core.encode();
    }
    journal.push_back(encode(command));
    const Outcome outcome = core.apply(command);
    if (outcome.answer) {
      ++accepted;
      const auto* grant = std::get_if<Grant>(&command.command);
      if (grant != nullptr && !outcome.answer->repeated)
        model.granted(grant->grant.to, grant->grant.amount);
      const auto* ask = std::get_if<PlaceAsk>(&command.command);
      if (ask != nullptr && !outcome.answer->repeated)
        model.listed(outcome.answer->order, ask->ask);
    } else {
      ++refusals[std::string(to_string(outcome.answer.error().code))];
      ASSERT_NE(outcome.answer.error().code, ErrorCode::internal);
      if (!before.empty() && outcome.events.empty()) {
        ASSERT_LE(difference(before, core.encode()), 8u) << "only the sequence counts on";
      }
    }
    model.follow(core, outcome.events);
    driver.heard(command, outcome);
    if (step % 500 == 0) model.compare(core);
    ASSERT_TRUE(model.faults.empty()) << "at step " << step << ": " << model.faults.front()
                                      << " (command " << command.command.index() << ")";
    if (step % kChunk == 0 || step == steps) {
      for (const Bytes& bytes : journal) {
        const auto read = decode_sequenced(bytes);
        ASSERT_TRUE(read) << read.error().message;
        follower.apply(*read);
      }
      journal.clear();
      const Bytes snapshot = core.encode();
      ASSERT_EQ(follower.state_hash(), core.state_hash()) << "replay, at step " << step;
      auto restored = Exchange::restore(snapshot, driver.rules());
      ASSERT_TRUE(restored) << restored.error().message;
      ASSERT_EQ(restored->encode(), snapshot);
      core = std::move(*restored);  // and goes on from there; the follower does not
    }
    command = driver.next(core, model.live);
  }
  RecordProperty("accepted", std::to_string(accepted));
  std::cout << steps << " commands, " << accepted << " accepted; " << model.matches << " matches, "
            << model.undone << " undone, " << model.settled << " settled, " << model.failed
            << " failed; " << model.held_deals << " held, " << model.approved << " approved, "
            << model.stopped_for_listing << " stopped for a listing, " << model.displaced
            << " asks displaced\n";
  for (const auto& [code, count] : refusals) std::cout << "  " << code << ": " << count << '\n';
  if (steps >= 20'000) {
    EXPECT_GT(model.settled, steps / 500);
    EXPECT_GT(model.failed, 0u);
    EXPECT_GT(model.undone, 0u);
    EXPECT_GT(model.held_deals, 0u);
    EXPECT_GT(model.approved, 0u);
    EXPECT_GT(model.stopped_for_listing, 0u);
    EXPECT_GT(model.displaced, 0u);
  }
}

}  // namespace
}  // namespace mizan::test

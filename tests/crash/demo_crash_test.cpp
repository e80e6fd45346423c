// A whole demo's journal, recorded once, and its machine losing power at every write, sync and
// change of a name: what was answered is there, in order, gives the state that it gave, and a
// request sent again under its key does nothing twice.
// SPDX-License-Identifier: Apache-2.0
#include "crash/fault_env.hpp"
#include "journal/rocksdb_journal.hpp"
#include "service/world.hpp"
#include "support/journal_over.hpp"
#include "support/seed.hpp"

#include <random>
#include <set>

namespace mizan::crash {
namespace {

using exchange::Exchange;
using exchange::Sequenced;
using journal::Journal;
using service::World;

constexpr std::string_view kFolder = "/journal";

/// Keeps what it is given, group by group.
class Recorder final : public test::JournalOver {
 public:
  explicit Recorder(const Hash32& genesis) : JournalOver(journal::make_memory_journal(genesis)) {}
  Result<journal::GroupInfo> append_group(std::span<const ByteView> records) override {
    auto& group = groups.emplace_back();
    for (const ByteView record : records) group.emplace_back(record.begin(), record.end());
    return JournalOver::append_group(records);
  }

  std::vector<std::vector<Bytes>> groups;
};

/// A demo's commands, in their groups, and the state after each.
struct Demo {
  Hash32 genesis;
  std::vector<std::vector<Bytes>> groups;
  std::vector<uint64_t> ends;  ///< the last sequence of each group
  std::vector<Hash32> states;  ///< by sequence
  Bytes middle;                ///< the snapshot after `middle_at`
  size_t middle_group = 0;
  std::vector<Sequenced> keyed;  ///< commands with an idempotency key that took effect
};

/// Money, an ask, three bids under keys: one job runs to its end, one is stopped by its buyer, one
/// bid waits and is cancelled; the exchange is restarted on the way.
std::vector<std::vector<Bytes>> play(Hash32& genesis) {
  World world;
  genesis = world.keys.exchange_id();
  auto recorder = std::make_unique<Recorder>(genesis);
  Recorder& record = *recorder;
  world.service.reset();
  world.journal = std::move(recorder);
  world.restart();
  auto agent = world.open_market();
  const auto lease = [&](uint64_t nonce) {
    const auto answer =
        world.post("/v1/bids", world.bid_body(world.bid(nonce)), "key-" + std::to_string(nonce));
    EXPECT_EQ(answer.status, 200U) << answer.raw;
    const json::value match = agent.socket->take("match");
    const auto terms = from_json<eip712::Terms>(match.at("terms"), "terms").value();
    world.say(agent, {{"type", "accept"},
                      {"terms", to_json(terms)},
                      {"signature", world.signature(terms, world.provider)}});
    return eip712::digest(world.domain, terms);
  };
  uint64_t beats = 10;
  const auto beat = [&](const LeaseId& id, uint8_t phase, uint64_t ran_ms) {
    eip712::LeaseStatus status;
    status.lease = id;
    status.phase = phase;
    status.staged_ms = 100;
    status.ran_ms = ran_ms;
    if (phase == 4) status.reason = "completed";
    world.say(agent, world.heartbeat(++beats, {status}));
  };
  const auto close = [&](const LeaseId& id) {
    const eip712::Close made{id, 0};
    world.say(agent, {{"type", "close"},
                      {"close", to_json(made)},
                      {"signature", world.signature(made, world.provider)}});
  };
  const LeaseId first = lease(1);
  for (uint64_t s = 1; s <= 12; ++s) {
    world.pass(2'000);
    beat(first, 2, 2'000 * s - 200);
  }
  const LeaseId second = lease(2);
  world.pass(1'000);
  beat(second, 2, 800);
  beat(first, 4, 23'800);
  close(first);
  // A restart, as after a SIGKILL: Resume.
  world.restart();
  agent = world.open("/v1/agent", &world.provider);
  const eip712::RequestClose stop{second, 7, world.clock.now().seconds() + 60, 0};
  EXPECT_EQ(
      world
          .post("/v1/leases/" + hex0x(second.view()) + "/request-close",
                {{"request", to_json(stop)}, {"signature", world.signature(stop, world.buyer)}},
                "key-stop")
          .status,
      200U);
  auto waiting_spec = World::spec();
  waiting_spec["immediate_or_cancel"] = false;
  waiting_spec["query"] = "cores>=64";
  EXPECT_EQ(
      world.post("/v1/bids", world.bid_body(world.bid(3, waiting_spec), waiting_spec), "key-3")
          .status,
      200U);
  eip712::CancelBids cancel;
  cancel.owner = world.buyer.address();
  cancel.mask.bytes[31] = 1 << 3;
  cancel.deadline = world.clock.now().seconds() + 60;
  EXPECT_EQ(
      world
          .post("/v1/bids/cancel",
                {{"cancel", to_json(cancel)}, {"signature", world.signature(cancel, world.buyer)}},
                "key-cancel")
          .status,
      200U);
  world.pass(1'000);
  beat(second, 4, 900);
  close(second);
  world.pass(2'000);
  EXPECT_TRUE(world.service->state().unlocked().closing().empty());
  EXPECT_EQ(world.service->state().unlocked().totals().escrow.nano, 0U);
  return record.groups;
}

Demo record_demo() {
  Demo demo;
  demo.groups = play(demo.genesis);
  Exchange core;
  demo.states.push_back(core.state_hash());
  demo.middle_group = demo.groups.size() / 2;
  for (size_t i = 0; i < demo.groups.size(); ++i) {
    for (const Bytes& bytes : demo.groups[i]) {
      const auto command = exchange::decode_sequenced(bytes).value();
      const exchange::Outcome outcome = core.apply(command);
      if (command.idempotency && outcome.answer) demo.keyed.push_back(command);
      demo.states.push_back(core.state_hash());
    }
    demo.ends.push_back(core.last_sequence());
    if (i == demo.middle_group) demo.middle = core.encode();
  }
  return demo;
}

Result<std::unique_ptr<Journal>> open_journal(const Demo& demo, rocksdb::Env& env) {
  return journal::open_rocksdb({.path = std::string(kFolder),
                                .genesis = demo.genesis,
                                .env = &env,
                                .memory_bytes = size_t{64} << 10});
}

/// Writes the demo from the group after `sequence` on; gives the last sequence that was answered.
uint64_t write_from(const Demo& demo, Journal& journal, uint64_t sequence) {
  for (size_t i = 0; i < demo.groups.size(); ++i) {
    if (demo.ends[i] <= sequence) continue;
    const std::vector<ByteView> views(demo.groups[i].begin(), demo.groups[i].end());
    const auto info = journal.append_group(views);
    if (!info) return sequence;
    sequence = info->last_sequence;
    // One that fails is only not there.
    if (i == demo.middle_group) (void)journal.save_snapshot(sequence, demo.middle);
  }
  return sequence;
}

/// Each keyed request that is in the journal, sent again.
void check_repetition(const Demo& demo, Journal& journal, const std::string& when) {
  auto core = service::recover_state(journal);
  ASSERT_TRUE(core) << when << ": " << core.error().message;
  const exchange::MoneyTotals before = core->totals();
  const size_t leases = core->all_leases().size();
  const uint64_t last = core->last_sequence();
  for (const Sequenced& sent : demo.keyed) {
    if (sent.sequence > last) break;
    Sequenced again = sent;
    again.sequence = core->last_sequence() + 1;
    again.time = core->now();
    const exchange::Outcome outcome = core->apply(again);
    ASSERT_TRUE(outcome.answer) << when << ": " << outcome.answer.error().message;
    EXPECT_TRUE(outcome.answer->repeated) << when;
  }
  EXPECT_EQ(core->totals().balances, before.balances) << when;
  EXPECT_EQ(core->totals().escrow, before.escrow) << when;
  EXPECT_EQ(core->all_leases().size(), leases) << when;
}

void check(const Demo& demo, const FaultDisk::Image& image, uint64_t answered,
           const std::string& when, bool to_the_end) {
  const auto disk = std::make_shared<FaultDisk>(image);
  const auto env = make_fault_env(disk);
  auto journal = open_journal(demo, *env);
  ASSERT_TRUE(journal) << when << ": " << journal.error().message;
  const uint64_t last = (*journal)->head().sequence;
  const auto next = std::upper_bound(demo.ends.begin(), demo.ends.end(), answered);
  EXPECT_TRUE(last == answered || (next != demo.ends.end() && last == *next))
      << when << ": answered up to " << answered << ", recovered up to " << last;
  const auto core = service::recover_state(**journal);
  ASSERT_TRUE(core) << when << ": " << core.error().message;
  EXPECT_EQ(core->state_hash(), demo.states[last]) << when;
  check_repetition(demo, **journal, when);
  if (!to_the_end) return;
  EXPECT_EQ(write_from(demo, **journal, last), demo.ends.back()) << when;
  const auto whole = service::recover_state(**journal, true);
  ASSERT_TRUE(whole) << when << ": " << whole.error().message;
  EXPECT_EQ(whole->state_hash(), demo.states.back()) << when;
}

/// How much is looked at: MIZAN_CRASH_PIECES and MIZAN_CRASH_STATES go beyond what a build's tests
/// have time for.
size_t limit(const char* name, size_t usual) {
  return test::given_number(name).value_or(usual);
}

/// The states that a crash may leave: all of them where that is not too many.
struct Choices {
  std::vector<FaultDisk::Kept> all;
  bool whole = true;
};

/// Every choice of names: of each folder's changes, so many of the first.
std::vector<std::vector<size_t>> name_choices(const std::vector<size_t>& most) {
  std::vector<std::vector<size_t>> out = {{}};
  for (const size_t each : most) {
    std::vector<std::vector<size_t>> longer;
    for (const auto& begin : out)
      for (size_t kept = 0; kept <= each; ++kept) {
        longer.push_back(begin);
        longer.back().push_back(kept);
      }
    out = std::move(longer);
  }
  return out;
}

/// Every subset of up to `pieces_most` pieces. Of more: every first part, all but one, one alone,
/// and some by chance.
std::vector<std::vector<bool>> piece_choices(size_t count, size_t pieces_most, size_t by_chance,
                                             std::mt19937_64& random) {
  std::vector<std::vector<bool>> out;
  if (count <= pieces_most) {
    for (size_t set = 0; set < size_t{1} << count; ++set) {
      auto& kept = out.emplace_back(count);
      for (size_t i = 0; i < count; ++i) kept[i] = (set >> i & 1) != 0;
    }
    return out;
  }
  for (size_t first = 0; first <= count; ++first) {
    auto& kept = out.emplace_back(count, false);
    std::fill_n(kept.begin(), first, true);
  }
  for (size_t one = 0; one < count; ++one)
    for (const bool alone : {false, true}) out.emplace_back(count, !alone)[one] = alone;
  for (size_t i = 0; i < by_chance; ++i) {
    auto& kept = out.emplace_back(count);
    for (size_t j = 0; j < count; ++j) kept[j] = (random() >> 32 & 1) != 0;
  }
  return out;
}

Choices choices(const FaultDisk::Unsynced& unsynced, std::mt19937_64& random) {
  const size_t states_most = limit("MIZAN_CRASH_STATES", 20'000);
  const size_t count = unsynced.piece_bytes.size();
  const size_t pieces_most = limit("MIZAN_CRASH_PIECES", 12);
  Choices out;
  out.whole = count <= pieces_most;
  const auto names = name_choices(unsynced.names);
  const auto pieces = piece_choices(count, pieces_most, states_most / 8, random);
  const bool all_pairs = names.size() * pieces.size() <= states_most;
  out.whole = out.whole && all_pairs;
  for (size_t n = 0; n < names.size(); ++n)
    for (size_t p = 0; p < pieces.size(); ++p)
      if (all_pairs || n == 0 || n + 1 == names.size() || p == 0 || p + 1 == pieces.size())
        for (const bool grown : {false, true}) out.all.push_back({names[n], pieces[p], grown});
  // A write that is cut within a sector, behind all that came before it.
  for (size_t cut = 0; cut < count; ++cut) {
    const size_t bytes = unsynced.piece_bytes[cut];
    for (const size_t left : std::set<size_t>{1, bytes / 2, bytes - std::min<size_t>(bytes, 1)}) {
      if (left == 0 || left >= bytes) continue;
      FaultDisk::Kept kept{names.back(), std::vector<bool>(count, false), false, {{cut, left}}};
      std::fill_n(kept.pieces.begin(), cut, true);
      out.all.push_back(kept);
      kept.grown = true;
      out.all.push_back(std::move(kept));
    }
  }
  return out;
}

Hash32 hash_of(const FaultDisk::Image& image, uint64_t answered) {
  Sha256 hash;
  hash.update(as_bytes(std::to_string(answered)));
  for (const auto& [path, bytes] : image) {
    hash.update(as_bytes(path + " " + std::to_string(bytes.size()) + "\n"));
    hash.update(bytes);
  }
  return hash.finish();
}

TEST(DemoCrash, PowerLostAtEveryWriteAndSync) {
  const uint64_t seed = test::random_seed();
  SCOPED_TRACE(test::seed_note(seed));
  const Demo demo = record_demo();
  ASSERT_GT(demo.groups.size(), 30U);
  ASSERT_GE(demo.keyed.size(), 5U);
  uint64_t operations = 0;
  {
    const auto disk = std::make_shared<FaultDisk>();
    const auto env = make_fault_env(disk);
    const auto journal = open_journal(demo, *env).value_or(nullptr);
    ASSERT_TRUE(journal);
    ASSERT_EQ(write_from(demo, *journal, 0), demo.ends.back());
    operations = disk->operations();
  }
  std::mt19937_64 random(seed);
  std::set<Hash32> seen;
  uint64_t states = 0;
  uint64_t whole = 0;
  for (uint64_t at = 0; at <= operations && !HasFailure(); ++at) {
    const auto disk = std::make_shared<FaultDisk>();
    const auto env = make_fault_env(disk);
    disk->set_faults({.fail_at = {}, .stop_at = at, .bytes_max = {}});
    uint64_t answered = 0;
    if (auto journal = open_journal(demo, *env)) answered = write_from(demo, **journal, 0);
    const Choices here = choices(disk->unsynced(), random);
    whole += here.whole ? 1 : 0;
    const auto look = [&](const FaultDisk::Image& image, const std::string& which) {
      ++states;
      if (!seen.insert(hash_of(image, answered)).second) return;
      check(demo, image, answered, "operation " + std::to_string(at) + ", " + which,
            seen.size() % 16 == 0);
    };
    look(disk->live(), "killed");
    for (size_t i = 0; i < here.all.size() && !HasFailure(); ++i)
      look(disk->after_crash(here.all[i]), "state " + std::to_string(i));
  }
  std::cout << demo.ends.back() << " commands in " << demo.groups.size() << " groups, "
            << operations
            << " writes, syncs and changes of names; after a crash at each: " << states
            << " states, " << seen.size()
            << " of them different, all recovered; every legal state at " << whole << " of "
            << operations + 1 << ", else first parts, all but one, one alone and "
            << "some by chance\n";
}

}  // namespace
}  // namespace mizan::crash

#include "service/sequencer.hpp"

#include "service/world.hpp"
#include "support/journal_over.hpp"

namespace mizan::service {
namespace {

/// A journal whose appends fail from a moment on, as a disk that is full does.
class FailingJournal final : public test::JournalOver {
 public:
  using JournalOver::JournalOver;
  Result<journal::GroupInfo> append_group(std::span<const ByteView> records) override {
    if (failing) return fail(Error{ErrorCode::io_error, "no space left", {{"errno", "ENOSPC"}}});
    groups.push_back(records.size());
    return JournalOver::append_group(records);
  }

  bool failing = false;
  std::vector<size_t> groups;
};

class SequencerTest : public testing::Test {
 protected:
  SequencerTest() {
    auto failing =
        std::make_unique<FailingJournal>(journal::make_memory_journal(world_.keys.exchange_id()));
    journal_ = failing.get();
    world_.journal = std::move(failing);
    world_.restart();
    journal_->groups.clear();
  }
  Sequencer& sequencer() { return world_.service->sequencer(); }
  exchange::Command grant(uint64_t nonce) {
    const eip712::Grant made{world_.buyer.address(), 10, nonce, world_.clock.now().seconds() + 60};
    return exchange::Grant{made, eip712::sign(world_.domain, made, world_.operator_key)};
  }
  Money balance() {
    return world_.service->state().read([&](const exchange::Exchange& core) {
      return core.account(world_.buyer.address()).balance;
    });
  }

  World world_;
  FailingJournal* journal_ = nullptr;
};

TEST_F(SequencerTest, CommitsWhatWaitsAsOneGroupUnderOneSignature) {
  std::vector<Applied> applied;
  for (uint64_t i = 0; i < 10; ++i)
    sequencer().submit(grant(i), std::nullopt, [&](Result<Applied> result) {
      ASSERT_TRUE(result);
      applied.push_back(*std::move(result));
    });
  EXPECT_TRUE(applied.empty());  // nothing is answered before it is durable
  EXPECT_TRUE(sequencer().step());
  EXPECT_FALSE(sequencer().step());
  EXPECT_EQ(journal_->groups, std::vector<size_t>{10});
  ASSERT_EQ(applied.size(), 10U);
  const Sealed& sealed = *applied[0].sealed;
  EXPECT_EQ(sealed.acknowledgement.last_sequence - sealed.acknowledgement.first_sequence, 9U);
  EXPECT_EQ(sealed.acknowledgement.journal_head, journal_->head().hash);
  EXPECT_TRUE(eip712::check_signer(world_.domain, sealed.acknowledgement, sealed.signature,
                                   world_.keys.identity.address()));
  for (size_t i = 1; i < applied.size(); ++i) {
    EXPECT_EQ(applied[i].sequence, applied[i - 1].sequence + 1);
    EXPECT_EQ(applied[i].sealed, applied[0].sealed);
  }
  EXPECT_EQ(balance().nano, 100U);
}

TEST_F(SequencerTest, SavesSnapshotsBesideTheCommandsOneAtATime) {
  world_.configure = [](ServiceConfig& config) { config.sequencer.snapshot_every = 3; };
  world_.restart();
  std::vector<std::function<void()>> posted;
  sequencer().set_background(
      [&](std::function<void()> work) { posted.push_back(std::move(work)); });
  auto step = [&, nonce = uint64_t{0}](size_t times) mutable {
    for (size_t i = 0; i < times; ++i) {
      sequencer().submit(grant(nonce++), std::nullopt, nullptr);
      EXPECT_TRUE(sequencer().step());
    }
  };
  step(8);
  ASSERT_EQ(posted.size(), 1U);
  posted[0]();
  const auto saved = journal_->latest_snapshot();
  ASSERT_TRUE(saved && *saved);
  EXPECT_LT((*saved)->at.sequence, journal_->head().sequence);
  step(1);
  EXPECT_EQ(posted.size(), 2U);
  const auto recovered = recover_state(*journal_);
  ASSERT_TRUE(recovered);
  EXPECT_EQ(recovered->state_hash(), world_.service->state().unlocked().state_hash());
}

TEST_F(SequencerTest, SplitsWhatDoesNotFitAGroup) {
  std::vector<int> answered;
  std::vector<uint64_t> sequences;
  exchange::PlaceBid large{world_.bid(), std::string(1 << 20, 'x'), {}};
  for (int i = 0; i < 70; ++i)
    sequencer().submit(large, std::nullopt, [&, i](const Result<Applied>& result) {
      ASSERT_TRUE(result);
      sequences.push_back(result->sequence);
      answered.push_back(i);
    });
  while (sequencer().step()) {
  }
  ASSERT_EQ(answered.size(), 70U);
  EXPECT_TRUE(std::is_sorted(answered.begin(), answered.end())) << "in the order they came in";
  EXPECT_TRUE(std::is_sorted(sequences.begin(), sequences.end()));
  EXPECT_GE(journal_->groups.size(), 3U);
}

TEST_F(SequencerTest, StopsAtAFailedJournalAndAnswersNothingThatIsNotDurable) {
  std::optional<Error> told;
  sequencer().set_on_failure([&](const Error& error) { told = error; });
  journal_->failing = true;
  std::optional<Result<Applied>> first, second;
  sequencer().submit(grant(1), std::nullopt, [&](Result<Applied> r) { first = std::move(r); });
  EXPECT_FALSE(sequencer().step());
  ASSERT_TRUE(first);
  EXPECT_EQ(first->error().code, ErrorCode::unavailable);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->details.at("errno"), "ENOSPC");
  EXPECT_TRUE(sequencer().failed());
  EXPECT_EQ(balance().nano, 0U);
  journal_->failing = false;  // a failed journal is never tried again
  sequencer().submit(grant(2), std::nullopt, [&](Result<Applied> r) { second = std::move(r); });
  ASSERT_TRUE(second);
  EXPECT_EQ(second->error().code, ErrorCode::unavailable);
  EXPECT_EQ(world_.get("/v1/health").status, 503U);
  world_.restart();
  EXPECT_EQ(world_.get("/v1/health").status, 200U);
}

TEST_F(SequencerTest, AppliesAfterACrashWhatWasDurable) {
  // Appended, and then the process died before it could apply or answer.
  const json::object body = world_.grant(world_.buyer.address(), 77);
  const auto made = from_json<eip712::Grant>(body.at("grant"), "grant").value();
  const auto signature = from_json<Signature>(body.at("signature"), "signature").value();
  const std::string text = json_text(body);
  const exchange::Sequenced next{
      journal_->head().sequence + 1, world_.clock.now(),
      exchange::Idempotency{world_.operator_key.address(), "key-1", keccak256(text)},
      exchange::Grant{made, signature}};
  const Bytes record = exchange::encode(next);
  ASSERT_TRUE(journal_->append_group(std::vector<ByteView>{record}));
  world_.restart();
  EXPECT_EQ(balance().nano, 77U);
  // Its sender, who heard nothing, tries again: it is done once.
  const Answered again = world_.send(world_.request("POST", "/v1/grants", text, nullptr, "key-1"));
  EXPECT_EQ(again.status, 200U) << again.raw;
  EXPECT_EQ(balance().nano, 77U);
}

TEST_F(SequencerTest, RefusesToStartOnARecordThatDoesNotFit) {
  const Bytes bad = {1, 2, 3};
  ASSERT_TRUE(journal_->append_group(std::vector<ByteView>{bad}));
  const auto state = recover_state(*journal_);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, ErrorCode::corrupted);
  EXPECT_EQ(state.error().details.at("place"),
            "record " + std::to_string(journal_->head().sequence));
}

TEST_F(SequencerTest, GivesEveryLeaseItsGraceAgainAfterAnAbsence) {
  const auto agent = world_.open_market();
  const LeaseId lease = world_.funded_lease(agent);
  const auto state_of = [&] {
    return world_.service->state().read(
        [&](const exchange::Exchange& core) { return core.find_lease(lease)->state; });
  };
  world_.clock.pass(3'600'000);  // the process was frozen, or the machine asleep
  world_.settle();
  EXPECT_EQ(state_of(), exchange::LeaseState::funded);
  EXPECT_THAT(world_.lines, testing::Contains(testing::HasSubstr("event=was_away")));
  world_.pass(20'000);
  EXPECT_EQ(state_of(), exchange::LeaseState::funded);
  world_.pass(20'000);  // past the lease's grace of 30 s, this time awake
  EXPECT_EQ(state_of(), exchange::LeaseState::failed);
}

TEST_F(SequencerTest, TakesAClockSetAheadForNoSilence) {
  const auto agent = world_.open_market();
  const LeaseId lease = world_.funded_lease(agent);
  world_.clock.wall += 3'600'000;
  world_.pass(1000);
  world_.service->state().read([&](const exchange::Exchange& core) {
    EXPECT_EQ(core.find_lease(lease)->state, exchange::LeaseState::funded);
  });
  EXPECT_THAT(world_.lines, testing::Contains(testing::HasSubstr("event=clock_jumped")));
}

TEST_F(SequencerTest, GoesOnWhenTheClockIsSetBack) {
  const auto agent = world_.open_market();
  const LeaseId lease = world_.funded_lease(agent);
  const UnixMs before = world_.service->context().time.now();
  world_.clock.wall -= 3'600'000;
  world_.pass(40'000);  // at half speed: 20 s, within the grace
  world_.service->state().read([&](const exchange::Exchange& core) {
    EXPECT_GE(core.now(), before);
    EXPECT_EQ(core.find_lease(lease)->state, exchange::LeaseState::funded);
  });
  world_.pass(40'000);
  world_.service->state().read([&](const exchange::Exchange& core) {
    EXPECT_EQ(core.find_lease(lease)->state, exchange::LeaseState::failed);
  });
}

}  // namespace
}  // namespace mizan::service

// Policy in the market: what passes, what is refused, and on which facts.
#include "codec/binary.hpp"
#include "exchange/explain.hpp"
#include "exchange/receipt.hpp"
#include "unit/exchange/policy_fixture.hpp"

namespace mizan::exchange {
namespace {

TEST_F(PolicyTest, AnOrdinaryDealPassesWithItsVerdict) {
  ASSERT_EQ(w.fate(w.want(kBuyer)), Fate::passed) << w.note();
  const Lease& lease = w.lease(w.last);
  EXPECT_EQ(lease.verdict.outcome, "ALLOW");
  EXPECT_EQ(lease.verdict.rule_set, w.in_force->hash());
  EXPECT_EQ(lease.counted, std::vector<Subject>{subject_of(party(kBuyer))});
  w.accept(w.last);
  EXPECT_EQ(clearance_of(lease).verdict, lease.verdict.hash);
  const auto again = replay(lease, w.core.known_rules());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->same);
  w.check_replay();
}

TEST_F(PolicyTest, TheFactsAreThoseOfTheJournal) {
  w.prove(kBuyer, {.parent = "JP"});
  ASSERT_EQ(w.fate(w.want(kBuyer, 3, kTraining)), Fate::passed);
  const auto file = read_case_file(w.lease(w.last).case_file);
  ASSERT_TRUE(file);
  const policy::Case& subject = file->subject;
  EXPECT_EQ(to_string(subject.date), "2027-01-15");
  EXPECT_EQ(subject.operation.value, policy::Operation::lease);
  EXPECT_EQ(subject.item.value.name, "H100 SXM");
  EXPECT_EQ(subject.item.evidence, policy::Evidence::measured);
  EXPECT_EQ(subject.units.value, 3u);
  EXPECT_EQ(subject.group_units.value, 3u);
  EXPECT_EQ(subject.training_work.value, 1979u * 3 * 100);
  EXPECT_EQ(to_string(subject.location.value), "SG");
  EXPECT_EQ(subject.location.evidence, policy::Evidence::self_declared);
  EXPECT_EQ(subject.end_use.evidence, policy::Evidence::self_declared);
  ASSERT_EQ(subject.parties.value.size(), 3u);
  EXPECT_EQ(to_string(subject.parties.value[0].country.value), "AU");
  EXPECT_EQ(to_string(subject.parties.value[1].parent_hq.value), "JP");
  EXPECT_EQ(subject.parties.value[1].country.evidence, policy::Evidence::credential);
  EXPECT_EQ(subject.parties.value[2].role, policy::Role::end_user);
  EXPECT_EQ(subject.parties.value[2].id, subject.parties.value[1].id);
}

TEST_F(PolicyTest, ABlockedPairIsNotMatchedAndBothSidesHear) {
  w.prove(kBuyer, {.country = "KP"});
  const Outcome outcome = w.apply(w.want(kBuyer, 1, test::kCommercial, true));
  ASSERT_FALSE(outcome.answer);
  EXPECT_EQ(outcome.answer.error().code, ErrorCode::no_match);
  EXPECT_EQ(outcome.answer.error().details.at("policy"), "blocked");
  ASSERT_EQ(outcome.reasons.size(), 1u);
  EXPECT_EQ(outcome.reasons[0].dimension, "policy");
  EXPECT_EQ(outcome.reasons[0].removed, 1u);
  EXPECT_NE(outcome.reasons[0].nearest.find("PROHIBITED us.sanctions.embargo (sanctions)"),
            std::string::npos)
      << outcome.reasons[0].nearest;
  const auto spoke = w.seen<PolicySpoke>();
  ASSERT_EQ(spoke.size(), 1u);
  EXPECT_EQ(spoke[0].provider, party(kProvider));
  EXPECT_EQ(spoke[0].rule, "us.sanctions.embargo");
  EXPECT_FALSE(spoke[0].held);
  EXPECT_TRUE(w.core.all_leases().empty());
  EXPECT_EQ(w.core.account(party(kBuyer)).escrowed.nano, 0u);
}

TEST_F(PolicyTest, AStandingBidThatIsBlockedRestsAndMatchesWhenTheFactsChange) {
  w.prove(kBuyer, {.country = "KP"});
  const Answer answer = w.ok(w.want(kBuyer));
  EXPECT_TRUE(answer.resting);
  w.prove(kBuyer);
  ASSERT_EQ(w.core.leases_of(party(kBuyer)).size(), 1u);
  EXPECT_EQ(w.core.leases_of(party(kBuyer))[0]->state, LeaseState::matched);
  w.check_replay();
}

TEST_F(PolicyTest, AProofTriesTheBidsOfItsAccountAlone) {
  const auto spoken_to = [&](uint8_t buyer) {
    const auto all = w.seen<PolicySpoke>();
    return std::count_if(all.begin(), all.end(),
                         [&](const PolicySpoke& one) { return one.buyer == party(buyer); });
  };
  w.join(kOther, {.country = "KP"});
  w.prove(kBuyer, {.country = "KP"});
  ASSERT_TRUE(w.ok(w.want(kOther)).resting);
  ASSERT_TRUE(w.ok(w.want(kBuyer)).resting);
  ASSERT_EQ(spoken_to(kOther), 1);
  ASSERT_EQ(spoken_to(kBuyer), 1);
  w.prove(kBuyer, {.country = "KP"});
  EXPECT_EQ(spoken_to(kBuyer), 2);
  EXPECT_EQ(spoken_to(kOther), 1);
}

TEST_F(PolicyTest, AnImmediateBidDoesNotWaitForAPerson) {
  w.prove(kBuyer, {.parent = ""});
  const Outcome outcome = w.apply(w.want(kBuyer, 1, kTraining, true));
  ASSERT_FALSE(outcome.answer);
  EXPECT_EQ(outcome.answer.error().code, ErrorCode::no_match);
  EXPECT_EQ(outcome.answer.error().details.at("policy"), "held");
  ASSERT_EQ(outcome.reasons.size(), 1u);
  EXPECT_NE(outcome.reasons[0].nearest.find("Missing: parent_hq"), std::string::npos)
      << outcome.reasons[0].nearest;
  EXPECT_TRUE(w.core.held().empty());
}

TEST_F(PolicyTest, APassingOfferIsTakenBeforeACheaperOneThatWouldWait) {
  auto doubtful = w.offer(kOther, "H100 SXM", 8, 80, "SG");
  doubtful.ask.rate = 5;
  w.ok(doubtful);  // a provider that has proven nothing
  ASSERT_EQ(w.fate(w.want(kBuyer)), Fate::passed);
  EXPECT_EQ(w.lease(w.last).terms.ask_hash, ask);
}

TEST_F(PolicyTest, OffersThatNobodyMayTakeHideNoneOfWhoeverHasARecord) {
  constexpr uint8_t kStranger = 7;
  Limits limits;
  limits.open_orders = 2'000;
  PolicyWorld many(test::shipped_rules(), test::kOptions, limits);
  many.join(kBuyer);
  many.join(kProvider, {.country = "AU", .hq = "AU"});
  many.ok(many.offer(kProvider));
  const LeaseId before = many.ok(many.want(kBuyer)).leases.at(0);
  many.accept(before);
  many.beat(before, 4, 0, 0);
  many.ok(Close{{before, 0}, {}});
  many.finalize(before);
  many.join(kStranger);
  for (int i = 0; i < 1'100; ++i) {
    auto blocked = many.offer(kStranger, "H100 SXM", 8, 80, "KP");
    blocked.ask.rate = 5;
    many.ok(blocked);
  }
  ASSERT_EQ(many.fate(many.want(kBuyer, 1, test::kCommercial, true)), Fate::passed);
  EXPECT_EQ(many.lease(many.last).terms.provider, party(kProvider));
}

TEST_F(PolicyTest, ExpiredFactsAreUnknown) {
  w.wait_ms(31ULL * 24 * 3600 * 1000);
  w.prove(kProvider, {.country = "AU", .hq = "AU"});
  w.ok(w.offer(kProvider));
  EXPECT_FALSE(w.core.facts_hold(party(kBuyer)));
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::held);
  EXPECT_EQ(w.lease(w.last).verdict.outcome, "INSUFFICIENT");
}

TEST_F(PolicyTest, FactsThatExpireAreForgottenThoughTheyWereJustUsed) {
  auto facts = w.facts({});
  facts.expires_at = w.seconds() + 30;
  w.ok(ProveFacts{party(kBuyer), facts});
  ASSERT_EQ(w.fate(w.want(kBuyer)), Fate::passed);
  w.wait_ms(29'499);
  ASSERT_EQ(w.fate(w.want(kBuyer)), Fate::passed);
  w.wait_ms(1);
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::held);
  w.check_replay();
}

// The same deal, before and after a midnight at which a rule begins: 1.8e9 is 08:00 of the 15th.
TEST(PolicyDay, AVerdictIsThatOfItsDay) {
  std::string rule = test::one_rule("operator.tomorrow", R"({"fact":"units","above":0})");
  rule.replace(rule.find("null"), 4, "\"2027-01-16\"");
  PolicyWorld w(test::make_rules(rule));
  w.join(kBuyer);
  for (const uint8_t provider : {kProvider, kOther})
    w.join(provider, {.country = "AU", .hq = "AU"});
  w.ok(w.offer(kProvider));
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::passed);
  w.wait_ms(16ULL * 3600 * 1000);  // its provider did not accept, and is left out for it
  w.ok(w.offer(kOther));
  ASSERT_EQ(w.seen<Held>().size(), 1U) << "the bid that waited";
  w.check_replay();
}

TEST_F(PolicyTest, MeasuredMemoryThatIsNotTheChipsIsFlagged) {
  w.ok(CancelAsk{{party(kProvider), ask}, {}});
  const auto fate = [&](uint64_t device_gb) {
    const OrderId offered = w.ok(w.offer(kProvider, "H100 SXM", 8, device_gb)).order;
    const Fate out = w.fate(w.want(kBuyer));
    w.ok(CancelAsk{{party(kProvider), offered}, {}});
    return out;
  };
  EXPECT_EQ(fate(68), Fate::passed) << "15 % less than 80";
  EXPECT_EQ(fate(92), Fate::passed) << "15 % more";
  EXPECT_EQ(fate(67), Fate::held);
  EXPECT_EQ(w.note().substr(0, 23), "exchange.device_memory ");
  EXPECT_EQ(fate(93), Fate::held);
}

TEST_F(PolicyTest, FactsAreChecked) {
  auto facts = w.facts({});
  facts.expires_at = w.seconds();
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), facts}), ErrorCode::credential_expired);
  facts = w.facts({});
  facts.country.value.code = 700;
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), facts}), ErrorCode::invalid_argument);
  facts = w.facts({});
  facts.listed_owners.value.push_back({});
  facts.listed_owners.value[0].share.value.nano = policy::kNano + 1;
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), facts}), ErrorCode::invalid_argument);
  facts = w.facts({});
  facts.lists.value.resize(65);
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), facts}), ErrorCode::invalid_argument);
}

TEST_F(PolicyTest, TheSumIsThatOfThePersonAndOfTheGroup) {
  w.join(11, {.person = 1, .group = 1});
  w.join(12, {.person = 1, .group = 2});
  w.join(13, {.person = 2, .group = 1});
  w.join(14, {.person = 3, .group = 3});
  ASSERT_EQ(w.fate(w.want(11, 3)), Fate::passed);
  const auto total = [&](uint8_t buyer) {
    EXPECT_EQ(w.fate(w.want(buyer, 1)), Fate::passed);
    const uint64_t units = read_case_file(w.lease(w.last).case_file)->subject.group_units.value;
    w.ok(Reject{w.last, party(kProvider), "no", ""});
    return units;
  };
  EXPECT_EQ(total(12), 4u);
  EXPECT_EQ(total(13), 4u);
  EXPECT_EQ(total(14), 1u);
  // Who moves to another parent stays counted with the old one for what it leased.
  w.prove(11, {.person = 9, .group = 3});
  EXPECT_EQ(total(13), 4u);
  EXPECT_EQ(total(14), 4u);
  w.check_replay();
}

TEST_F(PolicyTest, TheSumOfAGroupCannotBeShakenOff) {
  w.prove(kBuyer, {.person = 3, .group = 5});
  w.join(4, {.person = 4, .group = 5});
  w.ok(w.offer(kProvider, "H100 SXM", 64));
  ASSERT_EQ(w.fate(w.want(4, 20, kTraining)), Fate::passed);
  const auto sum = [&] {
    EXPECT_EQ(w.fate(w.want(kBuyer, 2, kTraining)), Fate::passed);
    return read_case_file(w.lease(w.last).case_file)->subject.group_units.value;
  };
  EXPECT_EQ(sum(), 22u);
  w.prove(kBuyer);
  EXPECT_EQ(sum(), 24u);
  w.check_replay();
}

TEST_F(PolicyTest, KeysOfOnePersonStaySoWhateverALaterProofHides) {
  w.prove(kBuyer, {.person = 3});
  w.prove(kProvider, {.country = "AU", .hq = "AU", .person = 3});
  w.prove(kProvider, {.country = "AU", .hq = "AU"});
  ASSERT_EQ(w.fate(w.want(kBuyer)), Fate::held);
  EXPECT_EQ(w.note().substr(0, 21), "exchange.same_person ");
}

TEST_F(PolicyTest, AnAccountIsOfSoManyPersonsAndGroupsAtMost) {
  for (uint8_t n = 1; n <= 8; ++n) w.prove(kBuyer, {.person = n, .group = n});
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), w.facts({.person = 9})}), ErrorCode::limit_exceeded);
  w.prove(kBuyer, {.person = 1, .group = 8});
  w.check_replay();
}

TEST_F(PolicyTest, TrainingWorkIsKeptAfterALeaseEnds) {
  const LeaseId id = running();
  w.wait_ms(9500);
  w.beat(id, 4, 0, 5000);
  w.ok(Close{{id, 0}, {}});
  w.finalize(id);
  ASSERT_EQ(w.fate(w.want(kBuyer, 1)), Fate::passed);
  const auto work = read_case_file(w.lease(w.last).case_file)->subject.training_work;
  ASSERT_TRUE(work.is_known());
  EXPECT_EQ(work.value, 1979u * (2 * 10 + 1 * 100));
  w.check_replay();
}

TEST_F(PolicyTest, ALicenceOnFileCoversWhatItNames) {
  const std::string wmd = R"({"end_use":"wmd","end_user":"self","training":false})";
  ASSERT_EQ(w.fate(w.want(kBuyer, 1, wmd, true)), Fate::blocked);
  FileLicence file;
  file.officer = party(251);
  file.licence = {"D-1", "H100 SXM", 2, "n/a", party(kBuyer), 20270630, 77, w.seconds() + 10};
  auto bad = file;
  bad.licence.expires = 20270631;
  EXPECT_EQ(w.code(bad), ErrorCode::invalid_argument);
  bad = file;
  bad.licence.chip = "H100";
  EXPECT_EQ(w.code(bad), ErrorCode::invalid_argument);
  ASSERT_TRUE(w.ok(w.want(kBuyer, 2, wmd)).resting);
  w.ok(file);
  ASSERT_EQ(w.seen<Matched>().size(), 1u) << "the bid that waited";
  w.last = w.seen<Matched>().back().lease;
  EXPECT_EQ(w.lease(w.last).verdict.outcome, "LICENCE");
  EXPECT_EQ(w.fate(w.want(kBuyer, 1, wmd, true)), Fate::blocked) << "two of two are used";
  w.join(kOther);
  EXPECT_EQ(w.fate(w.want(kOther, 1, wmd, true)), Fate::blocked) << "it is another's";
  w.check_replay();
}

TEST_F(PolicyTest, APlanTellsWhatWouldWait) {
  PlanRequest request{1, 1, "", 100, 50, false, party(kBuyer), {}};
  request.declaration.end_use =
      policy::Fact<policy::EndUse>::of(policy::EndUse::commercial, policy::Evidence::self_declared);
  request.declaration.training = policy::Fact<bool>::of(false, policy::Evidence::self_declared);
  request.declaration.end_user = EndUser::self;
  std::vector<market::Reason> reasons;
  auto plan = w.core.plan(request, 5, &reasons);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->at(0).disposition, policy::Disposition::pass);
  request.declaration.end_use = {};
  EXPECT_EQ(w.core.plan(request, 5, &reasons)->at(0).disposition, policy::Disposition::hold);
  w.prove(kBuyer, {.country = "CU"});
  EXPECT_EQ(w.core.plan(request, 5, &reasons).error().code, ErrorCode::no_match);
  ASSERT_EQ(reasons.size(), 1u);
  EXPECT_EQ(reasons[0].dimension, "policy");
}

TEST_F(PolicyTest, EachSideIsToldItsOwnFactsOnly) {
  const LeaseId id = held();
  const auto as = [&](Viewer viewer, policy::Language language = policy::Language::en) {
    return explain(w.lease(id), w.core.known_rules(), viewer, language).value_or("");
  };
  const std::string whole = as(Viewer::officer);
  EXPECT_EQ(whole, as(Viewer::officer));
  EXPECT_NE(whole.find(R"("buyer.parent_hq":"CN")"), std::string::npos) << whole;
  EXPECT_NE(whole.find(R"("AU")"), std::string::npos);
  const std::string provider = as(Viewer::provider);
  EXPECT_EQ(provider.find("CN"), std::string::npos) << provider;
  EXPECT_EQ(provider.find("group_units"), std::string::npos);
  EXPECT_NE(provider.find("us.end_use.training"), std::string::npos);
  const std::string buyer = as(Viewer::buyer);
  EXPECT_EQ(buyer.find("AU"), std::string::npos) << buyer;
  EXPECT_NE(buyer.find("CN"), std::string::npos);
  EXPECT_NE(as(Viewer::officer, policy::Language::ar), whole);
  EXPECT_FALSE(explain(w.lease(id), {}));
}

}  // namespace
}  // namespace mizan::exchange

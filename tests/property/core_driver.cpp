#include "property/core_driver.hpp"

#include "codec/json_fields.hpp"
#include "crypto/hash.hpp"
#include "crypto/payees_hash.hpp"

#include <algorithm>
#include <array>

namespace mizan::test {

using namespace exchange;

namespace {

constexpr size_t kParties = 8;
constexpr uint64_t kOwnMeter = 1006;  // of buyers that meter themselves
constexpr size_t kRemembered = 40;

Address address(uint64_t n);

/// Two officers beside the operator; at times two have to agree, at times what rules only flag is
/// blocked.
std::string options_text(bool strict) {
  return R"({"issuers":{"https://issuer.example":{"kty":"EC"}},"officers":[")" +
         hex0x(address(1005).view()) + R"("],"signersNeeded":)" + (strict ? "2" : "1") +
         R"(,"stricter":{)" + (strict ? R"("RED_FLAG":"PROHIBITED")" : "") + "}}";
}

Address address(uint64_t n) {
  Address out;
  out.bytes[0] = 0xbb;
  out.bytes[18] = static_cast<uint8_t>(n >> 8);
  out.bytes[19] = static_cast<uint8_t>(n);
  return out;
}

/// A rule set that most deals of the driver pass, some wait under and some are blocked by.
Rules make_limits() {
  std::map<std::string, std::string> files;
  for (const char* name : {"chips.json", "items.json", "places.json"})
    files[name] = shipped_files().at(name);
  files["a.json"] =
      one_rule("op.country", R"({"party":["buyer"],"facts":["country"],"in":["KP"]})", "LICENCE");
  files["b.json"] = one_rule("op.units", R"({"fact":"units","at_least":20})");
  files["c.json"] = one_rule("op.work", R"({"fact":"training_work","at_least":2000000})", "NOTIFY");
  files["d.json"] = one_rule("op.listed", R"({"party":"any","listed":"licence"})");
  files["e.json"] = one_rule("op.blocked", R"({"party":"any","listed":"block"})", "PROHIBITED");
  auto rules = policy::RuleSet::load(files);
  if (!rules) give_up(rules.error().message);
  return std::make_shared<const policy::RuleSet>(*std::move(rules));
}

template <class T>
void remember(std::vector<T>& list, T item) {
  if (list.size() >= kRemembered) list.erase(list.begin());
  list.push_back(std::move(item));
}

}  // namespace

CoreDriver::CoreDriver(uint64_t seed) : random_(seed), limits_(make_limits()) {}

RuleSets CoreDriver::rules() const {
  return {{limits_->hash(), limits_}};
}

Genesis CoreDriver::genesis() const {
  Genesis out;
  out.identity = address(1000);
  out.operator_ = address(1001);
  out.meter = address(1002);
  out.clearance = address(1003);
  out.fee_to = address(1004);
  out.fee_bps = 137;
  out.limits.open_orders = 12;
  out.limits.all_asks = 16;
  out.limits.live_leases = 30;
  out.limits.idempotency_keys = 50;
  out.limits.held_leases = 5;
  out.policy = options_text(false);
  Bytes seed(as_bytes("mizan-exchange").begin(), as_bytes("mizan-exchange").end());
  seed.insert(seed.end(), out.identity.bytes.begin(), out.identity.bytes.end());
  out.exchange_id = keccak256(seed);
  return out;
}

Address CoreDriver::somebody() {
  return address(pick(kParties));
}

UnixMs CoreDriver::next_time(const Exchange& core) {
  const uint64_t what = pick(1000);
  if (what < 300) return {now_ms_};
  if (what < 850) return {now_ms_ += pick(200)};
  if (what < 990) return {now_ms_ += pick(1500)};
  if (what < 996) return {now_ms_ += pick(15'000)};
  if (what < 998 && core.next_deadline())  // to the very edge of a deadline
    return {now_ms_ = std::max(now_ms_, core.next_deadline()->ms - pick(2))};
  if (pick(10) != 0) return {now_ms_ += pick(100'000)};
  return {now_ms_ += pick(chance(50) ? 2'000'000 : 9ULL * 24 * 3600 * 1000)};
}

/// One, or two of whom the first has the larger part; a name that stands twice is refused.
void CoreDriver::name_payees(PlaceAsk& ask) {
  std::vector<Payee> payees{{somebody(), kWholeBps}};
  if (chance(70)) {
    payees[0].bps = static_cast<uint16_t>(5000 + pick(4999));
    payees.push_back({somebody(), static_cast<uint16_t>(kWholeBps - payees[0].bps)});
  }
  ask.ask.payees_hash = payees_hash(payees);
  ask.attributes +=
      R"(,"payees":{"source":"self_reported","value":)" + json_text(to_json(payees)) + "}";
}

Command CoreDriver::place_ask() {
  static constexpr std::array kChips = {"cpu", "H100 SXM", "L4"};
  PlaceAsk out;
  out.ask.provider = somebody();
  out.ask.chip = kChips[pick(kChips.size())];
  out.ask.nodes = static_cast<uint32_t>(pick(3) + 1);
  out.ask.units_per_node = static_cast<uint32_t>(1ULL << pick(4));
  out.ask.min_units = static_cast<uint32_t>(chance(70) ? 1 : pick(out.ask.units_per_node) + 1);
  out.ask.rate = pick(50);
  out.ask.from = now_ms_ / 1000 + (chance(10) ? pick(100) : 0);
  out.ask.until = out.ask.from + 1 + pick(chance(85) ? 120 : 1'000'000);
  out.ask.min_seconds = pick(5);
  out.ask.max_seconds = out.ask.min_seconds + 1 + pick(200);
  out.ask.interruptible = chance(10);
  out.ask.nonce = ask_nonce_++;
  const std::string memory = std::to_string(pick(512));
  out.attributes = R"({"country":{"source":"self_reported","value":")" +
                   std::string(chance(50) ? "SG" : "JP") +
                   R"("},"memory_gb":{"source":"measured","value":)" + memory + "}";
  if (chance(25)) name_payees(out);
  out.attributes += "}";
  return out;
}

Command CoreDriver::place_bid() {
  static constexpr std::array kQueries = {"",
                                          "chip=cpu",
                                          "chip='H100 SXM' memory_gb>=64",
                                          "country=SG",
                                          "memory_gb>=128",
                                          "rate<30",
                                          "units in 2,8",
                                          "reliability>=0.3",
                                          "chip in cpu,L4 country!=JP"};
  if (!bids_.empty() && chance(5)) return bids_[pick(bids_.size())];
  PlaceBid out;
  out.bid.buyer = somebody();
  out.bid.meter = address(bid_nonce_ % 8 == 0 ? kOwnMeter : 1002);
  out.bid.max_rate = pick(70);
  out.bid.nodes = static_cast<uint32_t>(chance(80) ? 1 : pick(3) + 1);
  out.bid.units_per_node = static_cast<uint32_t>(chance(70) ? 1 : pick(8) + 1);
  out.bid.max_seconds = pick(chance(90) ? 60 : 1500) + 1;
  out.bid.earliest_start = chance(3) ? now_ms_ / 1000 + 5 : 0;
  out.bid.latest_start = now_ms_ / 1000 + pick(40);
  out.bid.valid_until = now_ms_ / 1000 + pick(40);
  out.bid.all_or_none = chance(50);
  out.bid.interruptible = chance(30);
  out.bid.grace = 10 + pick(120);
  out.bid.max_total = chance(70) ? ~u128{0} : u128{pick(100'000)};
  out.bid.max_fee_bps = 137;
  out.bid.nonce = chance(90) ? bid_nonce_ : pick(bid_nonce_ + 10);
  bid_nonce_ += out.bid.nodes;
  static constexpr std::array kDeclarations = {
      "", R"("declaration":{"end_use":"commercial","end_user":"self","training":true},)",
      R"("declaration":{"country":"SG","end_use":"commercial","end_user":{"country":"DE"}},)"};
  out.spec = std::string("{") + kDeclarations[pick(kDeclarations.size())] +
             R"("immediate_or_cancel":)" + std::string(chance(65) ? "true" : "false") +
             R"(,"job":{},"query":")" + kQueries[pick(kQueries.size())] + R"(","split":false})";
  return out;
}

Command CoreDriver::cancel_ask(const Exchange& core) {
  const OrderId id = asks_[pick(asks_.size())];
  const auto offer = core.find_ask(id);
  return exchange::CancelAsk{{offer && chance(80) ? offer->ask.provider : somebody(), id}, {}};
}

Command CoreDriver::cancel_bids() {
  CancelBids out;
  out.cancel.owner = somebody();
  out.cancel.word = bid_nonce_ / 256;
  // One of the last nonces, mostly: a mask of everything would leave nothing to do.
  const uint64_t bit = (bid_nonce_ - std::min(bid_nonce_, pick(20))) % 256;
  out.cancel.mask.bytes[31 - bit / 8] = static_cast<uint8_t>(1 << (bit % 8));
  out.cancel.deadline = now_ms_ / 1000 + pick(3);
  return out;
}

Command CoreDriver::set_policy() {
  SetPolicy out;
  out.change.rule_set = chance(70) ? limits_->hash() : policy::RuleSet::empty().hash();
  out.change.pending = chance(20);
  out.options = options_text(chance(15));
  out.change.nonce = random_();
  out.change.deadline = now_ms_ / 1000 + pick(100);
  return out;
}

Command CoreDriver::prove_facts() {
  static constexpr std::array kPlaces = {"SG", "SG", "SG", "US", "JP", "DE", "FR", "KP", "", "n/a"};
  const auto somewhere = [&] { return place(kPlaces[pick(kPlaces.size())]); };
  ProveFacts out;
  out.account = somebody();
  PartyFacts& facts = out.facts;
  facts.issuer = chance(97) ? kIssuer : "https://other.example";
  // Few each, for what an account has shown it stays: else all were one party in the end.
  const uint8_t own = out.account.bytes[19];
  if (chance(70)) facts.person = pairwise('p', static_cast<uint8_t>(1 + own % 5));
  if (chance(70)) facts.group = pairwise('g', static_cast<uint8_t>(1 + (own + pick(2)) % 6));
  facts.country = somewhere();
  facts.hq = somewhere();
  facts.parent_hq = somewhere();
  if (chance(95)) {
    facts.lists = policy::Fact<std::vector<policy::ListMatch>>::of({});
    if (chance(6)) facts.lists.value.push_back({"EL", policy::ListEffect::licence});
    if (chance(1)) facts.lists.value.push_back({"SDN", policy::ListEffect::block});
    facts.listed_owners = policy::Fact<std::vector<policy::ListedOwner>>::of({});
  }
  facts.issued_at = now_ms_ / 1000;
  facts.expires_at = now_ms_ / 1000 + pick(chance(80) ? 1'000'000 : 100);
  return out;
}

Command CoreDriver::decide(const Exchange& core) {
  const auto held = core.held();
  if (held.empty()) return Tick{};
  Decide out;
  out.officer = address(chance(90) ? 1001 + pick(2) * 4 : pick(2000));
  const Lease& shown = *held[pick(held.size())];
  const Hash32 verdict = chance(95) ? shown.verdict.hash : Hash32{{1}};
  out.decision = {shown.id, verdict, chance(70), "looked at", random_(), now_ms_ / 1000 + pick(20)};
  return out;
}

Command CoreDriver::list_party(const Exchange& core) {
  ListParty out;
  out.officer = address(1005);
  eip712::Listing& listing = out.listing;
  listing.list = "EL";
  listing.effect = chance(50) ? "block" : "licence";
  listing.listed = chance(35);
  listing.nonce = random_();
  listing.deadline = now_ms_ / 1000 + pick(20);
  if (!listing.listed && !core.listings().empty()) {  // take one off that is on
    const Subject& subject = core.listings().begin()->first;
    if (subject.kind == SubjectKind::account)
      std::copy(subject.id.bytes.begin() + 12, subject.id.bytes.end(),
                listing.account.bytes.begin());
    if (subject.kind == SubjectKind::person) listing.person = subject.id;
    if (subject.kind == SubjectKind::group) listing.group = subject.id;
    return out;
  }
  const uint64_t whom = pick(3);
  if (whom == 0) listing.account = somebody();
  if (whom == 1) listing.person = pairwise('p', static_cast<uint8_t>(pick(6)));
  if (whom == 2) listing.group = pairwise('g', static_cast<uint8_t>(pick(4)));
  return out;
}

Command CoreDriver::file_licence() {
  FileLicence out;
  out.officer = address(1001);
  out.licence = {"L" + std::to_string(pick(4)),
                 chance(50) ? "n/a" : "H100 SXM",
                 pick(40),
                 chance(50) ? "n/a" : "SG",
                 chance(50) ? Address{} : somebody(),
                 20270101 + pick(28),
                 random_(),
                 now_ms_ / 1000 + pick(20)};
  return out;
}

Command CoreDriver::policy(const Exchange& core) {
  const uint64_t what = pick(100);
  if (what < 45) return prove_facts();
  if (what < 85) return decide(core);
  if (what < 91) return list_party(core);
  if (what < 94) return file_licence();
  return what < 97 ? set_policy() : Command(Tick{});
}

Command CoreDriver::heartbeat(const Exchange& core) {
  Heartbeat out;
  out.heartbeat.provider = somebody();
  out.heartbeat.sequence = ++beats_;
  for (const Lease* lease : core.live_leases_of(out.heartbeat.provider)) {
    if (chance(10)) continue;
    eip712::LeaseStatus status;
    status.lease = lease->id;
    status.phase = static_cast<uint8_t>(std::min<uint64_t>(lease->phase + (chance(25) ? 1 : 0), 4));
    if (chance(2)) status.phase = 5;
    const uint64_t open_ms = lease->funded() ? now_ms_ - lease->opened_at.ms : 0;
    status.staged_ms = std::min<uint64_t>(open_ms, 1000 + pick(500));
    status.ran_ms = open_ms - std::min<uint64_t>(open_ms, 1000);
    if (chance(3)) status.ran_ms += pick(1'000'000);  // a lie
    if (chance(1)) status.ran_ms = ~uint64_t{0};
    status.exit_code = static_cast<int32_t>(pick(3));
    if (chance(50)) status.reason = "completed";
    out.heartbeat.leases.push_back(status);
  }
  return out;
}

const Lease* CoreDriver::some_lease(const Exchange& core, const std::vector<LeaseId>& live) {
  return live.empty() ? nullptr : core.find_lease(live[pick(live.size())]);
}

Command CoreDriver::voucher(const Exchange& core, const std::vector<LeaseId>& live) {
  auto due = core.due_vouchers();
  for (const LeaseId& id : live) {
    const Lease* lease = core.find_lease(id);
    if (lease->terms.meter == address(kOwnMeter) && lease->seconds_billed() != 0)
      due.push_back(lease);
  }
  if (due.empty()) return Tick{};
  const Lease* lease = due[pick(due.size())];
  const u128 a_second = lease->terms.rate * lease->units();
  PostVoucher out;
  out.voucher = {lease->id, a_second * lease->seconds_billed()};
  if (chance(10)) out.voucher.cumulative = a_second * pick(lease->seconds_billed() + 5);
  return out;
}

Command CoreDriver::finalize(const Exchange& core) {
  const auto closing = core.closing();
  if (closing.empty()) return Tick{};
  const Lease* lease = closing[pick(closing.size())];
  if (lease->final_charge == lease->vouchered || chance(3))
    return Finalize{lease->id, lease->final_charge, {}};
  return Finalize{lease->id, lease->final_charge, Signature{}};
}

Command CoreDriver::valid(const Exchange& core, const std::vector<LeaseId>& live) {
  const uint64_t what = pick(1000);
  const Lease* lease = some_lease(core, live);
  const LeaseId id = lease == nullptr ? LeaseId{} : lease->id;
  if (what < 25) {
    // At times more than an account can hold.
    const u128 amount = chance(3) ? ~u128{0} : u128{pick(300'000)};
    return Grant{{somebody(), amount, random_(), now_ms_ / 1000 + pick(100)}, {}};
  }
  if (what >= 45 && what < 75) return policy(core);
  if (what < 100) return place_ask();
  if (what < 120 && !asks_.empty()) return cancel_ask(core);
  if (what < 320) return place_bid();
  if (what < 340) return cancel_bids();
  if (what < 480 && lease != nullptr) {
    for (int i = 0; i < 4 && lease->state != LeaseState::matched; ++i)
      lease = some_lease(core, live);
    return Accept{lease->terms, {}};
  }
  if (what < 500 && lease != nullptr) return Reject{id, lease->terms.provider, "no_disk", ""};
  if (what < 740) return heartbeat(core);
  if (what < 820) return voucher(core, live);
  if (what < 890 && lease != nullptr) {
    for (int i = 0; i < 4 && lease->phase < 4; ++i) lease = some_lease(core, live);
    return Close{{lease->id, chance(90) ? 0 : pick(100'000)}, {}};
  }
  if (what < 905 && lease != nullptr) return RequestClose{{id, 1, now_ms_ / 1000 + pick(2), 0}, {}};
  if (what < 985) return finalize(core);
  if (what < 988) return Resume{};
  return Tick{};
}

/// Makes a command wrong, or strange, in one place.
void CoreDriver::spoil(Command& command) {
  const uint64_t what = pick(12);
  if (auto* bid = std::get_if<PlaceBid>(&command)) {
    if (what == 0) bid->bid.nodes = static_cast<uint32_t>(random_());
    if (what == 1) bid->bid.units_per_node = 0;
    if (what == 2) bid->bid.max_rate = ~u128{0};
    if (what == 3) bid->bid.max_seconds = random_();
    if (what == 4) bid->bid.grace = pick(5);
    if (what == 5) bid->bid.nonce = ~uint64_t{0} - pick(3);
    if (what == 6) bid->bid.buyer = address(pick(5000));
    if (what == 7) bid->spec.resize(pick(bid->spec.size()));
    if (what == 8) bid->bid.max_total = 0;
    if (what == 9) bid->bid.meter = somebody();
    if (what == 10) bid->bid.valid_until = ~uint64_t{0};
    if (what == 11) bid->bid.latest_start = pick(now_ms_ / 500);
  } else if (auto* ask = std::get_if<PlaceAsk>(&command)) {
    if (what == 0) ask->ask.nodes = static_cast<uint32_t>(random_());
    if (what == 1) ask->ask.min_units = static_cast<uint32_t>(random_());
    if (what == 2) ask->ask.rate = ~u128{0};
    if (what == 3) ask->ask.until = pick(now_ms_ / 500);
    if (what == 4) ask->ask.max_seconds = random_();
    if (what == 5) ask->attributes.resize(pick(ask->attributes.size()));
    if (what == 6) ask->ask.nonce = pick(ask_nonce_);
    if (what == 7) ask->ask.chip.clear();
    if (what == 8) ask->ask.provider = address(pick(5000));
    if (what == 9) ask->ask.until = ~uint64_t{0};
  } else if (auto* beat = std::get_if<Heartbeat>(&command)) {
    if (what < 4) beat->heartbeat.sequence = pick(beats_ + 1);
    for (eip712::LeaseStatus& status : beat->heartbeat.leases) {
      if (what == 5) status.phase = static_cast<uint8_t>(random_());
      if (what == 6) status.reason = "Not a code";
    }
  } else if (auto* voucher = std::get_if<PostVoucher>(&command)) {
    voucher->voucher.cumulative = what < 6 ? ~u128{0} : u128{pick(100'000)};
  } else if (auto* accept = std::get_if<Accept>(&command)) {
    accept->terms.rate += 1;
  } else if (auto* reject = std::get_if<Reject>(&command)) {
    reject->provider = somebody();
  } else if (auto* close = std::get_if<Close>(&command)) {
    close->close.min_paid = ~u128{0};
  } else if (auto* final_one = std::get_if<Finalize>(&command)) {
    final_one->lease.bytes[pick(32)] ^= 1;
  } else if (auto* cancel = std::get_if<CancelBids>(&command)) {
    cancel->cancel.word = random_() >> pick(64);
  } else if (auto* change = std::get_if<SetPolicy>(&command)) {
    change->options.resize(pick(change->options.size()));
  } else if (auto* proven = std::get_if<ProveFacts>(&command)) {
    if (what < 4) proven->facts.country.value.code = static_cast<uint16_t>(random_());
    if (what == 5) proven->facts.expires_at = pick(now_ms_ / 500);
    if (what == 6) proven->facts.lists.value.resize(pick(100));
  } else if (auto* listed = std::get_if<ListParty>(&command)) {
    listed->listing.effect = "ban";
  } else if (auto* licence = std::get_if<FileLicence>(&command)) {
    licence->licence.expires = random_();
  }
}

Sequenced CoreDriver::next(const Exchange& core, const std::vector<LeaseId>& live) {
  const UnixMs time = next_time(core);
  Sequenced out{core.last_sequence() + 1, time, {}, valid(core, live)};
  if (chance(6)) spoil(out.command);
  if (chance(4))
    out.idempotency = Idempotency{somebody(), "key-" + std::to_string(pick(200)),
                                  chance(80) ? Hash32{} : keccak256("other")};
  return out;
}

void CoreDriver::heard(const Sequenced& sequenced, const Outcome& outcome) {
  if (const auto* bid = std::get_if<PlaceBid>(&sequenced.command)) remember(bids_, *bid);
  if (!outcome.answer || outcome.answer->repeated) return;
  if (std::holds_alternative<PlaceAsk>(sequenced.command)) remember(asks_, outcome.answer->order);
}

}  // namespace mizan::test

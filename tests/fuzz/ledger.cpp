// The ledger against a plain model of balances and escrows.
#include "ledger/ledger.hpp"

#include "fuzz/fuzz.hpp"

using namespace mizan;
using namespace mizan::ledger;

namespace {

using fuzz::Choices;

constexpr size_t kParties = 3;
constexpr size_t kLeases = 4;

struct PlainAccount {
  u128 balance = 0, escrowed = 0, earned = 0, spent = 0;
};
struct PlainLease {
  EscrowTerms terms;
  size_t buyer = 0, provider = 0;
  u128 amount = 0, vouchered = 0;
  uint64_t opened = 0, stopped = 0;
};

struct Model {
  std::array<PlainAccount, kParties> accounts;
  std::array<std::optional<PlainLease>, kLeases> leases;
  u128 granted = 0, fees = 0;
};

Address party(size_t n) {
  Address out;
  out.bytes[19] = static_cast<uint8_t>(n + 1);
  return out;
}
LeaseId lease_id(size_t n) {
  LeaseId out;
  out.bytes[31] = static_cast<uint8_t>(n + 1);
  return out;
}

/// Small numbers, and those at the edges.
u128 amount(Choices& in) {
  switch (in.pick(6)) {
    case 0:
      return ~u128{0} - in.pick(4);
    case 1:
      return (u128{1} << 64) + in.pick(300);
    case 2:
      return u128{in.pick(65'536)} << 48;
    default:
      return in.pick(65'536);
  }
}
uint64_t moment(Choices& in) {
  return in.pick(8) == 0 ? ~uint64_t{0} - in.pick(4) : in.pick(1000);
}

bool times(u128& product, u128 a, u128 b, u128 c) {
  return !__builtin_mul_overflow(a, b, &product) && !__builtin_mul_overflow(product, c, &product);
}

/// floor(charged x bps / 10000), by long division of 192 bits in limbs of 64.
u128 plain_fee(u128 charged, uint16_t bps) {
  const u128 low = (charged & ~uint64_t{0}) * bps;
  const u128 high = (charged >> 64) * bps + (low >> 64);
  const u128 rest = (high % 10'000) << 64 | static_cast<uint64_t>(low);
  return (high / 10'000 << 64) + rest / 10'000;
}

u128 plain_bound(const PlainLease& lease, uint64_t now) {
  if (lease.opened == 0) return 0;
  u128 end = now;
  if (lease.stopped != 0) end = std::min<u128>(end, lease.stopped);
  end = std::min(end, u128{lease.terms.start} + lease.terms.seconds);
  const u128 begin = std::max(lease.opened, lease.terms.start);
  if (end <= begin) return 0;
  return std::min(lease.amount, lease.terms.rate.nano * lease.terms.units * (end - begin));
}

void lock(Choices& in, Ledger& ledger, Model& model, size_t n) {
  PlainLease lease;
  lease.buyer = in.pick(kParties);
  lease.provider = in.pick(kParties);
  EscrowTerms& terms = lease.terms;
  terms.buyer = party(lease.buyer);
  terms.provider = party(lease.provider);
  terms.rate = Rate{in.flag() ? in.pick(100) : amount(in)};
  terms.units = in.pick(8) == 0 ? moment(in) : in.pick(9);
  terms.seconds = in.flag() ? in.pick(100) : moment(in);
  terms.start = moment(in);
  terms.fee_bps = static_cast<uint16_t>(in.pick(10'001));
  PlainAccount& buyer = model.accounts[lease.buyer];
  const bool good = !model.leases[n] &&
                    times(lease.amount, terms.rate.nano, terms.units, terms.seconds) &&
                    lease.amount <= buyer.balance;
  const auto locked = ledger.lock(lease_id(n), terms);
  ensure(locked.has_value() == good, "both lock what the buyer can pay");
  if (!good) return;
  ensure(locked->nano == lease.amount, "the escrow is rate x units x seconds");
  buyer.balance -= lease.amount;
  buyer.escrowed += lease.amount;
  model.leases[n] = lease;
}

void settle(Ledger& ledger, Model& model, size_t n) {
  std::optional<PlainLease>& lease = model.leases[n];
  const auto settled = ledger.settle(lease_id(n));
  ensure(settled.has_value() == (lease && lease->opened != 0), "both settle what was opened");
  if (!settled) return;
  const u128 fee = plain_fee(lease->vouchered, lease->terms.fee_bps);
  ensure(settled->charged.nano == lease->vouchered && settled->fee.nano == fee &&
             settled->paid.nano == lease->vouchered - fee &&
             settled->refunded.nano == lease->amount - lease->vouchered,
         "a settlement is split alike");
  PlainAccount& buyer = model.accounts[lease->buyer];
  buyer.escrowed -= lease->amount;
  buyer.balance += lease->amount - lease->vouchered;
  buyer.spent += lease->vouchered;
  PlainAccount& provider = model.accounts[lease->provider];
  provider.balance += lease->vouchered - fee;
  provider.earned += lease->vouchered - fee;
  model.fees += fee;
  lease.reset();
}

void step(Choices& in, Ledger& ledger, Model& model) {
  const size_t n = in.pick(kLeases);
  std::optional<PlainLease>& lease = model.leases[n];
  switch (in.pick(8)) {
    case 0: {
      const size_t to = in.pick(kParties);
      const u128 more = amount(in);
      const bool fits = more <= ~u128{0} - model.granted;
      ensure(ledger.grant(party(to), Money{more}).has_value() == fits, "both grant what fits");
      if (!fits) break;
      model.granted += more;
      model.accounts[to].balance += more;
      break;
    }
    case 1:
    case 2:
      lock(in, ledger, model, n);
      break;
    case 3: {
      const uint64_t now = moment(in);
      const bool good = lease && lease->opened == 0 && now != 0;
      ensure(ledger.open(lease_id(n), now).has_value() == good, "both open once");
      if (good) lease->opened = now;
      break;
    }
    case 4: {
      const uint64_t now = moment(in);
      const bool good = lease && lease->opened != 0;
      ensure(ledger.stop(lease_id(n), now).has_value() == good, "both stop what is open");
      if (good && lease->stopped == 0) lease->stopped = std::max(now, lease->opened);
      break;
    }
    case 5: {
      const uint64_t now = moment(in);
      const u128 most = lease ? plain_bound(*lease, now) : 0;
      const auto bound = ledger.bound(lease_id(n), now);
      ensure(bound.has_value() == lease.has_value(), "both know their leases");
      if (lease) ensure(bound->nano == most, "both bound usage by time");
      u128 cumulative = most;
      if (in.flag()) cumulative = in.flag() ? most + 1 : amount(in);
      const bool good = lease && cumulative <= most && cumulative >= lease->vouchered;
      ensure(ledger.voucher(lease_id(n), Money{cumulative}, now).has_value() == good,
             "both take the same vouchers");
      if (good) lease->vouchered = cumulative;
      break;
    }
    case 6:
      settle(ledger, model, n);
      break;
    case 7: {
      const bool good = lease && lease->opened == 0;
      ensure(ledger.unlock(lease_id(n)).has_value() == good, "both unlock what never opened");
      if (!good) break;
      model.accounts[lease->buyer].escrowed -= lease->amount;
      model.accounts[lease->buyer].balance += lease->amount;
      lease.reset();
      break;
    }
  }
}

void compare(const Ledger& ledger, const Model& model) {
  ledger.check();
  ledger.recount();
  for (size_t n = 0; n < kParties; ++n) {
    const Account& mine = ledger.account(party(n));
    const PlainAccount& plain = model.accounts[n];
    ensure(mine.balance.nano == plain.balance && mine.escrowed.nano == plain.escrowed &&
               mine.earned.nano == plain.earned && mine.spent.nano == plain.spent,
           "both keep the same accounts");
  }
  for (size_t n = 0; n < kLeases; ++n)
    ensure((ledger.find(lease_id(n)) != nullptr) == model.leases[n].has_value(),
           "both keep the same escrows");
  ensure(ledger.totals().granted.nano == model.granted && ledger.totals().fees.nano == model.fees,
         "both keep the same totals");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Choices in({data, size});
  Ledger ledger;
  Model model;
  while (!in.empty()) {
    step(in, ledger, model);
    compare(ledger, model);
  }
  return 0;
}

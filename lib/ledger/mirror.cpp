#include "ledger/mirror.hpp"

#include <algorithm>

namespace mizan::ledger {
namespace {

constexpr u128 kMost = ~u128{0};

tl::unexpected<Error> contradiction(const std::string& what) {
  return fail(ErrorCode::corrupted, "the contract's events contradict each other: " + what);
}

u128 power_of_ten(unsigned n) {
  u128 power = 1;
  while (n-- > 0) power *= 10;
  return power;
}

/// What fits 128 bits in nano-USD too.
u128 most_units(uint8_t decimals) {
  return decimals < 9 ? kMost / power_of_ten(9U - decimals) : kMost;
}

template <class Key, class Value>
void put_back(std::map<Key, Value>& now, const std::map<Key, std::optional<Value>>& before) {
  for (const auto& [key, value] : before)
    if (value)
      now.insert_or_assign(key, *value);
    else
      now.erase(key);
}

template <class Key, class Value>
std::set<Key> keys_of(const std::map<Key, Value>& map) {
  std::set<Key> keys;
  for (const auto& [key, value] : map) keys.insert(keys.end(), key);
  return keys;
}

}  // namespace

Mirror::Mirror(const Place& first, const Address& fee_to, const Address& clearance_key,
               uint8_t decimals)
    : fee_to_(fee_to), decimals_(decimals), base_(first) {
  sums_.clearance_key = clearance_key;
}

Result<void> Mirror::begin(const Place& to) {
  if (to.number <= last().number)
    return fail(ErrorCode::conflict,
                "block " + std::to_string(to.number) + " is not after the last one that was seen");
  steps_.push_back({to, sums_, {}, {}});
  return {};
}

ChainAccount& Mirror::touch(const Address& owner) {
  const auto it = accounts_.find(owner);
  steps_.back().accounts.try_emplace(
      owner, it == accounts_.end() ? std::nullopt : std::optional(it->second));
  return it == accounts_.end() ? accounts_[owner] : it->second;
}

ChainLease& Mirror::touch(const LeaseId& lease) {
  const auto it = leases_.find(lease);
  steps_.back().leases.try_emplace(lease,
                                   it == leases_.end() ? std::nullopt : std::optional(it->second));
  return it == leases_.end() ? leases_[lease] : it->second;
}

void Mirror::give(const Address& owner, u128 amount) {
  if (amount == 0) return;
  touch(owner).balance += amount;
  sums_.balances += amount;
}

/// What goes out, or into escrow, is there.
Result<void> Mirror::check_there(u128 amount) const {
  if (amount <= sums_.deposited - sums_.withdrawn - sums_.escrow) return {};
  return contradiction("more is withdrawn or locked than there is");
}

/// Out of a balance. What the balance lacks came from leases that nobody here knows, or never was.
Result<void> Mirror::take(const Address& owner, u128 amount) {
  const u128 here = std::min(amount, balance(owner));
  if (amount - here > sums_.astray_in)
    return contradiction(hex0x(owner.view()) + " spends more than it has");
  if (amount == 0) return {};
  sums_.astray_in -= amount - here;
  touch(owner).balance -= here;
  sums_.balances -= here;
  return {};
}

Result<void> Mirror::deposit(const Address& owner, u128 amount) {
  // All other sums are parts of this one: none of them can wrap, nor in nano-USD.
  u128 sum = 0;
  if (__builtin_add_overflow(sums_.deposited, amount, &sum) || sum > most_units(decimals_))
    return fail(ErrorCode::overflow, "the contract holds more than amounts here can be");
  sums_.deposited = sum;
  give(owner, amount);
  return {};
}

Result<void> Mirror::withdraw(const Address& owner, u128 amount) {
  MIZAN_CHECK(check_there(amount));
  MIZAN_CHECK(take(owner, amount));
  sums_.withdrawn += amount;
  return {};
}

Result<void> Mirror::move(const Address& from, const Address& to, u128 amount) {
  MIZAN_CHECK(take(from, amount));
  give(to, amount);
  return {};
}

Result<void> Mirror::open(const LeaseId& id, const std::optional<Parties>& parties, u128 escrow,
                          uint64_t time) {
  if (leases_.contains(id)) return contradiction("lease " + hex0x(id.view()) + " opens twice");
  if (time == 0) return contradiction("a lease opens at time 0");
  MIZAN_CHECK(check_there(escrow));
  if (parties)
    MIZAN_CHECK(take(parties->buyer, escrow));
  else
    sums_.astray_out += escrow;
  sums_.escrow += escrow;
  ChainLease& lease = touch(id);
  lease.parties = parties;
  lease.opened = time;
  lease.escrow = escrow;
  return {};
}

Result<ChainLease*> Mirror::find_open(const LeaseId& id) {
  const auto it = leases_.find(id);
  if (it == leases_.end() || it->second.closed)
    return contradiction("lease " + hex0x(id.view()) + " is not open");
  return &touch(id);
}

Result<void> Mirror::pay(const LeaseId& id, u128 amount, u128 fee, u128 refunded) {
  MIZAN_TRY(lease, find_open(id));
  u128 sum = 0;
  if (__builtin_add_overflow(amount, refunded, &sum) || sum > lease->held() || fee > amount)
    return contradiction("lease " + hex0x(id.view()) + " gives out what it does not hold");
  const Money before{lease->paid - lease->fee};
  lease->paid += amount;
  lease->fee += fee;
  lease->refunded += refunded;
  sums_.escrow -= sum;
  sums_.fees += fee;
  give(fee_to_, fee);
  if (!lease->parties) {
    sums_.astray_in += sum - fee;
    return {};
  }
  const auto earn = [this](const Address& who, u128 units) {
    give(who, units);
    if (units != 0) touch(who).earned += units;
  };
  // Each share is a part of all that was paid, in however many claims it comes.
  const std::vector<Payee>& payees = lease->parties->payees;
  const std::vector<Money> had = shares_of(before, payees);
  const std::vector<Money> has = shares_of(Money{lease->paid - lease->fee}, payees);
  if (payees.empty()) earn(lease->parties->provider, amount - fee);
  for (size_t i = 0; i < payees.size(); ++i) earn(payees[i].to, (has[i] - had[i]).nano);
  give(lease->parties->buyer, refunded);
  if (amount != 0) touch(lease->parties->buyer).spent += amount;
  return {};
}

Result<void> Mirror::claim(const LeaseId& lease, u128 amount, u128 fee) {
  return pay(lease, amount, fee, 0);
}

Result<void> Mirror::stop(const LeaseId& id, uint64_t time, u128 refunded) {
  MIZAN_CHECK(pay(id, 0, 0, refunded));
  MIZAN_TRY(lease, find_open(id));
  if (lease->stopped == 0) lease->stopped = time;
  return {};
}

Result<void> Mirror::close(const LeaseId& id, u128 amount, u128 fee, u128 refunded) {
  MIZAN_CHECK(pay(id, amount, fee, refunded));
  MIZAN_TRY(lease, find_open(id));
  if (lease->held() != 0)
    return contradiction("lease " + hex0x(id.view()) + " closes with something left");
  lease->closed = true;
  return {};
}

void Mirror::undo_last() {
  const Step& step = steps_.back();
  sums_ = step.sums;
  put_back(accounts_, step.accounts);
  put_back(leases_, step.leases);
  steps_.pop_back();
}

void Mirror::abandon() {
  ensure(!steps_.empty(), "a step was begun");
  undo_last();
}

Mirror::Touched Mirror::end() {
  Touched touched{keys_of(steps_.back().leases), keys_of(steps_.back().accounts)};
  if (steps_.size() > kMostPlaces) {
    base_ = steps_.front().place;
    steps_.erase(steps_.begin());
  }
  return touched;
}

Result<Mirror::Touched> Mirror::take_back(const Place& place) {
  const auto known = [&place](const Step& step) { return step.place == place; };
  if (place != base_ && std::none_of(steps_.begin(), steps_.end(), known))
    return fail(ErrorCode::not_found,
                "block " + std::to_string(place.number) + " is none that is remembered");
  Touched all;
  while (last() != place) {
    all.leases.merge(keys_of(steps_.back().leases));
    all.accounts.merge(keys_of(steps_.back().accounts));
    undo_last();
  }
  return all;
}

void Mirror::forget(const LeaseId& lease) {
  const auto it = leases_.find(lease);
  if (it != leases_.end() && it->second.closed) leases_.erase(it);
}

u128 Mirror::balance(const Address& owner) const {
  return account(owner).balance;
}

const ChainAccount& Mirror::account(const Address& owner) const {
  static const ChainAccount nobody;
  const auto it = accounts_.find(owner);
  return it == accounts_.end() ? nobody : it->second;
}

const ChainLease* Mirror::find(const LeaseId& lease) const {
  const auto it = leases_.find(lease);
  return it == leases_.end() ? nullptr : &it->second;
}

Money Mirror::money(u128 units) const {
  if (decimals_ >= 9) return {units / power_of_ten(decimals_ - 9U)};
  return {units * power_of_ten(9U - decimals_)};
}

u128 Mirror::units(Money money) const {
  if (decimals_ < 9) return money.nano / power_of_ten(9U - decimals_);
  u128 out = 0;
  return __builtin_mul_overflow(money.nano, power_of_ten(decimals_ - 9U), &out) ? kMost : out;
}

std::vector<Place> Mirror::places() const {
  std::vector<Place> out;
  for (const Step& step : steps_) out.push_back(step.place);
  return out;
}

bool Mirror::conserves() const {
  return sums_.deposited + sums_.astray_out ==
         sums_.withdrawn + sums_.balances + sums_.escrow + sums_.astray_in;
}

Result<void> Mirror::audit() const {
  const auto wrong = [](const char* what) { return fail(ErrorCode::corrupted, what); };
  const auto put = [](u128& sum, u128 amount) {
    return !__builtin_add_overflow(sum, amount, &sum);
  };
  u128 balances = 0;
  for (const auto& [owner, account] : accounts_)
    if (!put(balances, account.balance)) return wrong("the chain's balances are too large");
  u128 escrow = 0;
  for (const auto& [id, lease] : leases_) {
    u128 out = 0;
    if (!put(out, lease.paid) || !put(out, lease.refunded) || out > lease.escrow ||
        lease.fee > lease.paid || lease.opened == 0 || (lease.closed && lease.held() != 0) ||
        !put(escrow, lease.held()))
      return wrong("a lease on the chain gives out what it holds, and no more");
  }
  if (balances != sums_.balances || escrow != sums_.escrow)
    return wrong("the chain's sums are those of its accounts and leases");
  u128 in = sums_.deposited;
  u128 out = sums_.withdrawn;
  if (!put(in, sums_.astray_out) || !put(out, balances) || !put(out, escrow) ||
      !put(out, sums_.astray_in) || in != out)
    return wrong("deposited = withdrawn + balances + escrow");
  if (decimals_ < 6 || decimals_ > 18 || sums_.deposited > most_units(decimals_))
    return wrong("the token's decimals");
  uint64_t number = base_.number;
  for (const Step& step : steps_) {
    if (step.place.number <= number) return wrong("the chain's places rise");
    number = step.place.number;
  }
  if (steps_.size() > kMostPlaces) return wrong("too many places of the chain");
  return {};
}

}  // namespace mizan::ledger

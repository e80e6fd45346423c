#include "settlement/escrow_book.hpp"

namespace mizan::settlement {

struct EscrowBook::Adder {
  EscrowBook& book;

  static tl::unexpected<Error> contradiction(const std::string& what) {
    return fail(ErrorCode::corrupted, "the events contradict each other: " + what);
  }
  Result<void> release(const LeaseId& lease, u128 amount, bool last) const {
    const auto it = book.leases_.find(lease);
    if (it == book.leases_.end())
      return contradiction("lease " + hex0x(lease.view()) + " is not open");
    if (amount > it->second || (last && amount != it->second))
      return contradiction("lease " + hex0x(lease.view()) + " gives out what it does not hold");
    it->second -= amount;
    book.escrow_ -= amount;
    if (last) book.leases_.erase(it);
    return {};
  }

  Result<void> operator()(const Deposited& event) const {
    MIZAN_TRY(sum, checked_add(book.deposited_, event.amount));
    book.deposited_ = sum;
    book.owners_.insert(event.owner);
    return {};
  }
  Result<void> operator()(const Withdrawn& event) const {
    if (event.amount > book.balances()) return contradiction("more is withdrawn than there is");
    book.withdrawn_ += event.amount;
    book.owners_.insert(event.owner);
    return {};
  }
  Result<void> operator()(const Opened& event) const {
    if (event.escrow > book.balances()) return contradiction("more is locked than there is");
    if (!book.leases_.emplace(event.lease, event.escrow).second)
      return contradiction("lease " + hex0x(event.lease.view()) + " opens twice");
    book.escrow_ += event.escrow;
    return {};
  }
  Result<void> operator()(const Claimed& event) const {
    MIZAN_CHECK(release(event.lease, event.amount, false));
    book.fees_ += event.fee;
    return {};
  }
  Result<void> operator()(const CloseRequested& event) const {
    return release(event.lease, event.refunded, false);
  }
  Result<void> operator()(const Closed& event) const {
    MIZAN_TRY(amount, checked_add(event.amount, event.refunded));
    MIZAN_CHECK(release(event.lease, amount, true));
    book.fees_ += event.fee;
    return {};
  }
  /// The others move nothing, or move from balance to balance.
  template <class Other>
  Result<void> operator()(const Other&) const {
    return {};
  }
};

Result<void> EscrowBook::add(const EscrowEvent& event) {
  return std::visit(Adder{*this}, event);
}

}  // namespace mizan::settlement

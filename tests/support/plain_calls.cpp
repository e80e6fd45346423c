#include "support/plain_calls.hpp"

#include "crypto/hash.hpp"
#include "crypto/payees_hash.hpp"
#include "settlement/escrow_calls.hpp"

#include <algorithm>
#include <functional>

namespace mizan::test {
namespace {

using settlement::AbiReader;
using settlement::AbiTuple;
using settlement::Selector;
using Kind = Sent::Kind;

constexpr size_t kWord = 32;

tl::unexpected<Error> reverts(std::string name) {
  return fail(ErrorCode::conflict, std::move(name));
}

void read(AbiReader& in, Address& out) {
  out = in.address();
}
void read(AbiReader& in, Hash32& out) {
  out = in.hash();
}
void read(AbiReader& in, u128& out) {
  out = in.number();
}
void read(AbiReader& in, bool& out) {
  out = in.flag();
}
template <std::unsigned_integral T>
void read(AbiReader& in, T& out) {
  out = static_cast<T>(in.number64());
}

/// A struct whose fields are words.
template <HasFields T>
T words(AbiReader& in) {
  T out;
  T::visit_fields(out, [&in](const char*, auto& field) { read(in, field); });
  return out;
}

/// The head of a tuple in order, and the members whose size varies at the offsets it tells.
class Tuple {
 public:
  Tuple(ByteView bytes, size_t head)
      : bytes_(bytes), in(bytes.first(std::min(bytes.size(), head * kWord))) {}

  ByteView tail() {
    const uint64_t at = in.number64();
    return at > bytes_.size() ? ByteView{} : bytes_.subspan(static_cast<size_t>(at));
  }
  std::optional<Signature> signature() {
    const ByteView at = tail();
    AbiReader length(at.first(std::min(at.size(), kWord)));
    Signature out;
    if (length.number64() != out.bytes.size() || at.size() < kWord + out.bytes.size()) return {};
    std::copy_n(at.begin() + kWord, out.bytes.size(), out.bytes.begin());
    return out;
  }
  std::vector<Payee> payees() {
    AbiReader at(tail());
    std::vector<Payee> out(static_cast<size_t>(std::min<uint64_t>(at.number64(), kMostPayees)));
    for (Payee& payee : out) payee = words<Payee>(at);
    return out;
  }
  Result<void> finish() const { return in.finish() ? Result<void>{} : reverts("calldata"); }

 private:
  ByteView bytes_;

 public:
  AbiReader in;
};

struct Caller {
  const eip712::Domain& domain;
  Address clearance_key;
  Address sender;

  LeaseId id(const eip712::Terms& terms) const { return eip712::digest(domain, terms); }
  template <class Message>
  bool signs(const Address& owner, const Message& message,
             const std::optional<Signature>& signature) const {
    return signature && eip712::check_signer(domain, message, *signature, owner).has_value();
  }
};

Result<Sent> read_open(const Caller& caller, ByteView arguments) {
  Tuple in(arguments, 38);
  Sent out{Kind::open, {}, 0, {}};
  out.terms = words<eip712::Terms>(in.in);
  out.bid = words<eip712::Bid>(in.in);
  const auto terms_signature = in.signature();
  const auto bid_signature = in.signature();
  eip712::Clearance clearance;
  clearance.verdict = in.in.hash();
  clearance.rule_set = in.in.hash();
  clearance.valid_until = in.in.number64();
  const auto clearance_signature = in.signature();
  MIZAN_CHECK(in.finish());
  if (!out.terms.group.is_zero()) return reverts("GroupNeedsBatch");
  out.lease = clearance.lease = caller.id(out.terms);
  out.good_until = clearance.valid_until;
  if (!caller.signs(caller.clearance_key, clearance, clearance_signature))
    return reverts("NotCleared");
  if (caller.sender != out.terms.provider &&
      !caller.signs(out.terms.provider, out.terms, terms_signature))
    return reverts("TermsNotSigned");
  if (!caller.signs(out.terms.buyer, out.bid, bid_signature)) return reverts("BidNotSigned");
  return out;
}

Result<Sent> read_claim(const Caller& caller, ByteView arguments) {
  Tuple in(arguments, 19);
  const auto terms = words<eip712::Terms>(in.in);
  Sent out{Kind::claim, {}, in.in.number(), caller.id(terms)};
  const auto voucher = in.signature();
  out.payees = in.payees();
  MIZAN_CHECK(in.finish());
  if (!caller.signs(terms.meter, eip712::Voucher{out.lease, out.amount}, voucher))
    return reverts("VoucherNotSigned");
  if (payees_hash(out.payees) != terms.payees_hash) return reverts("WrongPayees");
  return out;
}

Result<Sent> read_close(const Caller& caller, ByteView arguments) {
  Tuple whole(arguments, 1);
  Tuple in(whole.tail(), 21);
  MIZAN_CHECK(whole.finish());
  const auto terms = words<eip712::Terms>(in.in);
  Sent out{Kind::close, {}, in.in.number(), caller.id(terms)};
  out.min_paid = in.in.number();
  const auto voucher = in.signature();
  const auto close = in.signature();
  out.payees = in.payees();
  MIZAN_CHECK(in.finish());
  if (caller.sender != terms.provider &&
      !caller.signs(terms.provider, eip712::Close{out.lease, out.min_paid}, close))
    return reverts("CloseNotSigned");
  if (!voucher)
    out.amount = 0;
  else if (!caller.signs(terms.meter, eip712::Voucher{out.lease, out.amount}, voucher))
    return reverts("VoucherNotSigned");
  if (payees_hash(out.payees) != terms.payees_hash) return reverts("WrongPayees");
  return out;
}

Result<Sent> read_request_close_for(const Caller& caller, ByteView arguments) {
  Tuple in(arguments, 21);
  const auto terms = words<eip712::Terms>(in.in);
  Sent out{Kind::stop, terms.buyer, 0, caller.id(terms)};
  eip712::RequestClose message{out.lease, in.in.number64(), in.in.number64(), in.in.number()};
  const auto signature = in.signature();
  if (in.in.number() != 0) return reverts("RelayFeeTooHigh");  // nobody takes one here
  MIZAN_CHECK(in.finish());
  out.nonce = message.nonce;
  out.good_until = message.deadline;
  if (!caller.signs(terms.buyer, message, signature)) return reverts("BadSignature");
  return out;
}

Result<Sent> read_finalize_close(const Caller& caller, ByteView arguments) {
  Tuple in(arguments, 16);
  const auto terms = words<eip712::Terms>(in.in);
  MIZAN_CHECK(in.finish());
  return Sent{Kind::finalize, {}, 0, caller.id(terms)};
}

using Reader = Result<Sent> (*)(const Caller&, ByteView);

/// By the selectors that lib/settlement writes.
const std::map<Selector, Reader>& readers() {
  static const std::map<Selector, Reader> known = [] {
    std::map<Selector, Reader> out;
    const auto add = [&out](const Bytes& call, Reader reader) {
      out[{call[0], call[1], call[2], call[3]}] = reader;
    };
    namespace escrow = settlement::escrow;
    add(escrow::open({}, {}, {}), read_open);
    add(escrow::claim({}, 0, {}, {}), read_claim);
    add(escrow::close({}), read_close);
    add(escrow::request_close_for({}, {}, {}, 0), read_request_close_for);
    add(escrow::finalize_close({}), read_finalize_close);
    return out;
  }();
  return known;
}

}  // namespace

Result<Sent> read_call(const eip712::Domain& domain, const Address& clearance_key,
                       const Address& sender, ByteView data) {
  if (data.size() < 4) return reverts("calldata");
  const auto reader = readers().find({data[0], data[1], data[2], data[3]});
  if (reader == readers().end()) return reverts("selector");
  return reader->second({domain, clearance_key, sender}, data.subspan(4));
}

settlement::Log log_of(const exchange::ChainFact& fact) {
  settlement::Log log;
  const auto write = [&log](std::string_view name, const AbiTuple& topics, const AbiTuple& data) {
    log.topics = {keccak256(name)};
    const Bytes words = topics.encode();
    for (size_t at = 0; at < words.size(); at += kWord) {
      std::copy_n(words.begin() + static_cast<ptrdiff_t>(at), kWord,
                  log.topics.emplace_back().bytes.begin());
    }
    log.data = data.encode();
  };
  const auto topics = [](const auto&... each) {
    AbiTuple out;
    (out.word(each), ...);
    return out;
  };
  const auto data = topics;
  struct Writer {
    const decltype(write)& tell;
    const decltype(topics)& of;
    void operator()(const chain::Deposited& e) const {
      tell("Deposited(address,uint256)", of(e.owner), of(e.amount));
    }
    void operator()(const chain::Withdrawn& e) const {
      tell("Withdrawn(address,address,uint256)", of(e.owner, e.to), of(e.amount));
    }
    void operator()(const chain::RelayPaid& e) const {
      tell("RelayPaid(address,address,uint256)", of(e.owner, e.relayer), of(e.amount));
    }
    void operator()(const chain::Opened& e) const {
      tell("Opened(bytes32,uint256)", of(e.lease), of(e.escrow));
    }
    void operator()(const chain::Claimed& e) const {
      tell("Claimed(bytes32,uint256,uint256)", of(e.lease), of(e.amount, e.fee));
    }
    void operator()(const chain::CloseRequested& e) const {
      tell("CloseRequested(bytes32,uint256,uint256)", of(e.lease), of(e.stop, e.refunded));
    }
    void operator()(const chain::Closed& e) const {
      tell("Closed(bytes32,uint256,uint256,uint256)", of(e.lease), of(e.amount, e.fee, e.refunded));
    }
    void operator()(const chain::BidsCancelled& e) const {
      tell("BidsCancelled(address,uint64,uint256)", of(e.owner), of(e.word, e.mask));
    }
    void operator()(const chain::Paused& e) const { tell("Paused(bool)", {}, of(u128{e.paused})); }
    void operator()(const chain::ClearanceKeyIs& e) const {
      tell("ClearanceKeyChanged(address)", of(e.key), {});
    }
  };
  std::visit(Writer{write, data}, fact);
  return log;
}

}  // namespace mizan::test

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

  ByteView tail() { return from(bytes_, in.number64()); }
  /// Those of an array of elements whose size varies, each with what is behind it.
  std::vector<ByteView> elements() {
    const ByteView all = tail();
    AbiReader length(all.first(std::min(all.size(), kWord)));
    const ByteView rest = from(all, kWord);
    const uint64_t count = std::min<uint64_t>(length.number64(), rest.size() / kWord);
    AbiReader offsets(rest.first(static_cast<size_t>(count) * kWord));
    std::vector<ByteView> out;
    for (uint64_t i = 0; i < count; ++i) out.push_back(from(rest, offsets.number64()));
    return out;
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
  static ByteView from(ByteView bytes, uint64_t at) {
    return at > bytes.size() ? ByteView{} : bytes.subspan(static_cast<size_t>(at));
  }
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

/// The exchange has no groups.
Result<Sent> read_open_item(const Caller& caller, ByteView item, uint64_t good_until) {
  Tuple in(item, 34);
  Sent out{Kind::open, {}, 0, {}};
  out.terms = words<eip712::Terms>(in.in);
  out.bid = words<eip712::Bid>(in.in);
  const auto terms_signature = in.signature();
  const auto bid_signature = in.signature();
  MIZAN_CHECK(in.finish());
  out.lease = caller.id(out.terms);
  out.good_until = good_until;
  if (!out.terms.group.is_zero()) return reverts("GroupIncomplete");
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

Result<Sent> read_close_item(const Caller& caller, ByteView item) {
  Tuple in(item, 21);
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

Result<Sent> read_close(const Caller& caller, ByteView arguments) {
  Tuple in(arguments, 1);
  const ByteView item = in.tail();
  MIZAN_CHECK(in.finish());
  return read_close_item(caller, item);
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

LeaseId id_of_item(const Caller& caller, ByteView item) {
  AbiReader in(item.first(std::min(item.size(), 16 * kWord)));
  return caller.id(words<eip712::Terms>(in));
}

settlement::Log skipped(const LeaseId& lease, const Selector& reason) {
  Hash32 word;
  std::copy(reason.begin(), reason.end(), word.bytes.begin());
  settlement::Log log;
  log.topics = {keccak256("Skipped(bytes32,bytes4)"), lease};
  log.data = AbiTuple().word(word).encode();
  return log;
}

/// Each item by itself: one that fails is skipped.
Ran run_items(PlainContract& contract, const Caller& caller, const std::vector<ByteView>& items,
              uint64_t now, const std::function<Result<Sent>(ByteView)>& read_item) {
  Ran out;
  std::vector<Bytes> faults;
  for (const ByteView item : items) {
    const auto facts =
        read_item(item).and_then([&](const Sent& sent) { return contract.run(sent, now); });
    Hash32 fault;
    if (facts) {
      for (const exchange::ChainFact& fact : *facts) out.logs.push_back(log_of(fact));
    } else {
      const Selector reason = settlement::selector(facts.error().message + "()");
      std::copy(reason.begin(), reason.end(), fault.bytes.begin());
      out.logs.push_back(skipped(id_of_item(caller, item), reason));
    }
    faults.push_back(AbiTuple().word(fault).encode());
  }
  out.answer = AbiTuple().tail(settlement::abi_static_array(faults)).encode();
  return out;
}

/// Of the calls of an exchange, those with one clearance for all.
Result<Ran> run_open_many(PlainContract& contract, const Caller& caller, ByteView arguments,
                          uint64_t now) {
  Tuple in(arguments, 3);
  const std::vector<ByteView> items = in.elements();
  if (!in.elements().empty()) return reverts("NotCleared");
  Tuple batch(in.tail(), 3);
  MIZAN_CHECK(in.finish());
  eip712::ClearanceBatch clearance;
  for (const ByteView item : items) clearance.leases.push_back(id_of_item(caller, item));
  clearance.rule_set = batch.in.hash();
  clearance.valid_until = batch.in.number64();
  const auto signature = batch.signature();
  MIZAN_CHECK(batch.finish());
  if (now > clearance.valid_until) return reverts("ClearanceExpired");
  if (!caller.signs(caller.clearance_key, clearance, signature)) return reverts("NotCleared");
  return run_items(contract, caller, items, now, [&](ByteView item) {
    return read_open_item(caller, item, clearance.valid_until);
  });
}

Result<Ran> run_close_many(PlainContract& contract, const Caller& caller, ByteView arguments,
                           uint64_t now) {
  Tuple in(arguments, 1);
  const std::vector<ByteView> items = in.elements();
  MIZAN_CHECK(in.finish());
  return run_items(contract, caller, items, now,
                   [&](ByteView item) { return read_close_item(caller, item); });
}

Selector selector_of(ByteView call) {
  return {call[0], call[1], call[2], call[3]};
}

}  // namespace

Result<Sent> read_call(const eip712::Domain& domain, const Address& clearance_key,
                       const Address& sender, ByteView data) {
  if (data.size() < 4) return reverts("calldata");
  const auto reader = readers().find(selector_of(data));
  if (reader == readers().end()) return reverts("selector");
  return reader->second({domain, clearance_key, sender}, data.subspan(4));
}

Result<Ran> run_call(PlainContract& contract, const eip712::Domain& domain,
                     const Address& clearance_key, const Address& sender, ByteView data,
                     uint64_t now) {
  if (data.size() < 4) return reverts("calldata");
  namespace escrow = settlement::escrow;
  static const Selector open_many = selector_of(escrow::open_many({}, {}, {}));
  static const Selector close_many = selector_of(escrow::close_many({}));
  const Caller caller{domain, clearance_key, sender};
  const Selector called = selector_of(data);
  const ByteView arguments = data.subspan(4);
  if (called == open_many) return run_open_many(contract, caller, arguments, now);
  if (called == close_many) return run_close_many(contract, caller, arguments, now);
  MIZAN_TRY(sent, read_call(domain, clearance_key, sender, data));
  MIZAN_TRY(facts, contract.run(sent, now));
  Ran out;
  for (const exchange::ChainFact& fact : facts) out.logs.push_back(log_of(fact));
  return out;
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

#include "settlement/escrow_calls.hpp"

#include "crypto/eip712.hpp"
#include "crypto/hash.hpp"

namespace mizan::settlement {
namespace {

// Structs as the selectors spell them.
#define MIZAN_TERMS                                                                   \
  "(address,address,address,uint256,uint256,uint256,uint256,uint256,uint256,uint256," \
  "uint256,uint256,bytes32,bytes32,bytes32,bytes32)"
#define MIZAN_BID                                                                       \
  "(address,address,uint256,uint256,uint256,uint256,uint256,uint256,uint256,bool,bool," \
  "uint256,uint256,uint256,bytes32,uint256)"
#define MIZAN_PAYEES "(address,uint16)[]"
#define MIZAN_CLEARANCE "(bytes32,bytes32,uint64)"
#define MIZAN_OPEN_ITEM "(" MIZAN_TERMS "," MIZAN_BID ",bytes,bytes)"
#define MIZAN_CLOSE_ITEM "(" MIZAN_TERMS ",uint128,uint128,bytes,bytes," MIZAN_PAYEES ")"

Bytes bytes_of(const Signature& signature) {
  return abi_bytes(signature.view());
}

Bytes bytes_of(const std::optional<Signature>& signature) {
  return signature ? bytes_of(*signature) : abi_bytes({});
}

std::vector<Bytes> elements(const std::vector<Payee>& payees) {
  std::vector<Bytes> out;
  out.reserve(payees.size());
  for (const Payee& payee : payees) out.push_back(AbiTuple().words(payee).encode());
  return out;
}

Bytes encode(const OpenItem& item) {
  return AbiTuple()
      .words(item.terms)
      .words(item.bid)
      .tail(bytes_of(item.terms_signature))
      .tail(bytes_of(item.bid_signature))
      .encode();
}

Bytes encode(const CloseItem& item) {
  return AbiTuple()
      .words(item.terms)
      .word(item.cumulative)
      .word(item.min_paid)
      .tail(bytes_of(item.voucher_signature))
      .tail(bytes_of(item.close_signature))
      .tail(abi_static_array(elements(item.payees)))
      .encode();
}

template <class Item>
std::vector<Bytes> encode_all(const std::vector<Item>& items) {
  std::vector<Bytes> out;
  out.reserve(items.size());
  for (const Item& item : items) out.push_back(encode(item));
  return out;
}

/// As three words: v, r, s.
AbiTuple& add_parts(AbiTuple& tuple, const Signature& signature) {
  Hash32 r;
  Hash32 s;
  std::copy_n(signature.bytes.begin(), 32, r.bytes.begin());
  std::copy_n(signature.bytes.begin() + 32, 32, s.bytes.begin());
  return tuple.word(signature.bytes[64]).word(r).word(s);
}

Bytes plain(std::string_view signature) {
  return AbiTuple().call(selector(signature));
}

}  // namespace

namespace escrow {

Bytes create(ByteView code, const Address& token, const Address& fee_to, const Address& guardian,
             const Address& clearance_key, uint64_t close_delay_seconds) {
  Bytes out(code.begin(), code.end());
  append(out, AbiTuple()
                  .word(token)
                  .word(fee_to)
                  .word(guardian)
                  .word(clearance_key)
                  .word(close_delay_seconds)
                  .encode());
  return out;
}

Bytes deposit(u128 units) {
  return AbiTuple().word(units).call(selector("deposit(uint256)"));
}

Bytes deposit_with_permit(const eip712::Deposit& message, const Signature& signature,
                          const Signature& permit) {
  AbiTuple tuple;
  tuple.words(message).tail(bytes_of(signature));
  return add_parts(tuple, permit)
      .call(
          selector("depositWithPermit(address,uint128,uint64,uint64,bytes,uint8,bytes32,bytes32)"));
}

/// `to` is not sent: it is the contract.
Bytes deposit_with_authorization(const Authorization& message, const Signature& signature) {
  AbiTuple tuple;
  tuple.word(message.from)
      .word(message.value)
      .word(message.valid_after)
      .word(message.valid_before)
      .word(message.nonce);
  return add_parts(tuple, signature)
      .call(selector("depositWithAuthorization(address,uint256,uint256,uint256,bytes32,uint8,"
                     "bytes32,bytes32)"));
}

Bytes withdraw(u128 units, const Address& to) {
  return AbiTuple().word(units).word(to).call(selector("withdraw(uint256,address)"));
}

Bytes withdraw_for(const eip712::Withdraw& message, const Signature& signature,
                   u128 relay_fee_units) {
  return AbiTuple()
      .words(message)
      .tail(bytes_of(signature))
      .word(relay_fee_units)
      .call(selector("withdrawFor(address,uint128,uint64,uint64,uint128,bytes,uint256)"));
}

Bytes open(const OpenItem& item, const eip712::Clearance& clearance, const Signature& signature) {
  return AbiTuple()
      .words(item.terms)
      .words(item.bid)
      .tail(bytes_of(item.terms_signature))
      .tail(bytes_of(item.bid_signature))
      .word(clearance.verdict)
      .word(clearance.rule_set)
      .word(clearance.valid_until)
      .tail(bytes_of(signature))
      .call(selector("open(" MIZAN_TERMS "," MIZAN_BID ",bytes,bytes," MIZAN_CLEARANCE ",bytes)"));
}

Bytes open_many(const std::vector<OpenItem>& items, const eip712::ClearanceBatch& clearance,
                const Signature& signature) {
  return AbiTuple()
      .tail(abi_array(encode_all(items)))
      .tail(abi_array({}))
      .tail(AbiTuple()
                .word(clearance.rule_set)
                .word(clearance.valid_until)
                .tail(bytes_of(signature))
                .encode())
      .call(selector("openMany(" MIZAN_OPEN_ITEM "[],(" MIZAN_CLEARANCE
                     ",bytes)[],(bytes32,uint64,bytes))"));
}

Bytes claim(const eip712::Terms& terms, u128 cumulative, const Signature& voucher,
            const std::vector<Payee>& payees) {
  return AbiTuple()
      .words(terms)
      .word(cumulative)
      .tail(bytes_of(voucher))
      .tail(abi_static_array(elements(payees)))
      .call(selector("claim(" MIZAN_TERMS ",uint128,bytes," MIZAN_PAYEES ")"));
}

Bytes close(const CloseItem& item) {
  return AbiTuple().tail(encode(item)).call(selector("close(" MIZAN_CLOSE_ITEM ")"));
}

Bytes close_many(const std::vector<CloseItem>& items) {
  return AbiTuple()
      .tail(abi_array(encode_all(items)))
      .call(selector("closeMany(" MIZAN_CLOSE_ITEM "[])"));
}

Result<std::vector<Selector>> faults_of(ByteView answer, size_t items) {
  AbiReader in(answer);
  const bool begins = in.number64() == 32 && in.number64() == items;
  std::vector<Selector> faults;
  for (size_t i = 0; begins && i < items; ++i) faults.push_back(in.selector());
  if (!begins || !in.finish())
    return fail(ErrorCode::unavailable, "what a batch answers is not one fault for each item");
  return faults;
}

Bytes request_close(const eip712::Terms& terms) {
  return AbiTuple().words(terms).call(selector("requestClose(" MIZAN_TERMS ")"));
}

Bytes request_close_for(const eip712::Terms& terms, const eip712::RequestClose& message,
                        const Signature& signature, u128 relay_fee_units) {
  return AbiTuple()
      .words(terms)
      .word(message.nonce)
      .word(message.deadline)
      .word(message.max_relay_fee)
      .tail(bytes_of(signature))
      .word(relay_fee_units)
      .call(selector("requestCloseFor(" MIZAN_TERMS ",uint64,uint64,uint128,bytes,uint256)"));
}

Bytes finalize_close(const eip712::Terms& terms) {
  return AbiTuple().words(terms).call(selector("finalizeClose(" MIZAN_TERMS ")"));
}

Bytes cancel_bids(uint64_t word, const U256& mask) {
  return AbiTuple().word(word).word(mask).call(selector("cancelBids(uint64,uint256)"));
}

Bytes cancel_bids_for(const eip712::CancelBids& message, const Signature& signature,
                      u128 relay_fee_units) {
  return AbiTuple()
      .words(message)
      .tail(bytes_of(signature))
      .word(relay_fee_units)
      .call(selector("cancelBidsFor(address,uint64,uint256,uint64,uint64,uint128,bytes,uint256)"));
}

Bytes set_paused(bool paused) {
  return AbiTuple().word(paused).call(selector("setPaused(bool)"));
}

Bytes revoke_clearance_key() {
  return plain("revokeClearanceKey()");
}

Bytes propose_clearance_key(const Address& key) {
  return AbiTuple().word(key).call(selector("proposeClearanceKey(address)"));
}

Bytes accept_clearance_key() {
  return plain("acceptClearanceKey()");
}

Bytes token() {
  return plain("token()");
}
Bytes fee_to() {
  return plain("feeTo()");
}
Bytes guardian() {
  return plain("guardian()");
}
Bytes clearance_key() {
  return plain("clearanceKey()");
}
Bytes next_clearance_key() {
  return plain("nextClearanceKey()");
}
Bytes next_clearance_key_from() {
  return plain("nextClearanceKeyFrom()");
}
Bytes close_delay() {
  return plain("closeDelay()");
}
Bytes paused() {
  return plain("paused()");
}
Bytes domain_separator() {
  return plain("domainSeparator()");
}

Bytes balance_of(const Address& owner) {
  return AbiTuple().word(owner).call(selector("balanceOf(address)"));
}

Bytes lease_of(const LeaseId& lease) {
  return AbiTuple().word(lease).call(selector("leaseOf(bytes32)"));
}

}  // namespace escrow

namespace token {

Bytes approve(const Address& spender, u128 units) {
  return AbiTuple().word(spender).word(units).call(selector("approve(address,uint256)"));
}

Bytes balance_of(const Address& owner) {
  return escrow::balance_of(owner);
}

Bytes decimals() {
  return plain("decimals()");
}

Bytes domain_separator() {
  return plain("DOMAIN_SEPARATOR()");
}

Bytes nonces(const Address& owner) {
  return AbiTuple().word(owner).call(selector("nonces(address)"));
}

Hash32 permit_digest(const Hash32& separator, const Address& owner, const Address& spender,
                     u128 units, u128 nonce, uint64_t deadline) {
  static const Hash32 type = keccak256(
      "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
  return eip712::typed_digest(separator, keccak256(AbiTuple()
                                                       .word(type)
                                                       .word(owner)
                                                       .word(spender)
                                                       .word(units)
                                                       .word(nonce)
                                                       .word(deadline)
                                                       .encode()));
}

Hash32 authorization_digest(const Hash32& separator, const escrow::Authorization& message) {
  static const Hash32 type = keccak256(
      "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 "
      "validBefore,bytes32 nonce)");
  return eip712::typed_digest(separator, keccak256(AbiTuple().word(type).words(message).encode()));
}

Bytes create_test(ByteView code, uint8_t decimals) {
  Bytes out(code.begin(), code.end());
  append(out, AbiTuple().word(decimals).encode());
  return out;
}

Bytes allowance(const Address& owner, const Address& spender) {
  return AbiTuple().word(owner).word(spender).call(selector("allowance(address,address)"));
}

Bytes mint(const Address& to, u128 units) {
  return AbiTuple().word(to).word(units).call(selector("mint(address,uint256)"));
}

}  // namespace token
}  // namespace mizan::settlement

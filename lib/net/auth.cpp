#include "net/auth.hpp"

#include "base/ensure.hpp"
#include "codec/base64.hpp"
#include "crypto/address.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"

#include <boost/json.hpp>

#include <charconv>
#include <iterator>

namespace mizan::net {
namespace {

constexpr size_t kMaxLoginHeader = 4096;

Error unauthenticated(std::string message, std::string field) {
  return Error{ErrorCode::unauthenticated, std::move(message), {}}.with("field", std::move(field));
}

Result<uint64_t> header_number(const Headers& headers, std::string_view name) {
  const std::string_view text = header_or_empty(headers, name);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    return fail(unauthenticated(
        "the header " + std::string(name) + " is missing or not a number; sign the request",
        std::string(name)));
  return value;
}

template <class T>
Result<T> member(const boost::json::object& object, const char* name) {
  const auto bad = [&] {
    return fail(unauthenticated(
        "Mizan-Login's field " + std::string(name) + " is missing or of another type",
        std::string("Mizan-Login.") + name));
  };
  const boost::json::value* value = object.if_contains(name);
  if (!value) return bad();
  if constexpr (std::is_same_v<T, uint64_t>) {
    boost::system::error_code failed;
    const auto number = value->to_number<uint64_t>(failed);
    if (failed || value->is_double()) return bad();
    return number;
  } else {
    if (!value->is_string()) return bad();
    return std::string(value->get_string());
  }
}

}  // namespace

std::string encode_login(const LoginProof& proof) {
  const std::string json =
      boost::json::serialize(boost::json::object{{"login",
                                                  {{"account", to_checksum(proof.login.account)},
                                                   {"key", to_checksum(proof.login.key)},
                                                   {"issuedAt", proof.login.issued_at},
                                                   {"validUntil", proof.login.valid_until}}},
                                                 {"signature", hex0x(proof.signature.view())}});
  return base64(as_bytes(json));
}

Result<LoginProof> decode_login(std::string_view header) {
  if (header.size() > kMaxLoginHeader)
    return fail(ErrorCode::too_large, "the header Mizan-Login is longer than 4096 characters");
  const auto json = parse_base64(header);
  boost::json::value value;
  boost::system::error_code failed;
  if (json) value = boost::json::parse(*json, failed);
  if (failed || !value.is_object())
    return fail(
        unauthenticated("the header Mizan-Login is not base64 of a JSON object", "Mizan-Login"));
  const boost::json::object& outer = value.get_object();
  const boost::json::value* login = outer.if_contains("login");
  if (!login || !login->is_object())
    return fail(unauthenticated("Mizan-Login has no login", "Mizan-Login.login"));
  LoginProof proof;
  MIZAN_TRY(account, member<std::string>(login->get_object(), "account"));
  MIZAN_TRY(key, member<std::string>(login->get_object(), "key"));
  MIZAN_TRY(signature, member<std::string>(outer, "signature"));
  MIZAN_TRY(account_address, parse_address(account));
  MIZAN_TRY(key_address, parse_address(key));
  MIZAN_TRY(issued_at, member<uint64_t>(login->get_object(), "issuedAt"));
  MIZAN_TRY(valid_until, member<uint64_t>(login->get_object(), "validUntil"));
  MIZAN_TRY(signature_bytes, parse_fixed<Signature>(signature));
  proof.login.account = account_address;
  proof.login.key = key_address;
  proof.login.issued_at = issued_at;
  proof.login.valid_until = valid_until;
  proof.signature = signature_bytes;
  return proof;
}

Signer::Signer(eip712::Domain domain, SecretKey account_key)
    : domain_(std::move(domain)), key_(std::move(account_key)), account_(key_.address()) {}

Signer::Signer(eip712::Domain domain, SecretKey login_key, LoginProof proof)
    : domain_(std::move(domain)),
      key_(std::move(login_key)),
      account_(proof.login.account),
      proof_(std::move(proof)) {
  ensure(proof_->login.key == key_.address(), "a login's proof names the key that signs with it");
}

Headers Signer::sign(std::string_view method, std::string_view target, std::string_view body,
                     std::string_view idempotency_key, UnixMs now) const {
  eip712::Request request;
  request.account = account_;
  request.method = method;
  request.target = target;
  request.body_hash = keccak256(body);
  request.idempotency_key = idempotency_key;
  request.issued_at_ms = now.ms;
  request.nonce = random_u64();
  Headers headers{{"Mizan-Account", to_checksum(account_)},
                  {"Mizan-Issued-At-Ms", std::to_string(request.issued_at_ms)},
                  {"Mizan-Nonce", std::to_string(request.nonce)},
                  {"Mizan-Signature", hex0x(eip712::sign(domain_, request, key_).view())}};
  if (!idempotency_key.empty()) headers.emplace_back("Idempotency-Key", idempotency_key);
  if (proof_) headers.emplace_back("Mizan-Login", encode_login(*proof_));
  return headers;
}

Authenticator::Authenticator(eip712::Domain domain, UnixMs from, size_t max_nonces)
    : domain_(std::move(domain)), max_nonces_(max_nonces), known_from_ms_(from.ms) {}

Result<Address> Authenticator::check(const Request& request, std::string_view body, UnixMs now) {
  const std::string_view account_text = header_or_empty(request.headers, "Mizan-Account");
  if (account_text.empty())
    return fail(unauthenticated(
        "this call needs a signed request; the header Mizan-Account is missing", "Mizan-Account"));
  auto account = parse_address(account_text);
  if (!account) return fail(unauthenticated(account.error().message, "Mizan-Account"));
  auto signature = parse_fixed<Signature>(header_or_empty(request.headers, "Mizan-Signature"));
  if (!signature)
    return fail(unauthenticated("the header Mizan-Signature is missing or not 65 bytes in hex",
                                "Mizan-Signature"));
  eip712::Request signed_request;
  signed_request.account = *account;
  signed_request.method = request.method;
  signed_request.target = request.target;
  signed_request.body_hash = keccak256(body);
  signed_request.idempotency_key = header_or_empty(request.headers, "Idempotency-Key");
  MIZAN_TRY(issued, header_number(request.headers, "Mizan-Issued-At-Ms"));
  MIZAN_TRY(nonce, header_number(request.headers, "Mizan-Nonce"));
  signed_request.issued_at_ms = issued;
  signed_request.nonce = nonce;
  const uint64_t apart = issued > now.ms ? issued - now.ms : now.ms - issued;
  if (apart > kWindowMs)
    return fail(Error{ErrorCode::expired,
                      "the request was signed more than 60 s away from the exchange's clock; set "
                      "the clock or sign it again",
                      {}}
                    .with("field", "Mizan-Issued-At-Ms")
                    .with("timeMs", std::to_string(now.ms)));
  Address signer = *account;
  if (const std::string* header = find_header(request.headers, "Mizan-Login")) {
    MIZAN_TRY(proof, decode_login(*header));
    if (proof.login.account != *account)
      return fail(unauthenticated("Mizan-Login is of another account than Mizan-Account",
                                  "Mizan-Login.login.account"));
    if (now.seconds() >= proof.login.valid_until)
      return fail(
          Error{ErrorCode::expired, "the login has ended; unlock the account again", {}}.with(
              "field", "Mizan-Login.login.validUntil"));
    MIZAN_CHECK(eip712::check_signer(domain_, proof.login, proof.signature, *account));
    signer = proof.login.key;
  }
  MIZAN_CHECK(eip712::check_signer(domain_, signed_request, *signature, signer));
  MIZAN_CHECK(spend(*account, nonce, UnixMs{issued}, now));
  return *account;
}

Result<void> Authenticator::spend(const Address& account, uint64_t nonce, UnixMs issued,
                                  UnixMs now) {
  const std::lock_guard lock(mutex_);
  const auto forget_first = [this] {
    spent_.erase(by_time_.begin()->second);
    by_time_.erase(by_time_.begin());
  };
  if (now.ms > latest_ms_) {
    ahead_ -= static_cast<size_t>(
        std::distance(by_time_.upper_bound(latest_ms_), by_time_.upper_bound(now.ms)));
    latest_ms_ = now.ms;
  }
  // Kept one window longer than the request is good for, against a clock that steps back a little.
  while (!by_time_.empty() && by_time_.begin()->first + 2 * kWindowMs < now.ms) forget_first();
  if (issued.ms < known_from_ms_)
    return fail(Error{ErrorCode::expired,
                      "the exchange has started, or had too many requests, since this one was "
                      "signed, and cannot tell whether it is new; sign it again",
                      {}}
                    .with("field", "Mizan-Issued-At-Ms")
                    .with("timeMs", std::to_string(now.ms)));
  const bool ahead = issued.ms > latest_ms_;
  if (ahead && ahead_ >= max_nonces_ / 2)
    return fail(Error{ErrorCode::expired,
                      "the request was signed ahead of the exchange's clock, as too many are now; "
                      "set the clock or sign it again",
                      {}}
                    .with("field", "Mizan-Issued-At-Ms")
                    .with("timeMs", std::to_string(now.ms)));
  if (!spent_.emplace(account, nonce).second)
    return fail(
        Error{ErrorCode::replayed, "this signed request was used before; sign a new one", {}}.with(
            "field", "Mizan-Nonce"));
  by_time_.emplace(issued.ms, std::pair(account, nonce));
  if (ahead) ++ahead_;
  if (spent_.size() > max_nonces_) {
    known_from_ms_ = by_time_.begin()->first + 1;
    forget_first();
  }
  return {};
}

}  // namespace mizan::net

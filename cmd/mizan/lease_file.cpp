#include "mizan/lease_file.hpp"

#include "codec/json_fields.hpp"
#include "crypto/payees_hash.hpp"

namespace mizan::cli {
namespace {

class Members {
 public:
  explicit Members(const json::value& value) : object_(value.if_object()) {}

  template <class T>
  Result<std::optional<T>> get(std::string_view key) const {
    const json::value* found = object_ != nullptr ? object_->if_contains(key) : nullptr;
    if (found == nullptr || found->is_null()) return std::optional<T>{};
    MIZAN_TRY(value, from_json<T>(*found, key));
    return std::optional<T>(std::move(value));
  }

 private:
  const json::object* object_;
};

template <class Message>
Result<void> about(const std::optional<Message>& message, const LeaseId& lease) {
  if (!message || message->lease == lease) return {};
  return fail(ErrorCode::invalid_argument, std::string(Message::kName) +
                                               " is about another lease, chain or contract than "
                                               "the terms of this file, " +
                                               hex0x(lease.view()));
}

}  // namespace

Result<LeaseFile> read_lease_file(const fs::path& path, const eip712::Domain& domain) {
  MIZAN_TRY(value, read_json_file(path));
  const Members in(value);
  LeaseFile file;
  MIZAN_TRY(terms, in.get<eip712::Terms>("terms"));
  if (!terms) return fail(ErrorCode::invalid_argument, path.string() + " has no \"terms\"");
  file.terms = *terms;
  const auto take = [&in](std::string_view key, auto& out) -> Result<void> {
    using Value = typename std::remove_reference_t<decltype(out)>::value_type;
    MIZAN_TRY(found, in.get<Value>(key));
    out = std::move(found);
    return {};
  };
  MIZAN_CHECK(take("termsSignature", file.terms_signature));
  MIZAN_CHECK(take("bid", file.bid));
  MIZAN_CHECK(take("bidSignature", file.bid_signature));
  MIZAN_CHECK(take("clearance", file.clearance));
  MIZAN_CHECK(take("clearanceSignature", file.clearance_signature));
  MIZAN_CHECK(take("voucher", file.voucher));
  MIZAN_CHECK(take("voucherSignature", file.voucher_signature));
  MIZAN_CHECK(take("close", file.close));
  MIZAN_CHECK(take("closeSignature", file.close_signature));
  MIZAN_CHECK(take("requestClose", file.request_close));
  MIZAN_CHECK(take("requestCloseSignature", file.request_close_signature));
  MIZAN_CHECK(take("stopAt", file.stop_at));
  MIZAN_TRY(payees, in.get<std::vector<Payee>>("payees"));
  file.payees = payees.value_or(std::vector<Payee>{});
  const LeaseId lease = eip712::digest(domain, file.terms);
  MIZAN_TRY(vouchered, in.get<u128>("vouchered"));
  if (!file.voucher && vouchered.value_or(0) != 0) file.voucher = {lease, *vouchered};
  MIZAN_CHECK(about(file.clearance, lease));
  MIZAN_CHECK(about(file.voucher, lease));
  MIZAN_CHECK(about(file.close, lease));
  MIZAN_CHECK(about(file.request_close, lease));
  if (payees_hash(file.payees) != file.terms.payees_hash)
    return fail(ErrorCode::invalid_argument, "payees are not those of terms.payeesHash");
  return file;
}

Result<void> keep_lease_file(const fs::path& path, const eip712::Domain& domain,
                             const eip712::Bid& bid, const Signature& bid_signature,
                             const json::value& lease) {
  const Members in(lease);
  MIZAN_TRY(id, in.get<LeaseId>("lease"));
  MIZAN_TRY(terms, in.get<eip712::Terms>("terms"));
  if (!terms || eip712::digest(domain, *terms) != id)
    return fail(ErrorCode::unauthenticated, "the exchange tells of terms that are not the lease's");
  json::array payees;
  if (const json::value* told = lease.get_object().if_contains("payees");
      told != nullptr && told->is_array())
    for (const json::value& one : told->get_array()) {
      const Members payee(one);
      MIZAN_TRY(to, payee.get<Address>("to"));
      MIZAN_TRY(bps, payee.get<uint16_t>("bps"));
      payees.push_back(to_json(Payee{to.value_or(Address{}), bps.value_or(0)}));
    }
  return write_json_file(path, json::object{{"terms", to_json(*terms)},
                                            {"bid", to_json(bid)},
                                            {"bidSignature", to_json(bid_signature)},
                                            {"payees", std::move(payees)}});
}

}  // namespace mizan::cli

#include "credential/status_list.hpp"

#include "base/ensure.hpp"

#include <zlib.h>

namespace mizan::credential {
namespace {

constexpr std::string_view kType = "statuslist+jwt";

tl::unexpected<Error> malformed_list(std::string why) {
  return fail(ErrorCode::credential_malformed, "the status list is malformed: " + std::move(why));
}

}  // namespace

StatusList::StatusList(std::string uri, uint64_t entries)
    : uri_(std::move(uri)), bits_((entries + 7) / 8) {
  ensure(entries <= kMaxEntries, "a status list has at most kMaxEntries entries");
}

Result<StatusList> StatusList::parse(std::string_view token, std::string_view uri,
                                     const VerifyKey& issuer, uint64_t now) {
  MIZAN_TRY(jws, parse_jws(token));
  MIZAN_CHECK(verify_jws(jws, issuer, kType));
  const auto* sub = jws.payload.if_contains("sub");
  const auto* exp = jws.payload.if_contains("exp");
  const auto* list = jws.payload.if_contains("status_list");
  if (sub == nullptr || *sub != json::value(uri)) return malformed_list("it is another list (sub)");
  if (exp == nullptr || !exp->is_number()) return malformed_list("it has no end (exp)");
  boost::system::error_code inexact;
  if (exp->to_number<uint64_t>(inexact) <= now || inexact)
    return fail(ErrorCode::credential_expired, "the status list's time is over (exp)");
  const auto* object = list != nullptr ? list->if_object() : nullptr;
  const auto* bits = object != nullptr ? object->if_contains("bits") : nullptr;
  const auto* lst = object != nullptr ? object->if_contains("lst") : nullptr;
  if (bits == nullptr || !bits->is_number() || bits->to_number<uint64_t>(inexact) != 1 ||
      lst == nullptr || !lst->is_string())
    return malformed_list("status_list has not one bit an entry, or no lst");
  MIZAN_TRY(packed, parse_base64url(lst->get_string()));
  StatusList result(std::string(uri), kMaxEntries);
  uLongf size = result.bits_.size();  // also the bound of what is unpacked
  if (uncompress(result.bits_.data(), &size, packed.data(), packed.size()) != Z_OK)
    return malformed_list("lst does not unpack, or to over 128 KiB");
  result.bits_.resize(size);
  return result;
}

std::string StatusList::sign(const IssuerKey& key, uint64_t issued_at, uint64_t expires_at) const {
  Bytes packed(compressBound(bits_.size()));
  uLongf size = packed.size();
  ensure(compress(packed.data(), &size, bits_.data(), bits_.size()) == Z_OK,
         "zlib packs into the size that it asked for");
  packed.resize(size);
  const json::object payload{{"sub", uri_},
                             {"iat", issued_at},
                             {"exp", expires_at},
                             {"status_list", {{"bits", 1}, {"lst", base64url(packed)}}}};
  return make_jws(payload, kType, key);
}

Result<void> StatusList::revoke(uint64_t index) {
  if (index / 8 >= bits_.size())
    return fail(ErrorCode::invalid_argument, "index: the status list ends before it");
  bits_[index / 8] = static_cast<uint8_t>(bits_[index / 8] | 1U << index % 8);
  return {};
}

Result<void> StatusList::check(uint64_t index) const {
  if (index / 8 >= bits_.size()) return malformed_list("it ends before the credential's index");
  if ((bits_[index / 8] >> index % 8 & 1) != 0)
    return fail(ErrorCode::credential_revoked, "its issuer has revoked the credential");
  return {};
}

}  // namespace mizan::credential

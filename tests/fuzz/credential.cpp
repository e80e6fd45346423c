// Credentials, keys and status lists. The first byte says what the rest is: p a presentation, s a
// status list, k a JWK, and, signed here so that what is behind the signature is read too: c claims
// (an object, and disclosures that it lists, with a zero byte between them), l a list's payload.
#include "fuzz/credential_world.hpp"
#include "fuzz/fuzz.hpp"

using namespace mizan;
using namespace mizan::credential;

namespace {

using fuzz::CredentialWorld;

void shown(const CredentialWorld& world, std::string_view text) {
  (void)selectable(text);
  const auto seen = verify(text, world.demand());
  if (!seen) return;
  ensure(!seen->claims.contains("_sd") && !seen->claims.contains("..."), "digests are unfolded");
  ensure(seen->issuer == CredentialWorld::kIssuer, "only an accepted issuer is believed");
}

void claims(const CredentialWorld& world, std::string_view text) {
  const size_t end = std::min(text.find('\0'), text.size());
  auto payload = parse_json(text.substr(0, end), {size_t{64} << 10, 8, true});
  if (!payload || !payload->is_object()) return;
  json::object& object = payload->as_object();
  object["iss"] = CredentialWorld::kIssuer;
  if (!object.contains("iat")) object["iat"] = CredentialWorld::kNow - 10;
  if (!object.contains("exp")) object["exp"] = CredentialWorld::kNow + 10;
  if (!object.contains("cnf"))
    object["cnf"] = json::object{{"jwk", to_jwk(public_key(CredentialWorld::holder()))}};
  std::string disclosures;
  json::array digests;
  for (size_t at = end; at < text.size();) {
    const size_t next = std::min(text.find('\0', at + 1), text.size());
    const std::string one = base64url(as_bytes(text.substr(at + 1, next - at - 1)));
    digests.emplace_back(base64url(sha256(one).view()));
    disclosures += one + "~";
    at = next;
  }
  if (!object.contains("_sd")) object["_sd"] = std::move(digests);
  const std::string jwt = make_jws(object, "dc+sd-jwt", CredentialWorld::issuer());
  const std::string credential = jwt + "~" + disclosures;
  const auto names = selectable(credential);
  if (!names) return shown(world, credential);
  const auto presented =
      present(credential, *names, CredentialWorld::holder(), {"0xexchange", "n-1", world.kNow - 1});
  shown(world, presented ? *presented : credential);
}

void list(std::string_view token) {
  const auto read = StatusList::parse(
      token, CredentialWorld::kList, CredentialWorld::issuer().public_key(), CredentialWorld::kNow);
  if (!read) return;
  for (const uint64_t index : {uint64_t{0}, uint64_t{13}, StatusList::kMaxEntries, ~uint64_t{0}})
    (void)read->check(index);
  const auto again = StatusList::parse(
      read->sign(CredentialWorld::issuer(), CredentialWorld::kNow, CredentialWorld::kNow + 9),
      CredentialWorld::kList, CredentialWorld::issuer().public_key(), CredentialWorld::kNow);
  ensure(again && again->check(13).has_value() == read->check(13).has_value(),
         "a status list is read as it is written");
}

void key(std::string_view text) {
  const auto value = parse_json(text);
  if (!value) return;
  const auto read = parse_jwk(*value, "key");
  if (!read) return;
  const auto again = parse_jwk(json::value(to_jwk(*read)), "key");
  ensure(again && *again == *read, "a key is read as it is written");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const CredentialWorld kWorld;
  if (size == 0) return 0;
  const std::string_view text = fuzz::text_of(data + 1, size - 1);
  switch (data[0]) {
    case 'p':
      shown(kWorld, text);
      break;
    case 'c':
      claims(kWorld, text);
      break;
    case 's':
      list(text);
      break;
    case 'l':
      if (auto payload = parse_json(text); payload && payload->is_object()) {
        payload->as_object()["sub"] = CredentialWorld::kList;
        list(make_jws(payload->as_object(), "statuslist+jwt", CredentialWorld::issuer()));
      }
      break;
    case 'k':
      key(text);
      break;
    default: {
      const auto bytes = parse_base64url(text);
      if (bytes) ensure(base64url(*bytes) == text, "base64url has one spelling");
    }
  }
  return 0;
}

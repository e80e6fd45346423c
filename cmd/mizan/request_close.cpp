#include "mizan/request_close.hpp"

#include "codec/json_fields.hpp"
#include "crypto/random.hpp"

namespace mizan::cli {
namespace {

constexpr uint64_t kValidSeconds = 3600;

}  // namespace

Result<json::value> request_close(Session& session, const LeaseId& lease) {
  const eip712::RequestClose request{.lease = lease,
                                     .nonce = random_u64(),
                                     .deadline = session.exchange_time_ms() / 1000 + kValidSeconds,
                                     .max_relay_fee = 0};
  const Signature signature = eip712::sign(session.domain(), request, session.key());
  const json::object body{{"request", to_json(request)}, {"signature", to_json(signature)}};
  return session.post("/v1/leases/" + hex0x(lease.view()) + "/request-close", body,
                      hex(random_bytes(16)));
}

}  // namespace mizan::cli

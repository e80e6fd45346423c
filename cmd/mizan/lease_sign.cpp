// mizan lease close, request-close --sign: what a party signs for another to bring.
#include "codec/json_fields.hpp"
#include "crypto/address.hpp"
#include "crypto/random.hpp"
#include "job/job_file.hpp"
#include "mizan/keys.hpp"
#include "mizan/lease_calls.hpp"
#include "mizan/print.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

constexpr uint64_t kStopValidSeconds = uint64_t{24} * 3600;

Result<SecretKey> key_of(const Context& context, const Address& party, const char* who) {
  MIZAN_TRY(entry, choose_key(context));
  if (entry.address != party)
    return fail(ErrorCode::forbidden,
                fmt::format("the lease's {} signs this, {}; you act as {}", who, to_checksum(party),
                            to_checksum(entry.address)));
  return open_key(context, entry);
}

/// Of a lease file what a watcher needs; nothing of the job.
json::object for_watcher(const LeaseFile& file) {
  json::object out{{"terms", to_json(file.terms)}, {"payees", to_json(file.payees)}};
  const auto put = [&out](const char* name, const auto& member) {
    if (member) out[name] = to_json(*member);
  };
  put("voucher", file.voucher);
  put("voucherSignature", file.voucher_signature);
  put("close", file.close);
  put("closeSignature", file.close_signature);
  put("requestClose", file.request_close);
  put("requestCloseSignature", file.request_close_signature);
  put("stopAt", file.stop_at);
  return out;
}

}  // namespace

Result<int> sign_lease(const Context& context, const fs::path& path, const std::string& what,
                       const LeaseToSign& how) {
  MIZAN_TRY(chain, load_chain(context.home));
  const eip712::Domain domain = chain.domain();
  MIZAN_TRY(file, read_lease_file(path, domain));
  const LeaseId lease = eip712::digest(domain, file.terms);
  if (what == "close") {
    MIZAN_TRY(key, key_of(context, file.terms.provider, "provider"));
    const Money pay{file.voucher ? file.voucher->cumulative : 0};
    const uint32_t kept = kWholeBps - std::min<uint32_t>(kWholeBps, file.terms.fee_bps);
    file.close = eip712::Close{lease, part_of(pay, kept).nano};
    file.close_signature = eip712::sign(domain, *file.close, key);
  } else {
    MIZAN_TRY(key, key_of(context, file.terms.buyer, "buyer"));
    MIZAN_TRY(in, job::parse_duration(how.in, "--in"));
    MIZAN_TRY(reader, ChainReader::open(chain.node, chain.chain_id));
    MIZAN_TRY(head, reader.node().head());
    file.stop_at = head.time + in;
    file.request_close =
        eip712::RequestClose{lease, random_u64(), *file.stop_at + kStopValidSeconds, 0};
    file.request_close_signature = eip712::sign(domain, *file.request_close, key);
  }
  const json::object out = for_watcher(file);
  MIZAN_CHECK(write_json_file(how.file, out));
  if (context.json)
    print_json(out);
  else
    Terminal(stdout, context.no_color)
        .write(fmt::format("signed: whoever has the chain's coin brings it with `mizan lease {} "
                           "{}`, or `mizan watch` its folder\n",
                           what, how.file.string()));
  return kExitDone;
}

}  // namespace mizan::cli

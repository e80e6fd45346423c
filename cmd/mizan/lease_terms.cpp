#include "mizan/lease_terms.hpp"

#include "base/money.hpp"

namespace mizan::cli {
namespace {

Result<void> outside(const std::string& what) {
  return fail(ErrorCode::unauthenticated,
              "terms." + what + ": not what the bid allows, so nothing is signed for them");
}

}  // namespace

Result<void> check_lease_terms(const eip712::Domain& domain, const eip712::Bid& bid,
                               const Address& meter, const LeaseId& lease,
                               const eip712::Terms& terms) {
  if (eip712::digest(domain, terms) != lease)
    return fail(ErrorCode::unauthenticated, "terms: are not those of the lease");
  if (terms.buyer != bid.buyer) return outside("buyer");
  if (terms.bid_nonce < bid.nonce || terms.bid_nonce - bid.nonce >= bid.nodes)
    return outside("bidNonce");
  if (terms.meter != meter || bid.meter != meter) return outside("meter");
  if (terms.rate > bid.max_rate) return outside("rate");
  if (terms.node_count > bid.nodes) return outside("nodeCount");
  if (terms.units_per_node != bid.units_per_node) return outside("unitsPerNode");
  if (terms.seconds > bid.max_seconds) return outside("seconds");
  const auto whole =
      cost(Rate{terms.rate}, uint64_t{terms.node_count} * terms.units_per_node, terms.seconds);
  if (!whole || whole->nano > bid.max_total) return outside("seconds");
  if (terms.start < bid.earliest_start || terms.start > bid.latest_start) return outside("start");
  if (terms.grace != bid.grace) return outside("grace");
  if (terms.fee_bps > bid.max_fee_bps) return outside("feeBps");
  return {};
}

}  // namespace mizan::cli

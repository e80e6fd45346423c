#include "provider/checks.hpp"

#include <algorithm>

namespace mizan::provider {
namespace {

constexpr uint64_t kGraceMin = 10;
constexpr uint64_t kGraceMax = 600;

tl::unexpected<Error> bad(const std::string& field, const std::string& what,
                          ErrorCode code = ErrorCode::invalid_argument) {
  return fail(Error{code, field + ": " + what}.with("field", field));
}

Result<void> check_against_ask(const eip712::Terms& terms, const Offering& offering) {
  const eip712::Ask& ask = offering.ask;
  if (terms.provider != ask.provider) return bad("terms.provider", "is another provider");
  if (terms.ask_hash != offering.ask_id)
    return bad("terms.askHash", "is no ask of this agent that is open now", ErrorCode::conflict);
  if (terms.rate < ask.rate) return bad("terms.rate", "is below the ask's rate");
  if (terms.node_count != 1 || terms.first_node != 0)
    return bad("terms.nodeCount", "the agent has one node");
  if (terms.units_per_node < ask.min_units || terms.units_per_node > ask.units_per_node)
    return bad("terms.unitsPerNode", "is no slice of a node that the ask offers");
  if (terms.units_per_node > offering.free_units)
    return bad("terms.unitsPerNode", "so many units are not free", ErrorCode::conflict);
  if (terms.seconds < ask.min_seconds || terms.seconds > ask.max_seconds)
    return bad("terms.seconds", "is not within the ask's shortest and longest lease");
  if (terms.start < ask.from || terms.start > ask.until || terms.seconds > ask.until - terms.start)
    return bad("terms.start", "the lease does not lie within the ask's window");
  if (terms.payees_hash != ask.payees_hash)
    return bad("terms.payeesHash", "is not that of the ask");
  return {};
}

Result<void> check_against_bid(const Match& match, const ExchangeFacts& facts) {
  const eip712::Terms& terms = match.terms;
  const eip712::Bid& bid = match.bid;
  if (auto signer = eip712::check_signer(facts.domain(), bid, match.bid_signature, bid.buyer);
      !signer)
    return fail(std::move(signer).error());
  if (terms.buyer != bid.buyer) return bad("terms.buyer", "is not the bid's");
  if (terms.meter != bid.meter) return bad("terms.meter", "is not the bid's");
  // The exchange's, or a key of the buyer's own: then its vouchers are waited for all the same.
  if (terms.meter.is_zero() || terms.meter == facts.clearance)
    return bad("terms.meter", "is zero, or the clearance key");
  if (terms.rate > bid.max_rate) return bad("terms.rate", "is above the bid's highest rate");
  if (terms.units_per_node != bid.units_per_node || bid.nodes != 1)
    return bad("terms.unitsPerNode", "is not what the bid asks for");
  if (terms.seconds == 0 || terms.seconds > bid.max_seconds)
    return bad("terms.seconds", "is longer than the bid allows");
  if (terms.grace != bid.grace || bid.grace < kGraceMin || bid.grace > kGraceMax)
    return bad("terms.grace", "is not the bid's, or not between 10 and 600 seconds");
  if (terms.fee_bps > bid.max_fee_bps) return bad("terms.feeBps", "is above the bid's highest fee");
  if (terms.bid_nonce != bid.nonce) return bad("terms.bidNonce", "is not the bid's");
  if (!terms.extends.is_zero() || !terms.group.is_zero())
    return bad("terms.extends", "extensions and groups are not built yet",
               ErrorCode::unsupported_key);
  if (bid.spec_hash != match.spec_hash) return bad("bid.specHash", "is not the hash of the spec");
  return {};
}

Result<void> check_job(const Match& match, const Offering& offering) {
  const job::Job& job = match.spec.job;
  MIZAN_CHECK(job::check(job));
  const uint32_t units = match.terms.units_per_node;
  if (job.cores > units)
    return bad("cores", "the lease has only " + std::to_string(units) + " units",
               ErrorCode::limit_exceeded);
  const uint64_t memory = offering.capacity.memory_gb_of(units);
  if (job.memory_gb > memory)
    return bad("memoryGb", "the lease's part of the node has only " + std::to_string(memory),
               ErrorCode::limit_exceeded);
  const uint64_t disk = offering.capacity.disk_gb_of(units);
  if (job.disk_gb > disk)
    return bad("diskGb", "the lease's part of the node has only " + std::to_string(disk),
               ErrorCode::limit_exceeded);
  if (job.image != "host" && !offering.images.contains(job.image.substr(4)))
    return bad("image", "this provider has no image by that name", ErrorCode::not_found);
  return {};
}

}  // namespace

Result<void> check_match(const Match& match, const Offering& offering, const ExchangeFacts& facts) {
  if (eip712::digest(facts.domain(), match.terms) != match.lease)
    return bad("lease", "is not the digest of its terms");
  MIZAN_CHECK(check_against_ask(match.terms, offering));
  MIZAN_CHECK(check_against_bid(match, facts));
  return check_job(match, offering);
}

Result<void> check_clearance(const Funded& funded, const ExchangeFacts& facts,
                             uint64_t exchange_seconds) {
  MIZAN_CHECK(
      eip712::check_signer(facts.domain(), funded.clearance, funded.signature, facts.clearance));
  if (funded.clearance.lease != funded.lease)
    return bad("clearance.lease", "is another lease", ErrorCode::unauthenticated);
  // On a chain the contract held it to its time, and the lease's opening was waited for since.
  if (!facts.chain && funded.clearance.valid_until < exchange_seconds)
    return bad("clearance.validUntil", "has passed", ErrorCode::expired);
  return {};
}

Workload workload_of(const LeaseId& lease, const eip712::Terms& terms, const job::Job& job,
                     const Capacity& capacity, uint64_t spare_disk_gb) {
  const uint32_t units = terms.units_per_node;
  Workload load;
  load.lease = lease;
  load.job = job;
  load.cores = units;
  load.seconds = terms.seconds;
  // A share below a whole gigabyte is still a share: reckoned in bytes.
  load.memory_bytes = job.memory_gb > 0 ? job.memory_gb * kGigabyte
                                        : capacity.memory_gb * kGigabyte / capacity.units * units;
  const uint64_t disk_share = capacity.disk_gb * kGigabyte / capacity.units * units;
  load.disk_bytes =
      job.disk_gb > 0 ? job.disk_gb * kGigabyte : std::min(spare_disk_gb * kGigabyte, disk_share);
  return load;
}

}  // namespace mizan::provider

#include "mizan/lease_calls.hpp"

#include <algorithm>

namespace mizan::cli {
namespace {

namespace escrow = settlement::escrow;

tl::unexpected<Error> lacks(const char* what) {
  return fail(ErrorCode::invalid_argument, std::string("the file lacks ") + what);
}

}  // namespace

Result<Bytes> open_data(const LeaseFile& file, const Address&) {
  if (!file.bid || !file.bid_signature) return lacks("the bid and its signature");
  if (!file.clearance || !file.clearance_signature) return lacks("the clearance and its signature");
  return escrow::open({file.terms, *file.bid, file.terms_signature, *file.bid_signature},
                      *file.clearance, *file.clearance_signature);
}

Result<Bytes> claim_data(const LeaseFile& file, const Address&) {
  if (!file.voucher || !file.voucher_signature) return lacks("a voucher and its signature");
  return escrow::claim(file.terms, file.voucher->cumulative, *file.voucher_signature, file.payees);
}

Result<Bytes> close_data(const LeaseFile& file, const Address& sender) {
  settlement::CloseItem item{.terms = file.terms, .payees = file.payees};
  if (file.voucher) {
    if (!file.voucher_signature) return lacks("the voucher's signature");
    item.cumulative = file.voucher->cumulative;
    item.voucher_signature = file.voucher_signature;
  }
  if (file.close) {
    item.min_paid = file.close->min_paid;
    item.close_signature = file.close_signature;
  } else if (sender != file.terms.provider) {
    return lacks("the provider's signed close, and you are not the provider");
  }
  return escrow::close(item);
}

Result<Bytes> request_data(const LeaseFile& file, const Address& sender) {
  if (file.request_close && file.request_close_signature)
    return escrow::request_close_for(file.terms, *file.request_close, *file.request_close_signature,
                                     0);
  if (sender != file.terms.buyer)
    return lacks("a request to close that the buyer signed, and you are not the buyer");
  return escrow::request_close(file.terms);
}

Result<Bytes> finalize_data(const LeaseFile& file, const Address&) {
  return escrow::finalize_close(file.terms);
}

std::string send_id(const std::string& what, const LeaseId& lease, const LeaseFile& file) {
  std::string id = what + "-" + hex(lease.view());
  if (what == "claim" && file.voucher) id += "-" + mizan::to_string(file.voucher->cumulative);
  return id;
}

bool claim_adds(const LeaseFile& file, const LeaseOnChain& found, uint8_t decimals, uint64_t now) {
  if (!file.voucher || found.opened == 0) return false;
  const eip712::Terms& terms = file.terms;
  uint64_t end = std::min(now, terms.start + terms.seconds);
  if (found.stop != 0) end = std::min(end, found.stop);
  const uint64_t from = std::max(found.opened, terms.start);
  const auto most = cost(Rate{terms.rate}, uint64_t{terms.node_count} * terms.units_per_node,
                         end > from ? end - from : 0);
  return most && whole_units(Money{std::min(most->nano, file.voucher->cumulative)}, decimals) >
                     found.claimed;
}

Result<LeaseOnChain> look(ChainReader& reader, const ChainSettings& chain, const LeaseId& lease) {
  MIZAN_TRY(answer, reader.node().view(chain.contract, escrow::lease_of(lease)));
  settlement::AbiReader in(answer);
  const LeaseOnChain found{in.number64(), in.number64(), in.number()};
  MIZAN_CHECK(in.finish());
  return found;
}

}  // namespace mizan::cli

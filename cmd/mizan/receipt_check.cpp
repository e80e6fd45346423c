#include "mizan/receipt_check.hpp"

#include "codec/domain_json.hpp"
#include "codec/json_fields.hpp"
#include "crypto/address.hpp"
#include "crypto/payees_hash.hpp"
#include "mizan/settings.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

class Findings {
 public:
  void rule(std::string what, bool holds, std::string why = {}) {
    list_.push_back({std::move(what), holds, holds ? std::string() : std::move(why)});
  }
  void rule(std::string what, const Result<void>& result) {
    rule(std::move(what), result.has_value(), result ? "" : result.error().message);
  }
  template <class Message>
  void signature(const eip712::Domain& domain, std::string_view what, const Message& message,
                 const Signature& signature, const Address& signer) {
    rule(fmt::format("{} signed by {}", what, to_checksum(signer)),
         eip712::check_signer(domain, message, signature, signer));
  }
  std::vector<ReceiptFinding> take() { return std::move(list_); }

 private:
  std::vector<ReceiptFinding> list_;
};

void check_signatures(const ReceiptBundle& b, Findings& findings) {
  const eip712::Domain& domain = b.domain;
  findings.signature(domain, "the bid is", b.bid, b.bid_signature, b.terms.buyer);
  findings.signature(domain, "the terms are", b.terms, b.terms_signature, b.terms.provider);
  findings.signature(domain, "the clearance is", b.clearance, b.clearance_signature,
                     b.clearance_signer);
  if (b.voucher)
    findings.signature(domain, "the last voucher is", *b.voucher, b.voucher_signature,
                       b.terms.meter);
  if (b.close)
    findings.signature(domain, "the close is", *b.close, b.close_signature, b.terms.provider);
  findings.signature(domain, "the receipt is", b.receipt, b.receipt_signature, b.identity);
}

void check_lease(const ReceiptBundle& b, Findings& findings) {
  const LeaseId lease = eip712::digest(b.domain, b.terms);
  const bool same = b.receipt.lease == lease && b.clearance.lease == lease &&
                    (!b.voucher || b.voucher->lease == lease) &&
                    (!b.close || b.close->lease == lease);
  findings.rule(fmt::format("all of it is about lease {}", hex0x(lease.view())), same,
                "another lease is named");
  findings.rule(
      "the receipt's verdict and rule set are those of the clearance",
      b.receipt.verdict == b.clearance.verdict && b.receipt.rule_set == b.clearance.rule_set,
      "they differ");
}

void check_consent(const ReceiptBundle& b, Findings& findings) {
  const auto& terms = b.terms;
  const auto& bid = b.bid;
  const auto within = [&](std::string_view what, bool holds) {
    findings.rule(fmt::format("within the bid: {}", what), holds, "the terms exceed the bid");
  };
  within("buyer and meter", terms.buyer == bid.buyer && terms.meter == bid.meter);
  within(fmt::format("rate {} <= {}", to_string(terms.rate), to_string(bid.max_rate)),
         terms.rate <= bid.max_rate);
  within(fmt::format("{} of {} nodes of {} units", terms.node_count, bid.nodes, bid.units_per_node),
         terms.node_count <= bid.nodes && terms.units_per_node == bid.units_per_node);
  within(fmt::format("{} s <= {} s", terms.seconds, bid.max_seconds),
         terms.seconds <= bid.max_seconds);
  within("start", terms.start >= bid.earliest_start && terms.start <= bid.latest_start);
  within(fmt::format("fee {} <= {} hundredths of a per cent", terms.fee_bps, bid.max_fee_bps),
         terms.fee_bps <= bid.max_fee_bps);
  within("nonce", terms.bid_nonce >= bid.nonce && terms.bid_nonce - bid.nonce < bid.nodes);
  within("grace", terms.grace == bid.grace);
  const auto total = cost(Rate{terms.rate}, b.units(), terms.seconds);
  within("total", total && total->nano <= bid.max_total);
}

/// On a chain amounts are whole units of a token with six decimals or more, rounded down once.
bool fits(const ReceiptBundle& b, u128 amount, u128 exactly) {
  constexpr u128 kUnit = 1000;
  if (b.domain.is_credits()) return amount == exactly;
  return amount <= exactly && exactly - amount < kUnit;
}

void check_sums(const ReceiptBundle& b, Findings& findings) {
  const auto& r = b.receipt;
  const auto times = [&](uint64_t seconds) { return cost(Rate{b.terms.rate}, b.units(), seconds); };
  const auto used = times(r.seconds_billed);
  const auto locked = times(b.terms.seconds);
  findings.rule(fmt::format("charged {} = rate {} x {} units x {} s", to_string(r.charged),
                            to_string(b.terms.rate), b.units(), r.seconds_billed),
                used && fits(b, r.charged, used->nano), "it is not");
  // The contract's own clock bounds what it pays, and whoever closes it there picks the voucher.
  const u128 vouchered = b.voucher ? b.voucher->cumulative : u128{0};
  const bool on_chain = !b.domain.is_credits();
  findings.rule(on_chain ? "charged is no more than the last voucher says"
                         : "charged is what the last voucher says",
                on_chain ? r.charged <= vouchered : r.charged == vouchered,
                b.voucher ? "voucher: " + to_string(vouchered) : "no voucher");
  findings.rule(
      fmt::format("escrow {} = rate x units x {} s", to_string(r.escrow), b.terms.seconds),
      locked && fits(b, r.escrow, locked->nano), "it is not");
  const auto parts = checked_add(r.charged, r.refunded);
  findings.rule(fmt::format("charged + refunded {} = escrow", to_string(r.refunded)),
                parts && *parts == r.escrow, "it is not");
  const auto shares = checked_add(r.fee, r.paid);
  findings.rule(fmt::format("fee {} + paid {} = charged", to_string(r.fee), to_string(r.paid)),
                shares && *shares == r.charged, "it is not");
  findings.rule("the payees are those of the terms",
                payees_hash(b.payees) == b.terms.payees_hash &&
                    (b.payees.empty() || check_payees(b.payees, "payees")),
                "others, or other shares");
  const std::vector<Money> split = shares_of(Money{r.paid}, b.payees);
  for (size_t i = 0; i < split.size(); ++i) {
    // On a chain it is split in whole units, of which the bundle does not tell how many there are.
    const std::string part = b.domain.is_credits() ? to_string(split[i]) + " of paid" : "Of paid";
    findings.rule(fmt::format("{} goes to {}, a share of {} in 10000", part,
                              to_checksum(b.payees[i].to), b.payees[i].bps),
                  true);
  }
  const auto fee = checked_mul(r.charged, u128{b.terms.fee_bps});
  findings.rule("the fee is what the terms say, rounded down", fee && fits(b, r.fee, *fee / 10'000),
                "it is not");
  findings.rule("no more time is billed than passed",
                r.closed_at_ms >= r.opened_at_ms &&
                    r.seconds_billed <= (r.closed_at_ms - r.opened_at_ms) / 1000 &&
                    r.seconds_billed <= b.terms.seconds,
                "more is billed");
  if (b.close)
    findings.rule("paid is at least what the provider asked at the close",
                  r.paid >= b.close->min_paid || fits(b, r.paid, b.close->min_paid), "it is less");
}

}  // namespace

Result<ReceiptBundle> read_receipt(const boost::json::value& value) {
  ReceiptBundle bundle;
  std::string format;
  json::value exchange;
  ObjectReader in(value, "");
  in.required("format", format);
  in.required("exchange", exchange);
  in.required("bid", bundle.bid);
  in.required("bidSignature", bundle.bid_signature);
  in.required("terms", bundle.terms);
  in.required("termsSignature", bundle.terms_signature);
  in.optional("payees", bundle.payees);
  in.required("clearance", bundle.clearance);
  in.required("clearanceSignature", bundle.clearance_signature);
  in.required("voucher", bundle.voucher);
  in.optional("voucherSignature", bundle.voucher_signature);
  in.required("close", bundle.close);
  in.optional("closeSignature", bundle.close_signature);
  in.required("receipt", bundle.receipt);
  in.required("receiptSignature", bundle.receipt_signature);
  MIZAN_CHECK(in.finish());
  if (format != "mizan-receipt-1")
    return fail(Error{ErrorCode::invalid_argument,
                      "format: only mizan-receipt-1 is known",
                      {{"field", "format"}}});
  ObjectReader of(exchange, "exchange");
  json::value domain;
  of.required("id", bundle.exchange_id);
  of.required("identity", bundle.identity);
  of.required("meter", bundle.meter);
  of.required("clearance", bundle.clearance_signer);
  of.optional("domain", domain);
  MIZAN_CHECK(of.finish());
  MIZAN_TRY(read, read_domain(domain, bundle.exchange_id));
  bundle.domain = read;
  return bundle;
}

std::vector<ReceiptFinding> check_receipt(const ReceiptBundle& bundle,
                                          const std::optional<Hash32>& expected_exchange) {
  Findings findings;
  findings.rule(
      fmt::format("exchange {} is that of its identity key", hex0x(bundle.exchange_id.view())),
      exchange_id_of(bundle.identity) == bundle.exchange_id, "it is another's");
  if (expected_exchange)
    findings.rule("it is the exchange that you trust", *expected_exchange == bundle.exchange_id,
                  "you trust " + hex0x(expected_exchange->view()));
  check_signatures(bundle, findings);
  check_lease(bundle, findings);
  check_consent(bundle, findings);
  check_sums(bundle, findings);
  return findings.take();
}

}  // namespace mizan::cli

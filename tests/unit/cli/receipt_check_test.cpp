#include "mizan/receipt_check.hpp"

#include "crypto/key.hpp"
#include "crypto/payees_hash.hpp"
#include "mizan/settings.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace mizan::cli {
namespace {

struct Parties {
  SecretKey identity = SecretKey::generate(), meter = SecretKey::generate(),
            clearance = SecretKey::generate(), buyer = SecretKey::generate(),
            provider = SecretKey::generate();
};

// Signs everything again, as a forger who holds every key but wants one wrong number could.
void sign(ReceiptBundle& b, const Parties& p) {
  const eip712::Domain& domain = b.domain;
  const LeaseId lease = eip712::digest(domain, b.terms);
  b.clearance.lease = b.receipt.lease = b.voucher->lease = b.close->lease = lease;
  b.bid_signature = eip712::sign(domain, b.bid, p.buyer);
  b.terms_signature = eip712::sign(domain, b.terms, p.provider);
  b.clearance_signature = eip712::sign(domain, b.clearance, p.clearance);
  b.voucher_signature = eip712::sign(domain, *b.voucher, p.meter);
  b.close_signature = eip712::sign(domain, *b.close, p.provider);
  b.receipt_signature = eip712::sign(domain, b.receipt, p.identity);
}

ReceiptBundle honest(const Parties& p) {
  ReceiptBundle b;
  b.identity = p.identity.address();
  b.meter = p.meter.address();
  b.clearance_signer = p.clearance.address();
  b.exchange_id = exchange_id_of(b.identity);
  b.domain = eip712::Domain::credits(b.exchange_id);
  b.bid = {.buyer = p.buyer.address(),
           .meter = b.meter,
           .max_rate = 120,
           .nodes = 2,
           .units_per_node = 4,
           .max_seconds = 600,
           .earliest_start = 1000,
           .latest_start = 1100,
           .valid_until = 1100,
           .all_or_none = true,
           .interruptible = false,
           .grace = 60,
           .max_total = 1'000'000,
           .max_fee_bps = 250,
           .spec_hash = {},
           .nonce = 70};
  b.terms = {.buyer = b.bid.buyer,
             .provider = p.provider.address(),
             .meter = b.meter,
             .rate = 100,
             .units_per_node = 4,
             .seconds = 600,
             .start = 1010,
             .grace = 60,
             .fee_bps = 200,
             .bid_nonce = 70,
             .first_node = 0,
             .node_count = 2,
             .group = {},
             .extends = {},
             .payees_hash = {},
             .ask_hash = {}};
  b.voucher = eip712::Voucher{.lease = {}, .cumulative = 100 * 8 * 33};
  b.close = eip712::Close{.lease = {}, .min_paid = 20'000};
  b.receipt.seconds_billed = 33;
  b.receipt.escrow = 100 * 8 * 600;
  b.receipt.charged = 100 * 8 * 33;
  b.receipt.fee = 528;
  b.receipt.paid = 26'400 - 528;
  b.receipt.refunded = 480'000 - 26'400;
  b.receipt.opened_at_ms = 1'010'500;
  b.receipt.closed_at_ms = 1'044'000;
  sign(b, p);
  return b;
}

std::string wrong_rules(const ReceiptBundle& bundle, const std::optional<Hash32>& expected = {}) {
  std::string wrong;
  for (const ReceiptFinding& finding : check_receipt(bundle, expected))
    if (!finding.holds) wrong += finding.what + "; ";
  return wrong;
}

TEST(ReceiptCheck, an_honest_one_holds) {
  const Parties parties;
  const ReceiptBundle bundle = honest(parties);
  EXPECT_EQ(wrong_rules(bundle, bundle.exchange_id), "");
  EXPECT_NE(wrong_rules(bundle, Hash32{}), "");
}

TEST(ReceiptCheck, the_split_is_that_of_the_terms) {
  const Parties parties;
  ReceiptBundle bundle = honest(parties);
  bundle.payees = {{parties.buyer.address(), 2500}, {parties.provider.address(), 7500}};
  EXPECT_EQ(wrong_rules(bundle), "the payees are those of the terms; ");
  bundle.terms.payees_hash = payees_hash(bundle.payees);
  sign(bundle, parties);
  EXPECT_EQ(wrong_rules(bundle), "");
  const auto findings = check_receipt(bundle, {});
  EXPECT_TRUE(std::any_of(findings.begin(), findings.end(), [](const ReceiptFinding& finding) {
    return finding.what.starts_with("6468 of paid goes to ");  // a quarter of 25,872
  }));
  bundle.payees[0].bps = 2501;
  bundle.payees[1].bps = 7499;
  EXPECT_EQ(wrong_rules(bundle), "the payees are those of the terms; ");
}

TEST(ReceiptCheck, on_a_chain_amounts_are_whole_units_of_the_token) {
  const Parties parties;
  ReceiptBundle b = honest(parties);
  b.domain = eip712::Domain::evm(31337, parties.meter.address());
  b.receipt.charged = b.receipt.paid = 26'000;
  b.receipt.fee = 0;
  b.receipt.refunded = 454'000;
  b.close->min_paid = 26'400 - 528;
  sign(b, parties);
  EXPECT_EQ(wrong_rules(b), "");
  b.close->min_paid = 27'000;
  sign(b, parties);
  EXPECT_EQ(wrong_rules(b), "paid is at least what the provider asked at the close; ");
  b.close->min_paid = 26'999;  // as the contract holds it: in whole units
  sign(b, parties);
  EXPECT_EQ(wrong_rules(b), "");
  b.domain = eip712::Domain::evm(1, parties.meter.address());
  EXPECT_NE(wrong_rules(b), "") << "signed for another chain";
  b.domain = eip712::Domain::evm(31337, parties.meter.address());
  b.receipt.charged = b.receipt.paid = 25'000;
  b.receipt.refunded = 455'000;
  sign(b, parties);
  EXPECT_NE(wrong_rules(b), "") << "a unit less than the time";
  b.voucher->cumulative = 100 * 8 * 40;  // and the contract's clock allowed no more than 33 s
  b.receipt.charged = b.receipt.paid = 26'000;
  b.receipt.refunded = 454'000;
  sign(b, parties);
  EXPECT_EQ(wrong_rules(b), "");
  b.voucher->cumulative = 100 * 8 * 32;
  sign(b, parties);
  EXPECT_EQ(wrong_rules(b), "charged is no more than the last voucher says; ");
}

TEST(ReceiptCheck, numbers_that_do_not_fit_are_found_though_they_are_signed) {
  const Parties parties;
  const std::vector<std::function<void(ReceiptBundle&)>> frauds = {
      [](auto& b) { b.receipt.charged += 1; },
      [](auto& b) { b.receipt.refunded -= 1; },
      [](auto& b) { b.receipt.fee += 1; },
      [](auto& b) { b.receipt.fee += 1, b.receipt.paid -= 1; },
      [](auto& b) { b.receipt.escrow += 1; },
      [](auto& b) { b.receipt.seconds_billed += 1; },
      [](auto& b) { b.receipt.closed_at_ms = 1'043'000; },
      [](auto& b) { b.receipt.closed_at_ms = 1; },
      [](auto& b) { b.receipt.verdict.bytes[0] ^= 1; },
      [](auto& b) { b.voucher->cumulative -= 1; },
      [](auto& b) { b.close->min_paid = 26'000; },
      [](auto& b) { b.terms.rate = 121; },
      [](auto& b) { b.terms.units_per_node = 5; },
      [](auto& b) { b.terms.node_count = 3; },
      [](auto& b) { b.terms.seconds = 601; },
      [](auto& b) { b.terms.start = 1101; },
      [](auto& b) { b.terms.fee_bps = 251; },
      [](auto& b) { b.terms.bid_nonce = 72; },
      [](auto& b) { b.terms.bid_nonce = 69; },
      [](auto& b) { b.terms.grace = 61; },
      [](auto& b) { b.bid.max_total = 479'999; },
      [](auto& b) { b.terms.rate = ~u128{0}; },
  };
  for (size_t i = 0; i < frauds.size(); ++i) {
    ReceiptBundle bundle = honest(parties);
    frauds[i](bundle);
    sign(bundle, parties);
    EXPECT_NE(wrong_rules(bundle), "") << "fraud " << i;
  }
}

TEST(ReceiptCheck, a_signature_of_another_is_found) {
  const Parties parties;
  for (const auto field : {&ReceiptBundle::bid_signature, &ReceiptBundle::terms_signature,
                           &ReceiptBundle::clearance_signature, &ReceiptBundle::voucher_signature,
                           &ReceiptBundle::close_signature, &ReceiptBundle::receipt_signature}) {
    ReceiptBundle bundle = honest(parties);
    (bundle.*field).bytes[10] ^= 1;
    EXPECT_NE(wrong_rules(bundle), "");
  }
  ReceiptBundle bundle = honest(parties);
  bundle.identity = parties.buyer.address();
  EXPECT_NE(wrong_rules(bundle), "");
}

}  // namespace
}  // namespace mizan::cli

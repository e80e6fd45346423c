// Calls as this repository encodes them, held against Foundry's cast.
#include "chain.hpp"
#include "crypto/address.hpp"
#include "support/seed.hpp"

#include <fmt/format.h>

namespace mizan::test {
namespace {

constexpr std::string_view kTerms =
    "(address,address,address,uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256,"
    "uint256,bytes32,bytes32,bytes32,bytes32)";
constexpr std::string_view kBid =
    "(address,address,uint256,uint256,uint256,uint256,uint256,uint256,uint256,bool,bool,uint256,"
    "uint256,uint256,bytes32,uint256)";

/// A message's fields as cast takes them.
struct Text {
  std::string out;
  template <class Field>
  void operator()(const char*, const Field& field) {
    if (!out.empty()) out += ',';
    if constexpr (std::is_same_v<Field, bool>)
      out += field ? "true" : "false";
    else if constexpr (std::is_integral_v<Field> || std::is_same_v<Field, u128>)
      out += mizan::to_string(u128{field});
    else
      out += hex0x(field.view());
  }
};
template <class Message>
std::string text(const Message& message) {
  Text visitor;
  Message::visit_fields(message, visitor);
  return "(" + visitor.out + ")";
}
std::string text(const Signature& signature) {
  return hex0x(signature.view());
}

std::string cast(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {foundry("cast"), "calldata"});
  return output_of(arguments);
}

class Abi : public ::testing::Test {
 protected:
  template <class Fixed>
  Fixed fixed() {
    Fixed value;
    for (uint8_t& byte : value.bytes) byte = static_cast<uint8_t>(random_());
    return value;
  }
  template <class T>
  T number() {
    return static_cast<T>(static_cast<u128>(random_()) << 64 | random_());
  }
  template <class Message>
  Message message() {
    Message out;
    Message::visit_fields(out, [this]<class Field>(const char*, Field& field) {
      if constexpr (std::is_same_v<Field, bool>)
        field = random_() % 2 == 0;
      else if constexpr (std::is_integral_v<Field> || std::is_same_v<Field, u128>)
        field = number<Field>();
      else
        field = fixed<Field>();
    });
    return out;
  }
  uint64_t seed_ = random_seed();
  std::mt19937_64 random_{seed_};
};

TEST_F(Abi, CallsAreThoseOfCast) {
  MIZAN_NEEDS_ANVIL();
  SCOPED_TRACE(seed_note(seed_));
  const auto terms = message<eip712::Terms>();
  const auto bid = message<eip712::Bid>();
  const auto clear = message<eip712::Clearance>();
  const auto sign1 = fixed<Signature>();
  const auto sign2 = fixed<Signature>();
  const auto sign3 = fixed<Signature>();
  const auto amount = number<u128>();
  const auto who = fixed<Address>();
  const std::string t(kTerms);
  const std::string clear_text = fmt::format("({},{},{})", hex0x(clear.verdict.view()),
                                             hex0x(clear.rule_set.view()), clear.valid_until);
  const std::vector<Payee> payees = {{fixed<Address>(), 9000}, {fixed<Address>(), 1000}};
  const std::string payees_text =
      fmt::format("[({},9000),({},1000)]", hex0x(payees[0].to.view()), hex0x(payees[1].to.view()));

  EXPECT_EQ(hex0x(escrow::deposit(amount)), cast({"deposit(uint256)", mizan::to_string(amount)}));
  EXPECT_EQ(hex0x(escrow::withdraw(amount, who)),
            cast({"withdraw(uint256,address)", mizan::to_string(amount), hex0x(who.view())}));
  EXPECT_EQ(
      hex0x(escrow::open({terms, bid, sign1, sign2}, clear, sign3)),
      cast({"open(" + t + "," + std::string(kBid) + ",bytes,bytes,(bytes32,bytes32,uint64),bytes)",
            text(terms), text(bid), text(sign1), text(sign2), clear_text, text(sign3)}));
  EXPECT_EQ(hex0x(escrow::claim(terms, amount, sign1, payees)),
            cast({"claim(" + t + ",uint128,bytes,(address,uint16)[])", text(terms),
                  mizan::to_string(amount), text(sign1), payees_text}));

  const CloseItem whole{terms, amount, sign1, amount / 2, sign2, payees};
  const CloseItem bare{message<eip712::Terms>(), 0, {}, 0, {}, {}};
  const std::string close_type = "(" + t + ",uint128,uint128,bytes,bytes,(address,uint16)[])";
  const std::string whole_text =
      fmt::format("({},{},{},{},{},{})", text(terms), mizan::to_string(amount),
                  mizan::to_string(amount / 2), text(sign1), text(sign2), payees_text);
  const std::string bare_text = fmt::format("({},0,0,0x,0x,[])", text(bare.terms));
  EXPECT_EQ(hex0x(escrow::close(whole)), cast({"close(" + close_type + ")", whole_text}));
  EXPECT_EQ(hex0x(escrow::close_many({whole, bare})),
            cast({"closeMany(" + close_type + "[])", "[" + whole_text + "," + bare_text + "]"}));

  const eip712::ClearanceBatch batch{{}, fixed<Hash32>(), number<uint64_t>()};
  const std::string open_item_type = "(" + t + "," + std::string(kBid) + ",bytes,bytes)";
  const OpenItem unsigned_terms{message<eip712::Terms>(), message<eip712::Bid>(), {}, sign1};
  EXPECT_EQ(hex0x(escrow::open_many({{terms, bid, sign1, sign2}, unsigned_terms}, batch, sign3)),
            cast({"openMany(" + open_item_type +
                      "[],((bytes32,bytes32,uint64),bytes)[],(bytes32,uint64,bytes))",
                  fmt::format("[({},{},{},{}),({},{},0x,{})]", text(terms), text(bid), text(sign1),
                              text(sign2), text(unsigned_terms.terms), text(unsigned_terms.bid),
                              text(sign1)),
                  "[]",
                  fmt::format("({},{},{})", hex0x(batch.rule_set.view()), batch.valid_until,
                              text(sign3))}));

  const auto request = message<eip712::RequestClose>();
  EXPECT_EQ(hex0x(escrow::request_close(terms)), cast({"requestClose(" + t + ")", text(terms)}));
  EXPECT_EQ(hex0x(escrow::request_close_for(terms, request, sign1, amount)),
            cast({"requestCloseFor(" + t + ",uint64,uint64,uint128,bytes,uint256)", text(terms),
                  std::to_string(request.nonce), std::to_string(request.deadline),
                  mizan::to_string(request.max_relay_fee), text(sign1), mizan::to_string(amount)}));
  EXPECT_EQ(hex0x(escrow::finalize_close(terms)), cast({"finalizeClose(" + t + ")", text(terms)}));

  const auto withdraw = message<eip712::Withdraw>();
  EXPECT_EQ(
      hex0x(escrow::withdraw_for(withdraw, sign1, amount)),
      cast({"withdrawFor(address,uint128,uint64,uint64,uint128,bytes,uint256)",
            hex0x(withdraw.owner.view()), mizan::to_string(withdraw.amount),
            std::to_string(withdraw.nonce), std::to_string(withdraw.deadline),
            mizan::to_string(withdraw.max_relay_fee), text(sign1), mizan::to_string(amount)}));
  const auto deposit = message<eip712::Deposit>();
  const Hash32 r = fixed<Hash32>();
  const Hash32 s = fixed<Hash32>();
  Signature permit;
  std::copy(r.bytes.begin(), r.bytes.end(), permit.bytes.begin());
  std::copy(s.bytes.begin(), s.bytes.end(), permit.bytes.begin() + 32);
  permit.bytes[64] = 28;
  EXPECT_EQ(hex0x(escrow::deposit_with_permit(deposit, sign1, permit)),
            cast({"depositWithPermit(address,uint128,uint64,uint64,bytes,uint8,bytes32,bytes32)",
                  hex0x(deposit.owner.view()), mizan::to_string(deposit.amount),
                  std::to_string(deposit.nonce), std::to_string(deposit.deadline), text(sign1),
                  "28", hex0x(r.view()), hex0x(s.view())}));
  const escrow::Authorization paid{withdraw.owner, deposit.owner, amount, 0, 77, r};
  EXPECT_EQ(hex0x(escrow::deposit_with_authorization(paid, permit)),
            cast({"depositWithAuthorization(address,uint256,uint256,uint256,bytes32,uint8,bytes32,"
                  "bytes32)",
                  hex0x(paid.from.view()), mizan::to_string(amount), "0", "77", hex0x(r.view()),
                  "28", hex0x(r.view()), hex0x(s.view())}));
  const auto cancel = message<eip712::CancelBids>();
  EXPECT_EQ(
      hex0x(escrow::cancel_bids_for(cancel, sign1, amount)),
      cast({"cancelBidsFor(address,uint64,uint256,uint64,uint64,uint128,bytes,uint256)",
            hex0x(cancel.owner.view()), std::to_string(cancel.word), hex0x(cancel.mask.view()),
            std::to_string(cancel.nonce), std::to_string(cancel.deadline),
            mizan::to_string(cancel.max_relay_fee), text(sign1), mizan::to_string(amount)}));
  EXPECT_EQ(
      hex0x(escrow::cancel_bids(cancel.word, cancel.mask)),
      cast({"cancelBids(uint64,uint256)", std::to_string(cancel.word), hex0x(cancel.mask.view())}));
  EXPECT_EQ(hex0x(escrow::set_paused(true)), cast({"setPaused(bool)", "true"}));
  EXPECT_EQ(hex0x(escrow::propose_clearance_key(who)),
            cast({"proposeClearanceKey(address)", hex0x(who.view())}));
}

}  // namespace
}  // namespace mizan::test

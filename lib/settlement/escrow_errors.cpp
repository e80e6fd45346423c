#include "settlement/escrow_errors.hpp"

#include <algorithm>
#include <map>

namespace mizan::settlement {
namespace {

struct Known {
  std::string_view name;
  ErrorCode code;
  std::string_view sentence;
};

constexpr auto kKnown = std::to_array<Known>({
    {"AlreadyRequested", ErrorCode::conflict, "the lease's clock stands already"},
    {"AmountTooSmall", ErrorCode::invalid_argument,
     "nothing arrived: the amount is below one base unit of the token, or the token kept it"},
    {"BadConstructor", ErrorCode::invalid_argument,
     "an address of the new contract is zero, or its close delay is not 1 s to 30 days"},
    {"BadSignature", ErrorCode::unauthenticated,
     "the message is not signed by its owner, or says something else"},
    {"BadTerms", ErrorCode::invalid_argument, "the terms have a value that no lease can have"},
    {"BelowMinPaid", ErrorCode::conflict, "the provider would get less than minPaid"},
    {"BidExpired", ErrorCode::expired, "the bid's validUntil or latestStart is over"},
    {"BidNonceSpent", ErrorCode::replayed,
     "a nonce of the bid is spent or cancelled: the lease was opened before, or never can be"},
    {"BidNotSigned", ErrorCode::unauthenticated,
     "the bid is not signed by its buyer, or says something else"},
    {"ClearanceExpired", ErrorCode::expired, "the clearance is too old: ask the exchange anew"},
    {"CloseNotSigned", ErrorCode::unauthenticated,
     "the sender is not the provider, who did not sign this close"},
    {"DelayNotOver", ErrorCode::conflict, "it is too early: the delay is not over"},
    {"Expired", ErrorCode::expired, "the message's deadline is over: sign a new one"},
    {"GroupIncomplete", ErrorCode::conflict, "the legs of the group are not all there"},
    {"GroupNeedsBatch", ErrorCode::invalid_argument,
     "a leg of a group opens with the others, in a batch"},
    {"InsufficientBalance", ErrorCode::insufficient_funds,
     "the balance is below the amount: deposit first"},
    {"NonceSpent", ErrorCode::replayed, "the message was used before"},
    {"NotAllowed", ErrorCode::forbidden, "the sender may not do this"},
    {"NotCleared", ErrorCode::unauthenticated,
     "the lease is not cleared by the exchange's clearance key in force"},
    {"NotOpen", ErrorCode::not_found,
     "no such lease is open on the chain: it never was, or it is closed"},
    {"OpeningPaused", ErrorCode::conflict, "the guardian has stopped the opening of leases"},
    {"OutsideBid", ErrorCode::forbidden, "something in the terms is not what the bid allows"},
    {"Reentrancy", ErrorCode::forbidden, "the token called back into the contract"},
    {"RelayFeeTooHigh", ErrorCode::invalid_argument,
     "the relay fee is above what its owner signed"},
    {"TermsNotSigned", ErrorCode::unauthenticated,
     "the sender is not the provider, who did not sign these terms"},
    {"TooEarly", ErrorCode::conflict, "the start is more than an hour ahead"},
    {"TooLate", ErrorCode::expired, "the lease would be over already"},
    {"UnsupportedToken", ErrorCode::invalid_argument,
     "the token has no code or no decimals between 6 and 18, or took more than it was told"},
    {"VoucherNotSigned", ErrorCode::unauthenticated,
     "the voucher is not signed by the lease's meter, or is another lease's"},
    {"WrongPayees", ErrorCode::invalid_argument, "the payees are not those of the terms"},
    // Of the token, and of the library that calls it.
    {"TransferFailed", ErrorCode::forbidden, "the token refused to pay: it may block the address"},
    {"TransferFromFailed", ErrorCode::insufficient_funds,
     "the token refused to take the amount: its balance or the allowance is too small"},
    {"InsufficientAllowance", ErrorCode::insufficient_funds,
     "the token's allowance is below the amount: approve it first"},
    {"InvalidPermit", ErrorCode::unauthenticated, "the token's permit is not signed by the owner"},
    {"PermitExpired", ErrorCode::expired, "the token's permit is too old"},
});

constexpr Selector kReason{0x08, 0xc3, 0x79, 0xa0};  // Error(string)
constexpr Selector kPanic{0x4e, 0x48, 0x7b, 0x71};   // Panic(uint256)
constexpr size_t kMostReason = 200;

const Known* find(const Selector& reason) {
  static const std::map<Selector, const Known*> by_selector = [] {
    std::map<Selector, const Known*> out;
    for (const Known& known : kKnown) out.emplace(selector(std::string(known.name) + "()"), &known);
    return out;
  }();
  const auto it = by_selector.find(reason);
  return it == by_selector.end() ? nullptr : it->second;
}

/// "bid_expired" of "BidExpired".
std::string code_of(const Known& known) {
  std::string code;
  for (const char c : known.name) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !code.empty()) code += '_';
    code += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return code;
}

Error reverted(std::string why, std::string name) {
  return Error{ErrorCode::conflict, "the contract refused the call: " + std::move(why), {}}.with(
      "revert", std::move(name));
}

/// The text of Error(string), as far as it can be shown.
std::string reason_text(ByteView arguments) {
  std::string out;
  if (arguments.size() <= 64) return out;
  const ByteView text = arguments.subspan(64, std::min(arguments.size() - 64, kMostReason));
  for (const uint8_t byte : text)
    if (byte >= ' ' && byte <= '~') out.push_back(static_cast<char>(byte));
  return out;
}

}  // namespace

Error decode_revert(const Selector& reason) {
  if (const Known* known = find(reason))
    return Error{known->code, std::string(known->sentence), {}}.with("revert",
                                                                     std::string(known->name));
  return reverted("error " + hex0x(reason), hex0x(reason));
}

Error decode_revert(ByteView data) {
  if (data.size() < 4) return reverted("it gave no reason", "");
  const Selector reason{data[0], data[1], data[2], data[3]};
  if (reason == kReason) return reverted(reason_text(data.subspan(4)), "Error");
  if (reason == kPanic)
    return reverted("a check of the compiler's failed (panic " +
                        (data.size() >= 36 ? hex0x(data.subspan(35, 1)) : std::string("?")) + ")",
                    "Panic");
  return decode_revert(reason);
}

std::string revert_code(std::string_view message) {
  for (const Known& known : kKnown)
    if (message == known.sentence) return code_of(known);
  return "";
}

std::string_view revert_sentence(std::string_view code) {
  for (const Known& known : kKnown)
    if (code == code_of(known)) return known.sentence;
  return "";
}

}  // namespace mizan::settlement

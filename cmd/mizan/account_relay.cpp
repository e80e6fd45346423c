// mizan account relay, cancel-bids and --sign: what an owner signs and another pays the gas of.
// SPDX-License-Identifier: Apache-2.0
#include "codec/json_fields.hpp"
#include "crypto/address.hpp"
#include "crypto/random.hpp"
#include "mizan/account_chain.hpp"
#include "mizan/commands.hpp"
#include "mizan/keys.hpp"
#include "mizan/print.hpp"
#include "settlement/escrow_calls.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

namespace escrow = settlement::escrow;
namespace token = settlement::token;

constexpr uint64_t kValidSeconds = uint64_t{24} * 3600;

/// Who signs, and what the chain says that must be signed with it.
struct Signer {
  ChainSettings chain;
  ChainReader reader;
  SecretKey key;
  uint64_t deadline = 0;

  Address owner() const { return key.address(); }
  template <class Message>
  json::value signature(const Message& message) const {
    return to_json(eip712::sign(chain.domain(), message, key));
  }
};

Result<Signer> open_signer(const Context& context) {
  MIZAN_TRY(chain, load_chain(context.home));
  MIZAN_TRY(entry, choose_key(context));
  MIZAN_TRY(key, open_key(context, entry));
  MIZAN_TRY(reader, ChainReader::open(chain.node, chain.chain_id));
  MIZAN_TRY(head, reader.node().head());
  return Signer{std::move(chain), std::move(reader), std::move(key), head.time + kValidSeconds};
}

Result<Money> money_or_none(const std::string& usd) {
  return usd.empty() ? Result<Money>(Money{}) : parse_usd(usd);
}

Result<int> tell_signed(const Context& context, const fs::path& file, const json::object& message) {
  MIZAN_CHECK(write_json_file(file, message));
  if (context.json)
    print_json(message);
  else
    Terminal(stdout, context.no_color)
        .write(fmt::format("signed, good for a day: whoever has the chain's coin sends it with "
                           "`mizan account relay {}`\n",
                           file.string()));
  return kExitDone;
}

/// What a lie of the node's about it can do at most: the signature lets the escrow contract alone
/// take that many units of another token, which it never asks for.
Result<Hash32> ask_separator(Signer& by) {
  const auto told = by.reader.node().view(by.chain.token, token::domain_separator());
  if (!told && told.error().code == ErrorCode::unavailable) return fail(told.error());
  if (!told || told->size() != 32)
    return fail(ErrorCode::unsupported_key,
                "the token takes no signed payments (ERC-2612, ERC-3009): deposit with a key that "
                "has the chain's coin");
  settlement::AbiReader in(*told);
  return in.hash();
}

Result<json::object> signed_permit(Signer& by, Money amount, u128 units) {
  MIZAN_TRY(separator, ask_separator(by));
  MIZAN_TRY(nonce, by.reader.number(by.chain.token, token::nonces(by.owner())));
  const eip712::Deposit message{by.owner(), amount.nano, random_u64(), by.deadline};
  const Hash32 permit =
      token::permit_digest(separator, by.owner(), by.chain.contract, units, nonce, by.deadline);
  return json::object{{"deposit", to_json(message)},
                      {"depositSignature", by.signature(message)},
                      {"permitSignature", to_json(by.key.sign(permit))}};
}

Result<json::object> signed_authorization(Signer& by, u128 units) {
  MIZAN_TRY(separator, ask_separator(by));
  escrow::Authorization message{by.owner(), by.chain.contract, units, 0, by.deadline, {}};
  const Bytes nonce = random_bytes(32);
  std::copy(nonce.begin(), nonce.end(), message.nonce.bytes.begin());
  return json::object{{"authorization", to_json(message)},
                      {"authorizationSignature",
                       to_json(by.key.sign(token::authorization_digest(separator, message)))}};
}

/// A signed message as it goes to the contract.
struct Relayed {
  Address owner;
  std::string id;  ///< it is sent once
  Bytes data;
  std::string done;
};

template <class T>
Result<T> member(const json::value& file, std::string_view key) {
  const json::value* found = file.is_object() ? file.get_object().if_contains(key) : nullptr;
  if (found == nullptr)
    return fail(ErrorCode::invalid_argument, "the file lacks \"" + std::string(key) + "\"");
  return from_json<T>(*found, key);
}

bool has(const json::value& file, std::string_view key) {
  return file.is_object() && file.get_object().contains(key);
}

/// By what was signed, or less if that is said.
Result<u128> fee_of(const ChainSettings& chain, u128 most, const std::string& usd) {
  if (usd.empty()) return whole_units(Money{most}, chain.decimals);
  MIZAN_TRY(fee, parse_usd(usd));
  if (fee.nano > most)
    return fail(ErrorCode::invalid_argument,
                "its owner signed a relay fee of at most " + format_usd(Money{most}));
  return units_from(fee, chain.decimals);
}

std::string id_of(const Hash32& digest) {
  return "relay-" + hex(digest.view());
}

Result<Relayed> read_relayed(const ChainSettings& chain, const json::value& file,
                             const std::string& fee) {
  const eip712::Domain domain = chain.domain();
  if (has(file, "withdraw")) {
    MIZAN_TRY(message, member<eip712::Withdraw>(file, "withdraw"));
    MIZAN_TRY(signature, member<Signature>(file, "withdrawSignature"));
    MIZAN_TRY(units, fee_of(chain, message.max_relay_fee, fee));
    return Relayed{message.owner, id_of(digest(domain, message)),
                   escrow::withdraw_for(message, signature, units),
                   "withdrew " + format_usd(Money{message.amount})};
  }
  if (has(file, "cancelBids")) {
    MIZAN_TRY(message, member<eip712::CancelBids>(file, "cancelBids"));
    MIZAN_TRY(signature, member<Signature>(file, "cancelBidsSignature"));
    MIZAN_TRY(units, fee_of(chain, message.max_relay_fee, fee));
    return Relayed{message.owner, id_of(digest(domain, message)),
                   escrow::cancel_bids_for(message, signature, units), "cancelled the bids"};
  }
  if (!fee.empty())
    return fail(ErrorCode::invalid_argument, "a deposit pays no relay fee: leave out --fee");
  if (has(file, "deposit")) {
    MIZAN_TRY(message, member<eip712::Deposit>(file, "deposit"));
    MIZAN_TRY(signature, member<Signature>(file, "depositSignature"));
    MIZAN_TRY(permit, member<Signature>(file, "permitSignature"));
    return Relayed{message.owner, id_of(digest(domain, message)),
                   escrow::deposit_with_permit(message, signature, permit),
                   "deposited " + format_usd(Money{message.amount})};
  }
  if (has(file, "authorization")) {
    MIZAN_TRY(message, member<escrow::Authorization>(file, "authorization"));
    MIZAN_TRY(signature, member<Signature>(file, "authorizationSignature"));
    if (message.to != chain.contract)
      return fail(ErrorCode::invalid_argument, "the authorization pays another contract");
    return Relayed{message.from, id_of(message.nonce),
                   escrow::deposit_with_authorization(message, signature),
                   "deposited " + format_units(message.value, chain.decimals)};
  }
  return fail(ErrorCode::invalid_argument,
              "the file has none of deposit, authorization, withdraw and cancelBids");
}

Result<int> relay(const Context& context, const fs::path& path, const std::string& fee) {
  MIZAN_TRY(chain, load_chain(context.home));
  MIZAN_TRY(file, read_json_file(path));
  MIZAN_TRY(relayed, read_relayed(chain, file, fee));
  MIZAN_TRY(session, ChainSession::open(context, chain));
  MIZAN_CHECK(session->send(relayed.id, {chain.contract, 0, std::move(relayed.data)}));
  return tell_account(context, chain, session->reader(), relayed.owner, relayed.done);
}

struct CancelOptions {
  uint64_t nonce = 0;
  uint32_t count = 1;
  ToSign sign;
};

/// Bits nonce & 255 and the `count` - 1 after it, of word nonce >> 8.
Result<U256> mask_of(uint64_t nonce, uint32_t count) {
  const uint64_t first = nonce & 255;
  if (count == 0 || first + count > 256)
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("one call cancels nonces of one word: 1 to {} from {} on", 256 - first, nonce));
  U256 mask;
  for (uint64_t bit = first; bit < first + count; ++bit)
    mask.bytes[31 - bit / 8] |= static_cast<uint8_t>(1U << (bit % 8));
  return mask;
}

Result<int> cancel_bids(const Context& context, const CancelOptions& options) {
  MIZAN_TRY(mask, mask_of(options.nonce, options.count));
  const uint64_t word = options.nonce >> 8;
  if (options.sign.file.empty()) {
    MIZAN_TRY(chain, load_chain(context.home));
    MIZAN_TRY(session, ChainSession::open(context, chain));
    MIZAN_CHECK(session->send_again({chain.contract, 0, escrow::cancel_bids(word, mask)}));
    return tell_account(context, chain, session->reader(), session->key().address(),
                        "cancelled the bids");
  }
  MIZAN_TRY(fee, money_or_none(options.sign.relay_fee));
  MIZAN_TRY(by, open_signer(context));
  const eip712::CancelBids message{by.owner(), word, mask, random_u64(), by.deadline, fee.nano};
  return tell_signed(
      context, options.sign.file,
      {{"cancelBids", to_json(message)}, {"cancelBidsSignature", by.signature(message)}});
}

}  // namespace

Result<int> sign_deposit(const Context& context, const std::string& usd, const ToSign& how) {
  if (!how.relay_fee.empty())
    return fail(ErrorCode::invalid_argument, "a deposit pays no relay fee: leave out --relay-fee");
  MIZAN_TRY(amount, parse_usd(usd));
  MIZAN_TRY(by, open_signer(context));
  MIZAN_TRY(units, units_from(amount, by.chain.decimals));
  MIZAN_TRY(message,
            how.authorization ? signed_authorization(by, units) : signed_permit(by, amount, units));
  return tell_signed(context, how.file, message);
}

Result<int> sign_withdrawal(const Context& context, const std::string& usd, const ToSign& how) {
  MIZAN_TRY(amount, parse_usd(usd));
  MIZAN_TRY(fee, money_or_none(how.relay_fee));
  MIZAN_TRY(by, open_signer(context));
  MIZAN_CHECK(units_from(amount, by.chain.decimals));
  const eip712::Withdraw message{by.owner(), amount.nano, random_u64(), by.deadline, fee.nano};
  return tell_signed(
      context, how.file,
      {{"withdraw", to_json(message)}, {"withdrawSignature", by.signature(message)}});
}

void add_relayed_account(CLI::App& account, Context& context) {
  static CancelOptions cancel;
  auto& cancels = *account.add_subcommand("cancel-bids", "Cancel bids in the escrow contract");
  cancels.add_option("nonce", cancel.nonce, "The bid's nonce")->required();
  cancels.add_option("--count", cancel.count, "How many nonces from that one on (1)");
  cancels.add_option("--sign", cancel.sign.file, "Only sign it, into this file");
  cancels.add_option("--relay-fee", cancel.sign.relay_fee, "USD that its sender may take");
  on_run(cancels, context, [&context] { return cancel_bids(context, cancel); });

  static fs::path file;
  static std::string fee;
  auto& relays = *account.add_subcommand("relay", "Send what another signed with --sign");
  relays.add_option("file", file, "The signed message")->required();
  relays.add_option("--fee", fee, "USD that you take (what its owner signed)");
  on_run(relays, context, [&context] { return relay(context, file, fee); });
}

}  // namespace mizan::cli

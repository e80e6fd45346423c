#include "exchange/verify.hpp"

#include "crypto/eip712.hpp"
#include "crypto/hash.hpp"

namespace mizan::exchange {
namespace {

struct Verifier {
  const Exchange& exchange;
  const Genesis& config;
  eip712::Domain domain;

  template <class Message>
  Result<void> signed_by(const Message& message, const Signature& signature,
                         const Address& signer) const {
    return eip712::check_signer(domain, message, signature, signer);
  }
  Result<const Lease*> lease(const LeaseId& id) const {
    const Lease* found = exchange.find_lease(id);
    if (found == nullptr)
      return fail(ErrorCode::not_found, "there is no lease " + hex0x(id.view()));
    return found;
  }
  static Result<void> hashes_to(std::string_view text, const Hash32& hash, std::string_view field,
                                std::string_view what) {
    if (keccak256(text) == hash) return {};
    return fail(Error{ErrorCode::invalid_argument,
                      std::string(field) + " is not the Keccak-256 of the " + std::string(what)}
                    .with("field", std::string(field)));
  }

  /// Nobody's text is kept in the journal only to be refused for its length.
  static Result<void> fits(std::string_view text, size_t bytes, std::string_view field) {
    if (text.size() <= bytes) return {};
    return fail(Error{ErrorCode::too_large,
                      std::string(field) + " has at most " + std::to_string(bytes) + " bytes"}
                    .with("field", std::string(field)));
  }

  Result<void> operator()(const Grant& c) const {
    return signed_by(c.grant, c.signature, config.operator_);
  }
  Result<void> operator()(const PlaceAsk& c) const {
    MIZAN_CHECK(fits(c.attributes, config.limits.attributes_bytes, "attributes"));
    MIZAN_CHECK(hashes_to(c.attributes, c.ask.attributes_hash, "ask.attributesHash", "attributes"));
    return signed_by(c.ask, c.signature, c.ask.provider);
  }
  Result<void> operator()(const CancelAsk& c) const {
    return signed_by(c.cancel, c.signature, c.cancel.provider);
  }
  Result<void> operator()(const PlaceBid& c) const {
    MIZAN_CHECK(fits(c.spec, config.limits.spec_bytes, "spec"));
    MIZAN_CHECK(hashes_to(c.spec, c.bid.spec_hash, "bid.specHash", "spec"));
    return signed_by(c.bid, c.signature, c.bid.buyer);
  }
  Result<void> operator()(const CancelBids& c) const {
    return signed_by(c.cancel, c.signature, c.cancel.owner);
  }
  Result<void> operator()(const Accept& c) const {
    return signed_by(c.terms, c.signature, c.terms.provider);
  }
  Result<void> operator()(const Reject& c) const {
    MIZAN_CHECK(fits(c.code, kMostCodeBytes, "code"));
    return fits(c.message, kMostMessageBytes, "message");
  }
  Result<void> operator()(const Heartbeat& c) const {
    return signed_by(c.heartbeat, c.signature, c.heartbeat.provider);
  }
  Result<void> operator()(const PostVoucher& c) const {
    MIZAN_TRY(found, lease(c.voucher.lease));
    return signed_by(c.voucher, c.signature, found->terms.meter);
  }
  Result<void> operator()(const Close& c) const {
    MIZAN_TRY(found, lease(c.close.lease));
    return signed_by(c.close, c.signature, found->terms.provider);
  }
  Result<void> operator()(const RequestClose& c) const {
    MIZAN_TRY(found, lease(c.request.lease));
    return signed_by(c.request, c.signature, found->terms.buyer);
  }
  Result<void> operator()(const Finalize& c) const {
    if (!c.voucher) return {};
    MIZAN_TRY(found, lease(c.lease));
    return signed_by(eip712::Voucher{c.lease, c.cumulative}, *c.voucher, found->terms.meter);
  }
  Result<void> operator()(const SetPolicy& c) const {
    MIZAN_CHECK(hashes_to(c.options, c.change.options_hash, "change.optionsHash", "options"));
    MIZAN_CHECK(signed_by(c.change, c.signature, config.operator_));
    return exchange.knows_rules(c);
  }
  Result<void> operator()(const Decide& c) const {
    return signed_by(c.decision, c.signature, c.officer);
  }
  Result<void> operator()(const ListParty& c) const {
    return signed_by(c.listing, c.signature, c.officer);
  }
  Result<void> operator()(const FileLicence& c) const {
    return signed_by(c.licence, c.signature, c.officer);
  }
  template <class Unsigned>
  Result<void> operator()(const Unsigned&) const {
    return {};
  }
};

}  // namespace

Result<void> verify(const Command& command, const Exchange& exchange) {
  if (std::holds_alternative<Genesis>(command)) return {};
  if (!exchange.config())
    return fail(ErrorCode::unavailable, "the exchange has no configuration yet");
  const Genesis& config = *exchange.config();
  return std::visit(Verifier{exchange, config, domain_of(config)}, command);
}

}  // namespace mizan::exchange

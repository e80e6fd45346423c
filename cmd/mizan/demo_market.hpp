// The demo's parties in one folder: an exchange, a provider, a buyer, and their operator.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/money.hpp"
#include "credential/sd_jwt.hpp"
#include "mizan/child.hpp"
#include "mizan/command.hpp"
#include "mizan/demo_chain.hpp"
#include "mizan/files.hpp"

#include <boost/json/value.hpp>

#include <optional>

namespace mizan::cli {

struct DemoOptions {
  fs::path folder;                     ///< for everything; made if absent
  std::string rate_usd_hour = "0.36";  ///< what the provider asks for a unit
  std::string grant_usd = "5";         ///< what the operator gives the buyer
  uint32_t fee_bps = 200;
  bool evm = false;  ///< settles on a chain: a node, a token and a contract of the demo's own
};

/// What the demo's issuer vouches for. "" is left unsaid.
struct DemoClaims {
  std::string name;  ///< stands in the credential, and is never shown
  std::string country = "SG";
  std::string parent = "n/a";  ///< where the ultimate parent is
};

/// Real processes on loopback, each with a home and keys of its own. They end with this.
class DemoMarket {
 public:
  /// Makes homes and keys, starts the exchange, grants the buyer money, starts the provider and
  /// waits until its offer stands. `say` tells each step.
  static Result<DemoMarket> start(const Context& context, const DemoOptions& options,
                                  const std::function<void(const std::string&)>& say);

  const std::string& url() const { return url_; }
  fs::path home(const std::string& party) const { return options_.folder / party; }
  fs::path exchange_state() const { return options_.folder / "exchange"; }
  const Address& address(const std::string& party) const { return addresses_.at(party); }
  Money granted() const { return granted_; }
  /// The chain, on which the demo settles if it was asked to.
  DemoChain* chain() { return chain_ ? &*chain_ : nullptr; }
  const Address& contract() const { return contract_; }
  const Address& gas_account() const { return gas_; }

  /// A home with a key, known by `name` from then on.
  Result<void> make_party(const std::string& name);
  /// Gives the party money to order with: credits, or test tokens that it deposits; waits until the
  /// exchange knows of it.
  Result<void> fund(const std::string& name, const std::string& usd);
  /// The demo's issuer vouches for the party, which proves it to the exchange.
  Result<void> prove(const std::string& name, const DemoClaims& claims) const;

  /// `mizan ARGS` as one of the parties (a folder with a key), with --json: the parsed answer.
  Result<boost::json::value> ask(const std::string& party,
                                 const std::vector<std::string>& args) const;
  /// The command line of `mizan ARGS` as one of the parties.
  std::vector<std::string> command(const std::string& party,
                                   const std::vector<std::string>& args) const;
  Child::Options child_options(const std::string& party) const;
  /// Ends provider and exchange in good order.
  Result<void> stop();

 private:
  DemoMarket(const Context& context, DemoOptions options)
      : context_(context), options_(std::move(options)) {}
  Result<void> start_chain();
  Result<void> start_exchange();
  Result<void> start_provider();
  Result<void> wait_for(const std::string& target, Child& child, const std::string& who,
                        const std::function<bool(const boost::json::value&)>& ready);

  const Context& context_;
  DemoOptions options_;
  std::string url_;
  Money granted_;
  std::map<std::string, Address> addresses_;
  std::map<std::string, PublicKey> public_keys_;
  credential::IssuerKey issuer_ = credential::IssuerKey::generate();
  std::optional<DemoChain> chain_;
  Address contract_;
  Address gas_;
  std::optional<Child> exchange_;
  std::optional<Child> provider_;
};

}  // namespace mizan::cli

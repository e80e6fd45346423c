// mizan contract pause, unpause, and the clearance key: what the contract's guardian may do.
// SPDX-License-Identifier: Apache-2.0
#include "codec/json_fields.hpp"
#include "crypto/address.hpp"
#include "mizan/chain_session.hpp"
#include "mizan/commands.hpp"
#include "mizan/print.hpp"
#include "settlement/escrow_calls.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

namespace escrow = settlement::escrow;
using settlement::EscrowFacts;

/// A call of the guardian's: its data, or why it makes no sense now.
using Plan = std::function<Result<Bytes>(const EscrowFacts&, uint64_t now)>;

Result<int> guard(const Context& context, const std::string& done, const Plan& plan) {
  MIZAN_TRY(chain, load_chain(context.home));
  MIZAN_TRY(session, ChainSession::open(context, chain));
  settlement::Node& node = session->reader().node();
  MIZAN_TRY(facts, settlement::ask_escrow(node, chain.contract));
  const Address own = session->key().address();
  if (facts.guardian != own)
    return fail(ErrorCode::forbidden,
                fmt::format("only the contract's guardian {} may do this; you act as {}",
                            to_checksum(facts.guardian), to_checksum(own)));
  MIZAN_TRY(head, node.head());
  MIZAN_TRY(data, plan(facts, head.time));
  MIZAN_TRY(sent, session->send_again({chain.contract, 0, std::move(data)}));
  if (context.json)
    print_json(
        json::object{{"transaction", hex0x(sent.transaction.view())}, {"block", sent.block}});
  else
    Terminal(stdout, context.no_color).write(done + "\n");
  return kExitDone;
}

tl::unexpected<Error> already(const std::string& what) {
  return fail(ErrorCode::conflict, what);
}

Result<int> set_paused(const Context& context, bool paused) {
  return guard(
      context, paused ? "no lease opens any more; those that are open go on" : "leases open again",
      [paused](const EscrowFacts& facts, uint64_t) -> Result<Bytes> {
        if (facts.paused == paused)
          return already(paused ? "the contract is paused already" : "the contract is not paused");
        return escrow::set_paused(paused);
      });
}

Result<int> revoke(const Context& context) {
  return guard(
      context,
      "nothing that the key cleared opens any more; propose another with `mizan contract "
      "propose-clearance-key` (the operator makes one: `mizan exchange --new-clearance-key`)",
      [](const EscrowFacts& facts, uint64_t) -> Result<Bytes> {
        if (facts.clearance.is_zero()) return already("the clearance key is revoked");
        return escrow::revoke_clearance_key();
      });
}

Result<int> propose(const Context& context, const std::string& text) {
  MIZAN_TRY(key, parse_address(text));
  if (key.is_zero()) return fail(ErrorCode::invalid_argument, "the zero address is no key");
  return guard(context,
               "proposed: after 48 hours `mizan contract accept-clearance-key` puts it in force",
               [&key](const EscrowFacts& facts, uint64_t) -> Result<Bytes> {
                 if (facts.clearance == key) return already("that key is in force");
                 return escrow::propose_clearance_key(key);
               });
}

Result<int> accept(const Context& context) {
  return guard(context,
               "the proposed clearance key is in force: leases open once the exchange runs with "
               "it (`mizan exchange --use-new-clearance-key`)",
               [](const EscrowFacts& facts, uint64_t now) -> Result<Bytes> {
                 if (facts.next_clearance.is_zero())
                   return already(
                       "no clearance key is proposed: propose one, it may be accepted "
                       "48 hours later");
                 if (now < facts.next_clearance_from)
                   return already(fmt::format("{} may be accepted in {}, not earlier",
                                              to_checksum(facts.next_clearance),
                                              duration(facts.next_clearance_from - now)));
                 return escrow::accept_clearance_key();
               });
}

}  // namespace

void add_guardian(CLI::App& contract, Context& context) {
  static std::string key;
  const auto add = [&](const char* name, const char* help) -> CLI::App& {
    return *contract.add_subcommand(name, help);
  };
  on_run(add("pause", "Open no lease any more (guardian)"), context,
         [&context] { return set_paused(context, true); });
  on_run(add("unpause", "Open leases again (guardian)"), context,
         [&context] { return set_paused(context, false); });
  on_run(add("revoke-clearance-key", "Take the exchange's key its power at once (guardian)"),
         context, [&context] { return revoke(context); });
  auto& proposes = add("propose-clearance-key", "Name the next clearance key (guardian)");
  proposes.add_option("key", key, "Its address (`mizan exchange --keys`)")->required();
  on_run(proposes, context, [&context] { return propose(context, key); });
  on_run(add("accept-clearance-key", "Put it in force, 48 hours later (guardian)"), context,
         [&context] { return accept(context); });
}

}  // namespace mizan::cli

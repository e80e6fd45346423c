// The subcommands. A file of its own for each; a new one is declared and listed here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mizan/command.hpp"

#include <initializer_list>

namespace mizan::cli {

using AddCommand = void (*)(CLI::App& app, Context& context);

void add_account(CLI::App& app, Context& context);
void add_audit(CLI::App& app, Context& context);
void add_certificate(CLI::App& app, Context& context);
void add_contract(CLI::App& app, Context& context);
void add_credential(CLI::App& app, Context& context);
void add_credential_submit(CLI::App& credential, Context& context);  // beneath `credential`
void add_demo(CLI::App& app, Context& context);
void add_exchange(CLI::App& app, Context& context);
void add_get(CLI::App& app, Context& context);
void add_join(CLI::App& app, Context& context);
void add_journal(CLI::App& app, Context& context);
void add_key(CLI::App& app, Context& context);
void add_logs(CLI::App& app, Context& context);
void add_offers(CLI::App& app, Context& context);
void add_plan(CLI::App& app, Context& context);
void add_ps(CLI::App& app, Context& context);
void add_policy(CLI::App& app, Context& context);
/// What officers and the operator do, beneath `mizan policy`.
void add_policy_officer(CLI::App& policy, Context& context);
void add_policy_rules(CLI::App& policy, Context& context);
void add_provider(CLI::App& app, Context& context);
void add_receipt(CLI::App& app, Context& context);
void add_run(CLI::App& app, Context& context);
void add_lease(CLI::App& app, Context& context);
void add_stop(CLI::App& app, Context& context);
void add_watch(CLI::App& app, Context& context);
/// The subcommands of `account` that are about a chain; and what is signed for others to send.
void add_chain_account(CLI::App& account, Context& context);
void add_relayed_account(CLI::App& account, Context& context);
/// Those of `contract` that are the guardian's.
void add_guardian(CLI::App& contract, Context& context);

// In the order of `mizan --help`.
inline constexpr std::initializer_list<AddCommand> kCommands = {
    add_join,    add_key,      add_account, add_offers,     add_plan,    add_run,
    add_ps,      add_logs,     add_get,     add_stop,       add_receipt, add_provider,
    add_journal, add_exchange, add_demo,    add_credential, add_policy,  add_contract,
    add_lease,   add_audit,    add_watch,   add_certificate};

}  // namespace mizan::cli

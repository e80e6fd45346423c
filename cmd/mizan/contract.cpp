// mizan contract: deploys an escrow contract, or joins one; what it is.
// SPDX-License-Identifier: Apache-2.0
#include "codec/json_fields.hpp"
#include "crypto/address.hpp"
#include "mizan/chain_session.hpp"
#include "mizan/commands.hpp"
#include "mizan/keys.hpp"
#include "mizan/print.hpp"
#include "settlement/escrow_calls.hpp"
#include "settlement/escrow_facts.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

namespace escrow = settlement::escrow;
namespace token = settlement::token;

constexpr size_t kArtifactBytesMax = 4 << 20;

struct DeployOptions {
  std::string node;
  uint64_t chain_id = 0;
  std::string token;
  bool test_token = false;
  std::string fee_to;
  std::string guardian;
  std::string clearance;
  uint64_t close_delay = uint64_t{24} * 3600;
  uint64_t depth = 2;
  fs::path artifacts;
};

/// The creation code that contracts/tools/artifacts.mjs wrote.
Result<Bytes> read_code(const Context& context, const fs::path& folder, const std::string& name) {
  // Beside a build in build/PRESET, as the shipped rules are.
  const fs::path place = folder.empty() ? context.program.parent_path() / "artifacts" : folder;
  MIZAN_TRY(text, read_small_file(place / (name + ".json"), kArtifactBytesMax));
  MIZAN_TRY(value, parse_json(text, {.max_bytes = kArtifactBytesMax}, name + ".json"));
  const json::value* code =
      value.is_object() ? value.get_object().if_contains("bytecode") : nullptr;
  if (code == nullptr || !code->is_string())
    return fail(ErrorCode::invalid_argument, name + ".json has no bytecode");
  return parse_hex(code->get_string());
}

Result<Address> address_or(const std::string& text, const Address& otherwise) {
  return text.empty() ? Result<Address>(otherwise) : parse_address(text);
}

void tell(const Context& context, const ChainSettings& chain) {
  if (context.json) {
    print_json(json::object{{"chainId", chain.chain_id},
                            {"contract", to_json(chain.contract)},
                            {"token", to_json(chain.token)},
                            {"decimals", chain.decimals},
                            {"fromBlock", chain.from_block}});
    return;
  }
  const Terminal terminal(stdout, context.no_color);
  terminal.write(render_pairs(
      terminal,
      {{"contract", {to_checksum(chain.contract), Style::bold}},
       {"chain", {std::to_string(chain.chain_id)}},
       {"token", {fmt::format("{}, {} decimals", to_checksum(chain.token), chain.decimals)}}}));
}

/// Token and decimals, and whether it is a contract of Mizan's on that very chain.
Result<void> learn(ChainReader& reader, ChainSettings& chain) {
  MIZAN_TRY(facts, settlement::ask_escrow(reader.node(), chain.contract));
  chain.token = facts.token;
  chain.decimals = facts.decimals;
  return {};
}

Result<int> deploy(const Context& context, const DeployOptions& options) {
  MIZAN_CHECK(check_depth(options.depth, "--depth"));
  ChainSettings chain{.node = options.node, .chain_id = options.chain_id, .depth = options.depth};
  if (options.test_token == !options.token.empty())
    return fail(ErrorCode::invalid_argument, "give either --token or --test-token");
  if (options.test_token && chain.chain_id != exchange::kDevelopmentChain)
    return fail(
        ErrorCode::forbidden,
        "anyone can make units of the test token: it is for a development chain (id 31337)");
  MIZAN_TRY(code, read_code(context, options.artifacts, "ComputeEscrow"));
  MIZAN_TRY(session, ChainSession::open(context, chain));
  const Address own = session->key().address();
  MIZAN_TRY(head, session->reader().node().head());
  chain.from_block = head.number;
  if (options.test_token) {
    MIZAN_TRY(token_code, read_code(context, options.artifacts, "TestToken"));
    MIZAN_TRY(made, session->send("", {{}, 0, token::create_test(token_code, 6)}));
    chain.token = settlement::created_by(own, made.nonce);
  } else {
    MIZAN_TRY(parsed, parse_address(options.token));
    chain.token = parsed;
  }
  MIZAN_TRY(fee_to, address_or(options.fee_to, own));
  MIZAN_TRY(guardian, address_or(options.guardian, own));
  MIZAN_TRY(clearance, parse_address(options.clearance));
  const Bytes data =
      escrow::create(code, chain.token, fee_to, guardian, clearance, options.close_delay);
  MIZAN_TRY(made, session->send("", {{}, 0, data}));
  chain.contract = settlement::created_by(own, made.nonce);
  MIZAN_CHECK(learn(session->reader(), chain));
  MIZAN_CHECK(save_chain(context.home, chain));
  tell(context, chain);
  MIZAN_CHECK(session->told());
  return kExitDone;
}

Result<int> join(const Context& context, ChainSettings chain, const std::string& contract) {
  MIZAN_CHECK(check_depth(chain.depth, "--depth"));
  MIZAN_TRY(address, parse_address(contract));
  chain.contract = address;
  MIZAN_TRY(reader, ChainReader::open(chain.node, chain.chain_id));
  MIZAN_CHECK(learn(reader, chain));
  MIZAN_CHECK(save_chain(context.home, chain));
  tell(context, chain);
  return kExitDone;
}

Result<int> show(const Context& context) {
  MIZAN_TRY(chain, load_chain(context.home));
  MIZAN_TRY(reader, ChainReader::open(chain.node, chain.chain_id));
  MIZAN_TRY(facts, settlement::ask_escrow(reader.node(), chain.contract));
  if (context.json) {
    print_json(json::object{{"chainId", chain.chain_id},
                            {"contract", to_json(chain.contract)},
                            {"token", to_json(chain.token)},
                            {"decimals", chain.decimals},
                            {"feeTo", to_json(facts.fee_to)},
                            {"guardian", to_json(facts.guardian)},
                            {"clearance", to_json(facts.clearance)},
                            {"nextClearance", to_json(facts.next_clearance)},
                            {"nextClearanceFrom", facts.next_clearance_from},
                            {"closeDelay", facts.close_delay_s},
                            {"paused", facts.paused}});
    return kExitDone;
  }
  const Terminal terminal(stdout, context.no_color);
  terminal.write(render_pairs(
      terminal,
      {{"contract", {to_checksum(chain.contract), Style::bold}},
       {"chain", {std::to_string(chain.chain_id)}},
       {"token", {fmt::format("{}, {} decimals", to_checksum(chain.token), chain.decimals)}},
       {"fees to", {to_checksum(facts.fee_to)}},
       {"guardian", {to_checksum(facts.guardian)}},
       {"clearance", {facts.clearance.is_zero() ? "revoked" : to_checksum(facts.clearance)}},
       {"next key",
        {facts.next_clearance.is_zero() ? "none is proposed" : to_checksum(facts.next_clearance)}},
       {"close delay", {duration(facts.close_delay_s)}},
       {"opening", {facts.paused ? "stopped by the guardian" : "allowed"}}}));
  return kExitDone;
}

void add_node_options(CLI::App& command, std::string& node, uint64_t& chain_id, uint64_t& depth) {
  command.add_option("--node", node, "The node's JSON-RPC, http://host:port (or MIZAN_NODE)")
      ->envname("MIZAN_NODE")
      ->required();
  command.add_option("--chain-id", chain_id, "The chain that it is to serve")->required();
  command.add_option("--depth", depth, "Blocks on top of a block until it counts (2)");
}

}  // namespace

void add_contract(CLI::App& app, Context& context) {
  auto& contract = *app.add_subcommand("contract", "The escrow contract on a chain");
  contract.require_subcommand(1);

  static DeployOptions options;
  auto& deploy_command =
      *contract.add_subcommand("deploy", "Deploy one, and use it from this home");
  add_node_options(deploy_command, options.node, options.chain_id, options.depth);
  deploy_command.add_option("--token", options.token, "The stablecoin's address");
  deploy_command.add_flag("--test-token", options.test_token,
                          "Deploy a token that anyone can make units of (chain 31337 alone)");
  deploy_command.add_option("--clearance", options.clearance, "The exchange's clearance address")
      ->required();
  deploy_command.add_option("--fee-to", options.fee_to, "Who gets the fees (you)");
  deploy_command.add_option("--guardian", options.guardian,
                            "Who may stop opening and revoke the clearance key (you)");
  deploy_command.add_option("--close-delay", options.close_delay,
                            "Seconds that a provider has for its last voucher (86400)");
  deploy_command.add_option("--artifacts", options.artifacts,
                            "Folder of ComputeEscrow.json (beside the program)");
  on_run(deploy_command, context, [&context] { return deploy(context, options); });

  static ChainSettings chain;
  static std::string address;
  auto& join_command = *contract.add_subcommand("join", "Use a contract from this home");
  join_command.add_option("contract", address, "Its address")->required();
  add_node_options(join_command, chain.node, chain.chain_id, chain.depth);
  join_command.add_option("--from-block", chain.from_block, "It is not older than that (0)");
  on_run(join_command, context, [&context] { return join(context, chain, address); });

  auto& show_command = *contract.add_subcommand("show", "What it says of itself");
  on_run(show_command, context, [&context] { return show(context); });
  add_guardian(contract, context);
}

}  // namespace mizan::cli

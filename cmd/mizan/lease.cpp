// mizan lease: brings a lease's signed messages to the escrow contract.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/address.hpp"
#include "mizan/commands.hpp"
#include "mizan/lease_calls.hpp"
#include "mizan/print.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

Result<int> tell(const Context& context, const ChainSettings& chain, ChainReader& reader,
                 const LeaseId& lease, const settlement::Entry* sent) {
  MIZAN_TRY(found, look(reader, chain, lease));
  const char* const state = found.opened == 0 ? "not open" : (found.stop == 0 ? "open" : "stopped");
  if (context.json) {
    json::object out{{"lease", hex0x(lease.view())},
                     {"state", state},
                     {"openedAt", found.opened},
                     {"stoppedAt", found.stop},
                     {"claimed", mizan::to_string(found.claimed)},
                     {"decimals", chain.decimals}};
    if (sent != nullptr) out["transaction"] = hex0x(sent->transaction.view());
    print_json(out);
    return kExitDone;
  }
  const Terminal terminal(stdout, context.no_color);
  terminal.write(
      render_pairs(terminal, {{"lease", {hex0x(lease.view()), Style::bold}},
                              {"on the chain", {state}},
                              {"claimed", {format_units(found.claimed, chain.decimals)}}}));
  return kExitDone;
}

using MakeData = Result<Bytes> (*)(const LeaseFile&, const Address& sender);

Result<int> send(const Context& context, const fs::path& path, const std::string& what,
                 MakeData make) {
  MIZAN_TRY(chain, load_chain(context.home));
  MIZAN_TRY(file, read_lease_file(path, chain.domain()));
  const LeaseId lease = eip712::digest(chain.domain(), file.terms);
  MIZAN_TRY(session, ChainSession::open(context, chain));
  MIZAN_TRY(data, make(file, session->key().address()));
  const std::string id = send_id(what, lease, file);
  if (what == "claim") {
    MIZAN_TRY(head, session->reader().node().head());
    MIZAN_TRY(found, look(session->reader(), chain, lease));
    if (claim_adds(file, found, chain.decimals, head.time)) MIZAN_CHECK(session->renew(id));
  }
  MIZAN_TRY(sent, session->send(id, {chain.contract, 0, std::move(data)}));
  return tell(context, chain, session->reader(), lease, &sent);
}

Result<int> show(const Context& context, const fs::path& path) {
  MIZAN_TRY(chain, load_chain(context.home));
  MIZAN_TRY(file, read_lease_file(path, chain.domain()));
  MIZAN_TRY(reader, ChainReader::open(chain.node, chain.chain_id));
  MIZAN_CHECK(reader.node().head());
  return tell(context, chain, reader, eip712::digest(chain.domain(), file.terms), nullptr);
}

}  // namespace

void add_lease(CLI::App& app, Context& context) {
  static fs::path path;
  auto& lease = *app.add_subcommand("lease", "Bring a lease's signed messages to the contract");
  lease.require_subcommand(1);
  const auto add = [&](const char* name, const char* help) -> CLI::App& {
    auto& command = *lease.add_subcommand(name, help);
    command.add_option("file", path, "The lease's messages, as in a receipt")->required();
    return command;
  };
  struct Sender {
    const char* name;
    const char* help;
    MakeData make;
  };
  static constexpr Sender kSenders[] = {
      {"open", "Open it: bid, terms and clearance", open_data},
      {"claim", "Pay the provider what a voucher adds", claim_data},
      {"close", "Pay the last voucher and refund the rest", close_data},
      {"request-close", "Stop its clock, as the buyer or with its signed request", request_data},
      {"finalize", "End it once the delay after its stop or end is over", finalize_data}};
  static LeaseToSign sign;
  for (const Sender& sender : kSenders) {
    CLI::App& command = add(sender.name, sender.help);
    on_run(command, context, [&context, &sender] {
      return sign.file.empty() ? send(context, path, sender.name, sender.make)
                               : sign_lease(context, path, sender.name, sign);
    });
    const bool stops = sender.make == request_data;
    if (!stops && sender.make != close_data) continue;
    command.add_option("--sign", sign.file,
                       "Only sign it, into this file: another brings it (`mizan watch`)");
    if (stops)
      command.add_option("--in", sign.in, "With --sign: when a watcher is to bring it, e.g. 90m");
  }
  on_run(add("show", "What the contract says of it"), context,
         [&context] { return show(context, path); });
}

}  // namespace mizan::cli

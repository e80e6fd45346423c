// mizan audit: whether the escrow contract holds what it owes, from the chain's events alone.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/address.hpp"
#include "mizan/chain_session.hpp"
#include "mizan/commands.hpp"
#include "mizan/print.hpp"
#include "settlement/escrow_book.hpp"
#include "settlement/escrow_calls.hpp"
#include "settlement/follower.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

namespace escrow = settlement::escrow;
namespace token = settlement::token;

struct Reading {
  settlement::EscrowBook book;
  uint64_t events = 0;
  uint64_t to = 0;
};

/// Everything up to the last block that counts. A chain that turns meanwhile is read anew.
Result<std::optional<Reading>> read_once(ChainReader& reader, const ChainSettings& chain) {
  const uint64_t before = chain.from_block == 0 ? 0 : chain.from_block - 1;
  MIZAN_TRY(first, reader.node().block(before));
  if (!first)
    return fail(ErrorCode::unavailable,
                "the node has no block " + std::to_string(before) + " yet: it is behind");
  settlement::Follower follower(reader.node(), chain.contract, {before, first->hash, first->time},
                                {.depth = chain.depth});
  Reading reading{{}, 0, before};
  for (;;) {
    MIZAN_TRY(changes, follower.poll());
    if (changes.empty()) return std::optional<Reading>(std::move(reading));
    for (const settlement::Change& change : changes) {
      const auto* seen = std::get_if<settlement::Seen>(&change);
      if (seen == nullptr) return std::optional<Reading>{};
      for (const settlement::SeenEvent& event : seen->events) {
        MIZAN_CHECK(reading.book.add(event.event));
        ++reading.events;
      }
      reading.to = seen->to.number;
    }
  }
}

Result<settlement::AbiReader> ask_at(ChainReader& reader, const ChainSettings& chain,
                                     const Bytes& view, uint64_t block, Bytes& answer) {
  MIZAN_TRY(told, reader.node().view_at(chain.contract, view, block));
  answer = std::move(told);
  return settlement::AbiReader(answer);
}

/// What the contract's state says of the same block, where the events can be held against it: a
/// node that leaves out a log contradicts itself here. Empty, or what does not fit.
Result<std::string> left_out(ChainReader& reader, const ChainSettings& chain,
                             const Reading& reading) {
  Bytes answer;
  for (const auto& [lease, locked] : reading.book.leases()) {
    MIZAN_TRY(words, ask_at(reader, chain, escrow::lease_of(lease), reading.to, answer));
    if (words.number() == 0)
      return "lease " + hex0x(lease.view()) + " is open by the events, and not in the contract";
  }
  u128 known = 0;
  for (const Address& owner : reading.book.owners()) {
    MIZAN_TRY(words, ask_at(reader, chain, escrow::balance_of(owner), reading.to, answer));
    MIZAN_TRY(sum, checked_add(known, words.number()));
    known = sum;
  }
  if (known > reading.book.balances())
    return "the balances of those who deposited are " + format_units(known, chain.decimals) +
           ", and by the events there are " +
           format_units(reading.book.balances(), chain.decimals) + " for all";
  return std::string();
}

Result<int> audit(const Context& context) {
  MIZAN_TRY(chain, load_chain(context.home));
  MIZAN_TRY(reader, ChainReader::open(chain.node, chain.chain_id));
  std::optional<Reading> reading;
  for (int attempts = 0; !reading; ++attempts) {
    if (attempts == 5)
      return fail(ErrorCode::unavailable, "the chain turns again and again: try later");
    MIZAN_TRY(once, read_once(reader, chain));
    reading = std::move(once);
  }
  MIZAN_TRY(answer,
            reader.node().view_at(chain.token, token::balance_of(chain.contract), reading->to));
  settlement::AbiReader words(answer);
  const u128 held = words.number();
  MIZAN_CHECK(words.finish());
  MIZAN_TRY(gap, left_out(reader, chain, *reading));
  if (!gap.empty())
    return fail(ErrorCode::corrupted,
                gap + ": the node left out a log, ask another one or your own");
  const settlement::EscrowBook& book = reading->book;
  const bool solvent = held >= book.owed();
  if (context.json) {
    print_json(json::object{{"solvent", solvent},
                            {"toBlock", reading->to},
                            {"events", reading->events},
                            {"deposited", mizan::to_string(book.deposited())},
                            {"withdrawn", mizan::to_string(book.withdrawn())},
                            {"balances", mizan::to_string(book.balances())},
                            {"escrow", mizan::to_string(book.escrow())},
                            {"openLeases", book.leases().size()},
                            {"fees", mizan::to_string(book.fees())},
                            {"owed", mizan::to_string(book.owed())},
                            {"held", mizan::to_string(held)},
                            {"decimals", chain.decimals}});
    return solvent ? kExitDone : kExitFailed;
  }
  const auto usd = [&chain](u128 units) { return Cell{format_units(units, chain.decimals)}; };
  const Terminal terminal(stdout, context.no_color);
  terminal.write(render_pairs(
      terminal, {{"contract", {to_checksum(chain.contract), Style::bold}},
                 {"read", {fmt::format("{} events, up to block {}", reading->events, reading->to)}},
                 {"deposited", usd(book.deposited())},
                 {"withdrawn", usd(book.withdrawn())},
                 {"balances", usd(book.balances())},
                 {"in escrow",
                  {fmt::format("{} for {} leases", format_units(book.escrow(), chain.decimals),
                               book.leases().size())}},
                 {"owed", usd(book.owed())},
                 {"held", usd(held)}}));
  terminal.write(solvent ? terminal.paint(Style::green, "It holds all that it owes.\n")
                         : terminal.paint(Style::red, "It holds LESS than it owes.\n"));
  return solvent ? kExitDone : kExitFailed;
}

}  // namespace

void add_audit(CLI::App& app, Context& context) {
  auto& command = *app.add_subcommand(
      "audit", "Whether the escrow contract holds what it owes, from its events alone");
  on_run(command, context, [&context] { return audit(context); });
}

}  // namespace mizan::cli

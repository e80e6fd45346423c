// A command's work on a chain: its node, its key, and the outbox of that key.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/journal.hpp"
#include "mizan/chain_settings.hpp"
#include "mizan/command.hpp"
#include "mizan/files.hpp"
#include "settlement/abi.hpp"
#include "settlement/escrow_facts.hpp"
#include "settlement/outbox.hpp"

#include <memory>

namespace mizan::cli {

/// Asks a node; needs no key.
class ChainReader {
 public:
  static Result<ChainReader> open(const std::string& node_url, uint64_t chain_id);

  settlement::Node& node() { return node_; }
  Result<u128> number(const Address& contract, const Bytes& view) {
    return settlement::ask_number(node_, contract, view);
  }

 private:
  explicit ChainReader(settlement::Node node) : node_(std::move(node)) {}
  settlement::Node node_;
};

/// Sends with the key of --key. One at a time for each key and chain, by a lock. What an earlier
/// command left under way is finished on the way.
class ChainSession {
 public:
  static Result<std::unique_ptr<ChainSession>> open(const Context& context,
                                                    const ChainSettings& chain);

  ChainReader& reader() { return reader_; }
  const SecretKey& key() const { return key_; }

  /// Sends the call and waits until it is over. The same id is sent once, ever. "" is a new one, or
  /// one with this very call that an earlier command left: under way, or done and untold. What the
  /// contract refuses is an error with its reason; unavailable: it is not over within five minutes,
  /// and goes on with the same command.
  Result<settlement::Entry> send(std::string id, settlement::Call call);
  /// The same for a call that may be made twice, such as an approval.
  Result<settlement::Entry> send_again(settlement::Call call);
  /// What was sent under the id is over, and is to be sent once more.
  Result<void> renew(const std::string& id);
  /// The user knows what was sent without an id: the same call is a new one from now on. Killed
  /// before that, a command that is run again does not do it twice.
  Result<void> told();

 private:
  ChainSession(FileLock lock, ChainReader reader, SecretKey key)
      : lock_(std::move(lock)), reader_(std::move(reader)), key_(std::move(key)) {}

  std::string id_for(const settlement::Call& call) const;
  Result<settlement::Entry> finish(const std::string& id);

  FileLock lock_;
  ChainReader reader_;
  SecretKey key_;
  std::unique_ptr<journal::Journal> journal_;
  std::optional<settlement::Outbox> outbox_;
  std::vector<std::string> untold_;
};

}  // namespace mizan::cli

// The service: the exchange's API, with no thread and no socket of its own.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/server.hpp"
#include "service/chain_desk.hpp"
#include "service/context.hpp"

#include <memory>

namespace mizan::service {

/// Serves docs/PROTOCOL.md over an exchange and its journal. Who drives it gives it requests (a
/// net::Server, or a simulated network) and calls `step`, both real and simulated the same way.
class Service final : public net::Handler {
 public:
  /// Recovers the state from the journal, writes Genesis if that is empty, Resume, and what a crash
  /// left undone. Errors: corrupted with details.place; conflict if the configuration is not that
  /// of the journal's Genesis; whatever the journal says.
  static Result<std::unique_ptr<Service>> open(ServiceConfig config, ServiceParts parts);
  ~Service() override;

  // On any thread; the answers come from the pool or from `step`.
  void plan(const net::Request& head, net::PlanAnswer answer) override;
  void handle(net::Request request, std::shared_ptr<net::BodySink> sink,
              net::Respond respond) override;
  void upgrade(net::Request head, net::UpgradeAnswer answer) override;

  /// Commits and applies one group, and does what time has made due. One thread. False if nothing
  /// was waiting.
  bool step();
  /// How long `step` has nothing to do unless something is submitted, at most `most`.
  net::Milliseconds idle_for(net::Milliseconds most) const;

  Sequencer& sequencer();
  const SharedExchange& state() const;
  Context& context();
  /// What follows the chain, which another thread steps (ChainDriver); null without one.
  ChainDesk* chain();

 private:
  struct Impl;
  explicit Service(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mizan::service

// A proxy between the client and a node, which can be told to misbehave.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/client.hpp"
#include "net/server.hpp"

#include <boost/json.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace mizan::test {

namespace json = boost::json;

/// What to do with a request: the node's answer goes through `answer`.
class Proxy : public net::Handler {
 public:
  /// Given the method and the node's answer (already obtained); gives the body that goes back, or
  /// nothing: then the client gets status 503.
  using Rewrite =
      std::function<std::optional<std::string>(const std::string& method, std::string answer)>;

  explicit Proxy(const std::string& node_url);
  ~Proxy() override;
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  /// From now on; nothing: honest.
  void set(Rewrite rewrite);
  /// It falls at that request from now (1: the next; 0: never) and stays down: the node sees that
  /// one or not, its answer is lost.
  void fall(size_t at, bool reached);

  void plan(const net::Request& head, net::PlanAnswer answer) override;
  void handle(net::Request request, std::shared_ptr<net::BodySink> sink,
              net::Respond respond) override;
  void upgrade(net::Request head, net::UpgradeAnswer answer) override;

 private:
  mutable std::mutex mutex_;
  net::Client node_;
  Rewrite rewrite_;
  size_t falls_in_ = 0;
  bool reached_ = false;
  std::unique_ptr<net::Server> server_;
};

/// Puts another value in the place of the answer's result.
std::string with_result(const std::string& answer, const json::value& result);

}  // namespace mizan::test

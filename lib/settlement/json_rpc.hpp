// JSON-RPC to an Ethereum node: time-outs, retries, and nothing believed about the answer's shape.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "net/client.hpp"

#include <functional>

namespace mizan::settlement {

struct RpcOptions {
  net::Milliseconds connect_timeout{3'000};
  net::Milliseconds timeout{15'000};  ///< of one attempt
  unsigned attempts = 3;              ///< when the node can't be reached or talks nonsense
  net::Milliseconds pause{200};       ///< before the second attempt; doubled for each more
  uint64_t max_answer_bytes = uint64_t{32} << 20;
};

/// Brings a request's JSON to a node, and the answer's back.
using RpcPost = std::function<Result<std::string>(const std::string& body)>;

/// One connection to one node. One thread at a time.
class JsonRpc {
 public:
  /// "https://host:port" with or without a path, which may be a secret and is in no message; http
  /// to this machine alone.
  static Result<JsonRpc> open(std::string_view url, const RpcOptions& options = {});
  /// To a node that `post` reaches and that messages call `where`.
  JsonRpc(std::string where, RpcPost post, const RpcOptions& options)
      : where_(std::move(where)), post_(std::move(post)), options_(options) {}

  /// The member "result" of the answer. Whoever can't be reached or answers with anything but
  /// JSON-RPC is `unavailable`; an error that the node itself tells is `conflict`, with
  /// details["rpc_code"], details["rpc_message"] (bounded, printable) and, where it has one,
  /// details["rpc_data"] (hex). Only methods that may be repeated are called.
  Result<json::value> call(std::string_view method, const json::array& params);

  /// "host:port".
  const std::string& where() const { return where_; }

 private:
  Result<json::value> attempt(std::string_view method, const json::array& params);

  std::string where_;
  RpcPost post_;
  RpcOptions options_;
  uint64_t id_ = 0;
};

/// Text of a stranger's, cut to 300 bytes, without what a terminal would act on.
std::string printable_text(std::string_view text);

}  // namespace mizan::settlement

// A blocking HTTP client for the exchange's API.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/auth.hpp"
#include "net/http.hpp"

#include <filesystem>
#include <functional>

namespace mizan::net {

struct ClientOptions {
  Milliseconds connect_timeout{5'000};
  Milliseconds timeout{30'000};        ///< of a whole call; of each 64 KiB when a file travels
  uint64_t max_body_bytes = 64 << 20;  ///< of an answer that is kept in memory
};

/// Bytes done and bytes in all (0 when unknown).
using Progress = std::function<void(uint64_t, uint64_t)>;

/// One connection to one server, kept alive between calls and opened again when it was closed. An
/// answer of 400 and above comes back as the Error in its body (details["status"] has the number);
/// a server that cannot be reached is `unavailable`. One thread at a time.
class Client {
 public:
  explicit Client(Url url, std::shared_ptr<const Signer> signer = nullptr,
                  ClientOptions options = {});
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  const Url& url() const;
  /// Requests are signed from now on (or no more, with null).
  void set_signer(std::shared_ptr<const Signer> signer);
  const std::shared_ptr<const Signer>& signer() const;
  /// The server's clock less ours in ms, modulo 2^64: requests are signed with the server's time.
  void set_clock_ahead(uint64_t ms);

  Result<Response> get(const std::string& target);
  /// `idempotency_key` "" sends none.
  Result<Response> post(const std::string& target, std::string json,
                        const std::string& idempotency_key = "");
  Result<Response> put(const std::string& target, std::string json);
  /// Sends a file as the body of a PUT.
  Result<Response> put_file(const std::string& target, const std::filesystem::path& file,
                            const Progress& progress = {});
  /// Writes the answer's body to `file` (made anew, mode 0600; removed again on failure). A body
  /// over `max_bytes` is too_large.
  Result<Response> get_file(const std::string& target, const std::filesystem::path& file,
                            uint64_t max_bytes, const Progress& progress = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mizan::net

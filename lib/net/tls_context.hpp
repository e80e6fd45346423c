// OpenSSL's contexts for both ends of a connection. Internal to lib/net.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/http.hpp"
#include "net/stream.hpp"
#include "net/tls.hpp"

namespace mizan::net {

/// Reads and checks the files; every mistake in them is a sentence that names the file.
Result<std::shared_ptr<TlsContext>> server_tls(const TlsFiles& files);
/// Trusts the authorities in `ca`, or, if that is "", the system's (SSL_CERT_FILE names others).
Result<std::shared_ptr<TlsContext>> client_tls(const std::string& ca);

/// Puts TLS over a connected stream and checks that the other end is `url.host`. What is wrong with
/// its certificate is `unauthenticated`.
asio::awaitable<Result<void>> secure_client(Stream& stream, TlsContext& context, const Url& url);

}  // namespace mizan::net

// TLS 1.3 for what leaves the machine: a server's certificate, and whom a client believes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace mizan::net {

/// A server's files, PEM: its certificate with those that lead to its authority's, and its key
/// (mode 0600, not encrypted).
struct TlsFiles {
  std::filesystem::path certificate;
  std::filesystem::path key;
  bool given() const { return !certificate.empty() || !key.empty(); }
};

/// Whether `host` (an IP address or "localhost") is this machine: only there may bytes travel
/// without TLS.
bool is_loopback(const std::string& host);

/// What a development certificate is for.
struct CertificateNames {
  std::vector<std::string> names;  ///< DNS names
  std::vector<std::string> ips;
};

/// PEM texts. The authority's key is thrown away: nobody can make another certificate under it.
struct DevelopmentCertificate {
  std::string authority;    ///< its certificate, which clients are told to trust
  std::string certificate;  ///< the server's
  std::string key;          ///< the server's; wipe it after use
};

/// A new authority and a server's certificate under it, good for `days` from a day before `now`.
/// invalid_argument names what is no DNS name or IP address.
Result<DevelopmentCertificate> make_development_certificate(const CertificateNames& names,
                                                            UnixMs now, uint32_t days);

}  // namespace mizan::net

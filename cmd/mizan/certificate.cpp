// mizan certificate make: an authority and a server's certificate, for development.
// SPDX-License-Identifier: Apache-2.0
#include "base/time.hpp"
#include "crypto/random.hpp"
#include "mizan/commands.hpp"
#include "mizan/files.hpp"
#include "mizan/print.hpp"
#include "net/tls.hpp"

#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace mizan::cli {
namespace {

struct Options {
  net::CertificateNames names;
  fs::path out;
  uint32_t days = 90;
};

Result<int> make(const Context& context, const Options& options) {
  net::CertificateNames names = options.names;
  if (names.names.empty() && names.ips.empty()) names = {{"localhost"}, {"127.0.0.1", "::1"}};
  const fs::path authority = options.out / "ca.pem";
  const fs::path certificate = options.out / "server.pem";
  const fs::path key = options.out / "server.key";
  for (const fs::path& file : {authority, certificate, key}) {
    std::error_code ignored;
    if (fs::exists(file, ignored))
      return fail(ErrorCode::already_exists,
                  fmt::format("{} is there already: name another folder", file.string()));
  }
  MIZAN_TRY(made, net::make_development_certificate(names, system_clock().now(), options.days));
  MIZAN_CHECK(make_private_folder(options.out));
  MIZAN_CHECK(write_small_file(key, made.key));
  wipe(made.key);
  MIZAN_CHECK(write_small_file(certificate, made.certificate));
  MIZAN_CHECK(write_small_file(authority, made.authority));
  if (context.json) {
    print_json(boost::json::object{{"authority", authority.string()},
                                   {"certificate", certificate.string()},
                                   {"key", key.string()},
                                   {"days", options.days},
                                   {"forDevelopmentOnly", true}});
    return kExitDone;
  }
  Terminal(stdout, context.no_color)
      .write(fmt::format(
          "For development only: an authority that nobody else knows, good for {} days. Its own\n"
          "key is thrown away; an exchange in the open takes a certificate of a public one.\n"
          "  exchange:  mizan exchange --tls-certificate {} --tls-key {} ...\n"
          "  others:    mizan join https://... --ca {}\n"
          "  provider:  ca: {}\n",
          options.days, certificate.string(), key.string(), authority.string(),
          authority.string()));
  return kExitDone;
}

}  // namespace

void add_certificate(CLI::App& app, Context& context) {
  auto& certificate = *app.add_subcommand("certificate", "Certificates for TLS in development");
  certificate.require_subcommand(1);
  auto& command = *certificate.add_subcommand(
      "make", "A development authority and a server's certificate under it");
  static Options options;
  command.add_option("--name", options.names.names, "DNS name; repeat it for more")
      ->allow_extra_args(false);
  command
      .add_option("--ip", options.names.ips,
                  "IP address; repeat it for more. Default: localhost, 127.0.0.1 and ::1")
      ->allow_extra_args(false);
  command.add_option("--days", options.days, "How long they are good for")
      ->check(CLI::Range(1, 825))
      ->capture_default_str();
  command.add_option("--out", options.out, "Folder for ca.pem, server.pem and server.key")
      ->required();
  on_run(command, context, [&context] { return make(context, options); });
}

}  // namespace mizan::cli

// mizan: one binary for buyers, providers, operators and officers.
// SPDX-License-Identifier: Apache-2.0
#include "base/nearest.hpp"
#include "crypto/private_process.hpp"
#include "mizan/commands.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace mizan;
using namespace mizan::cli;

std::filesystem::path default_home() {
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe): no other thread yet
  return std::filesystem::path(home != nullptr && *home != '\0' ? home : "/root") / ".mizan";
}

void add_shared_flags(CLI::App& app, Context& context) {
  app.add_flag("--json", context.json, "One JSON value on standard output");
  app.add_flag("--no-color", context.no_color, "No colours (NO_COLOR does the same)");
  app.add_option("--home", context.home, "Folder of keys, settings and jobs")
      ->envname("MIZAN_HOME")
      ->default_val(default_home().string());
  app.add_option("--exchange", context.exchange, "The exchange's URL")->envname("MIZAN_EXCHANGE");
  app.add_option("--ca", context.ca,
                 "PEM file of the authority of an https exchange, instead of the system's")
      ->envname("MIZAN_CA");
  app.add_option("--key", context.key_name, "Which key of the home to act with")
      ->envname("MIZAN_KEY");
  app.add_option("--passphrase-file", context.passphrase_file,
                 "File of mode 0600 with the key's passphrase")
      ->envname("MIZAN_PASSPHRASE_FILE");
}

// Of "mizan offer" CLI11 says no more than that a subcommand is required.
void offer_nearest(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  const auto words = app.remaining();
  if (!app.get_subcommands().empty() || words.empty()) return;
  const auto close = nearest(words[0], names);
  fmt::print(stderr, "mizan: there is no command \"{}\"{}\n", words[0],
             close ? fmt::format("; did you mean \"{}\"?", *close) : "");
}

int run(int argc, char** argv) {
  Context context;
  std::error_code ignored;
  context.program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread yet
  const char* no_color = std::getenv("NO_COLOR");
  context.no_color = no_color != nullptr && *no_color != '\0';

  CLI::App app{"Mizan: an open exchange for AI compute", "mizan"};
  app.require_subcommand(1);
  app.fallthrough();  // shared flags may stand behind the subcommand
  app.set_version_flag("--version", MIZAN_VERSION);
  app.footer(
      "Exit codes: 0 done; 1 refused or failed; 2 the command line or a file that it names is\n"
      "wrong. `run` and `logs -f` end with the job's own exit code.");
  add_shared_flags(app, context);
  for (const AddCommand add : kCommands) add(app, context);
  // Behind "--" stands a job's own command, whatever it looks like.
  int own = 1;
  while (own < argc && std::string_view(argv[own]) != "--") ++own;
  for (int i = own + 1; i < argc; ++i) context.command_words.emplace_back(argv[i]);
  try {
    app.parse(own, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) offer_nearest(app);
    return app.exit(error) == 0 ? kExitDone : kExitUsage;
  }
  auto code = context.action();
  return code ? *code : report(context, code.error());
}

}  // namespace

int main(int argc, char** argv) {
  mizan::make_process_private();
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe or socket is an error value, not a death
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mizan: internal: %s\n", error.what());
    return kExitFailed;
  }
}

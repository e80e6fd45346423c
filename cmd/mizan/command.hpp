// What every subcommand of mizan is given, and how it reports back.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace mizan::cli {

/// Exit codes: 0 done; 1 it was refused or failed; 2 the command line or a file that it names is
/// wrong. `mizan run` and `mizan logs -f` end with the job's own exit code once it has one.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

/// The flags that all subcommands share, filled while the command line is read: valid in a
/// subcommand's action, not while it registers itself. Lives as long as the process.
struct Context {
  bool json = false;           ///< --json: one JSON value on standard output, nothing else there
  bool no_color = false;       ///< --no-color, or NO_COLOR in the environment
  std::filesystem::path home;  ///< --home, MIZAN_HOME, or ~/.mizan: keys, settings, jobs
  std::string exchange;        ///< --exchange or MIZAN_EXCHANGE; "" means that of the settings
  std::filesystem::path ca;    ///< --ca or MIZAN_CA: whom to trust for https besides the system's
  std::string key_name;        ///< --key: a key of the home; "" means the settings' or the only one
  std::filesystem::path passphrase_file;  ///< --passphrase-file: a file of mode 0600

  std::vector<std::string> command_words;  ///< what stands behind "--"

  std::filesystem::path program;          ///< this binary's own path, to start its siblings
  std::function<Result<int>()> action{};  ///< what main calls once the command line is read
};

/// Makes `action` what the subcommand does. It returns the exit code, or an error that main prints
/// as a sentence ("mizan: resources.cpus: ...") or, with --json, as {code, message, details}.
inline void on_run(CLI::App& command, Context& context, std::function<Result<int>()> action) {
  command.callback([&command, &context, action = std::move(action)] {
    // CLI11 calls a parent's callback after its child's.
    if (command.get_subcommands().empty()) context.action = action;
  });
}

/// A secret from, in this order: `file` if it is not empty; --passphrase-file; the systemd
/// credential mizan-passphrase; the terminal, without echo, asked with `prompt` (twice if
/// `confirm`). A file must be regular and closed to group and others. Never from the command line
/// or the environment.
Result<std::string> read_passphrase(const Context& context, const std::string& prompt,
                                    bool confirm = false, const std::filesystem::path& file = {});

/// Prints an error to standard error (or, with --json, to standard output); gives its exit code.
int report(const Context& context, const Error& error);

}  // namespace mizan::cli

// mizan key: make, show, unlock, lock, import and export keys.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/address.hpp"
#include "crypto/keystore.hpp"
#include "crypto/private_file.hpp"
#include "crypto/random.hpp"
#include "job/job_file.hpp"
#include "mizan/commands.hpp"
#include "mizan/keys.hpp"
#include "mizan/print.hpp"
#include "mizan/settings.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

// Nobody guesses 32 random bytes, however little a guess costs.
constexpr ScryptCost kLightCost{.n = 4096};

json::object key_json(const KeyEntry& entry) {
  return {
      {"name", entry.name}, {"address", to_checksum(entry.address)}, {"file", entry.file.string()}};
}

Result<int> print_key(const Context& context, const KeyEntry& entry) {
  MIZAN_TRY(unlocked, find_unlocked(entry.address));
  if (context.json) {
    auto value = key_json(entry);
    value["unlockedUntilMs"] = unlocked ? json::value(unlocked->expires_at_ms) : nullptr;
    print_json(value);
    return kExitDone;
  }
  const Terminal terminal(stdout, context.no_color);
  terminal.write(render_pairs(
      terminal,
      {{"key", {entry.name, Style::bold}},
       {"address", {to_checksum(entry.address)}},
       {"file", {entry.file.string()}},
       {"state",
        {unlocked ? "unlocked until " + utc(unlocked->expires_at_ms) : std::string("locked")}}}));
  return kExitDone;
}

Result<int> list(const Context& context) {
  MIZAN_TRY(entries, list_keys(context.home));
  if (context.json) {
    json::array keys;
    for (const KeyEntry& entry : entries) keys.push_back(key_json(entry));
    print_json(json::object{{"keys", std::move(keys)}});
    return kExitDone;
  }
  const Terminal terminal(stdout, context.no_color);
  if (entries.empty()) {
    terminal.write("no keys yet: mizan key new\n");
    return kExitDone;
  }
  Table table({{"NAME"}, {"ADDRESS"}, {"STATE"}});
  for (const KeyEntry& entry : entries) {
    MIZAN_TRY(unlocked, find_unlocked(entry.address));
    table.add({{entry.name, Style::bold},
               {to_checksum(entry.address)},
               unlocked ? Cell{"unlocked until " + utc(unlocked->expires_at_ms), Style::green}
                        : Cell{"locked", Style::dim}});
  }
  terminal.write(table.render(terminal));
  return kExitDone;
}

Result<int> unlock(const Context& context, const std::string& lifetime) {
  MIZAN_TRY(seconds, job::parse_duration(lifetime, "--for"));
  if (seconds == 0 || seconds > uint64_t{7} * 86'400)
    return fail(ErrorCode::invalid_argument, "--for: give a lifetime of at most 7d");
  MIZAN_TRY(entry, choose_key(context));
  MIZAN_TRY(passphrase,
            read_passphrase(context, fmt::format("Passphrase of key \"{}\": ", entry.name)));
  auto key = keystore_load(entry.file.string(), passphrase);
  wipe(passphrase);
  if (!key) return fail(std::move(key).error());

  const uint64_t now = system_clock().now().ms;
  Unlocked unlocked{.key = std::move(*key), .expires_at_ms = now + seconds * 1000};
  MIZAN_TRY(settings, load_settings(context.home));
  if (!settings.exchange_id.is_zero()) {
    unlocked.login_key.emplace(SecretKey::generate());
    // A minute earlier, for an exchange whose clock is a little behind.
    const eip712::Login login{.account = entry.address,
                              .key = unlocked.login_key->address(),
                              .issued_at = now / 1000 - 60,
                              .valid_until = unlocked.expires_at_ms / 1000};
    unlocked.login = net::LoginProof{login, eip712::sign(settings.domain, login, unlocked.key)};
    unlocked.login_exchange = settings.exchange_id;
  }
  MIZAN_CHECK(keep_unlocked(unlocked));
  return print_key(context, entry);
}

Result<int> lock(const Context& context) {
  MIZAN_TRY(entry, choose_key(context));
  MIZAN_CHECK(forget_unlocked(entry.address));
  return print_key(context, entry);
}

Result<int> create(const Context& context, const std::string& name, bool light) {
  MIZAN_TRY(passphrase, read_passphrase(context, "A passphrase for the new key: ", true));
  if (passphrase.empty())
    return fail(ErrorCode::invalid_argument, "an empty passphrase protects nothing: choose one");
  auto entry = store_key(context.home, name, SecretKey::generate(), passphrase,
                         light ? kLightCost : ScryptCost{});
  wipe(passphrase);
  if (!entry) return fail(std::move(entry).error());
  return print_key(context, *entry);
}

Result<int> import(const Context& context, const std::string& name, const fs::path& file) {
  MIZAN_TRY(text, read_private_file(file.string()));
  if (text.find('{') != text.npos) {
    MIZAN_TRY(passphrase, read_passphrase(context, "The file's passphrase: "));
    MIZAN_TRY(key, keystore_decrypt(text, passphrase));
    MIZAN_TRY(entry, store_key(context.home, name, key, passphrase));
    wipe(passphrase);
    return print_key(context, entry);
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  MIZAN_TRY(bytes, parse_hex(text));
  wipe(text);
  MIZAN_TRY(key, SecretKey::from_bytes(bytes));
  wipe(bytes);
  MIZAN_TRY(passphrase, read_passphrase(context, "A passphrase for the key: ", true));
  MIZAN_TRY(entry, store_key(context.home, name, key, passphrase));
  wipe(passphrase);
  return print_key(context, entry);
}

Result<int> export_key(const Context& context, const fs::path& out) {
  MIZAN_TRY(entry, choose_key(context));
  MIZAN_TRY(text, read_private_file(entry.file.string()));
  if (out.empty()) {
    Terminal(stdout, context.no_color).write(text + (text.ends_with('\n') ? "" : "\n"));
    return kExitDone;
  }
  MIZAN_CHECK(write_small_file(out, text));
  return print_key(context, entry);
}

}  // namespace

void add_key(CLI::App& app, Context& context) {
  auto& key = *app.add_subcommand("key", "Make, unlock, import and export keys");
  key.require_subcommand(1);
  static std::string name = "default", lifetime = "8h";
  static fs::path file, out;
  static bool light = false;

  auto& create_command = *key.add_subcommand("new", "Make a key, encrypted under a passphrase");
  create_command.add_option("name", name, "Its name")->capture_default_str();
  create_command.add_flag("--light", light,
                          "For a service whose passphrase is long and random: opens at once");
  on_run(create_command, context, [&context] { return create(context, name, light); });

  auto& list_command = *key.add_subcommand("list", "The keys of this home");
  on_run(list_command, context, [&context] { return list(context); });

  auto& show_command = *key.add_subcommand("show", "One key (--key NAME)");
  on_run(show_command, context, [&context]() -> Result<int> {
    MIZAN_TRY(entry, choose_key(context));
    return print_key(context, entry);
  });

  auto& unlock_command =
      *key.add_subcommand("unlock", "Ask for the passphrase once; later commands need none");
  unlock_command.add_option("--for", lifetime, "How long, at most 7d")->capture_default_str();
  on_run(unlock_command, context, [&context] { return unlock(context, lifetime); });

  auto& lock_command = *key.add_subcommand("lock", "Forget the unlocked key");
  on_run(lock_command, context, [&context] { return lock(context); });

  auto& import_command = *key.add_subcommand("import", "Take a key from a file of mode 0600");
  import_command.add_option("name", name, "Its name here")->required();
  import_command.add_option("file", file, "A keystore (v3), or 64 hex digits")->required();
  on_run(import_command, context, [&context] { return import(context, name, file); });

  auto& export_command = *key.add_subcommand("export", "The encrypted keystore (v3), for a backup");
  export_command.add_option("--out", out, "A file instead of standard output");
  on_run(export_command, context, [&context] { return export_key(context, out); });
}

}  // namespace mizan::cli

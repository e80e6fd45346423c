#include "mizan/command.hpp"

#include "crypto/private_file.hpp"
#include "mizan/print.hpp"
#include "mizan/terminal.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

namespace mizan::cli {
namespace {

constexpr size_t kPassphraseBytesMax = 4096;

Result<std::string> read_secret_file(const std::filesystem::path& path) {
  MIZAN_TRY(text, read_private_file(path.string(), kPassphraseBytesMax));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty())
    return fail(ErrorCode::invalid_argument, fmt::format("{} is empty", path.string()));
  return text;
}

Result<std::string> ask_terminal(const std::string& prompt) {
  const int fd = ::open("/dev/tty", O_RDWR | O_CLOEXEC);
  termios before{};
  if (fd < 0 || ::tcgetattr(fd, &before) != 0) {
    if (fd >= 0) ::close(fd);
    return fail(ErrorCode::unauthenticated,
                "no terminal to ask for the passphrase: give --passphrase-file, or unlock the key "
                "first with `mizan key unlock`");
  }
  termios quiet = before;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(fd, TCSAFLUSH, &quiet);
  std::string text;
  bool ended = ::write(fd, prompt.data(), prompt.size()) < 0;
  char letter = 0;
  while (!ended && text.size() < kPassphraseBytesMax && ::read(fd, &letter, 1) == 1) {
    if (letter == '\n') break;
    text.push_back(letter);
  }
  ::tcsetattr(fd, TCSAFLUSH, &before);
  [[maybe_unused]] const ssize_t shown = ::write(fd, "\n", 1);
  ::close(fd);
  return text;
}

bool is_bad_input(ErrorCode code) {
  return code == ErrorCode::invalid_argument || code == ErrorCode::unknown_field ||
         code == ErrorCode::unsupported_key || code == ErrorCode::too_large;
}

// What removed which offers, a line each.
std::string describe_reasons(const std::string& text) {
  boost::system::error_code failed;
  const boost::json::value reasons = boost::json::parse(text, failed);
  std::string out;
  if (failed || !reasons.is_array()) return out;
  for (const boost::json::value& reason : reasons.as_array()) {
    const auto* dimension =
        reason.is_object() ? reason.as_object().if_contains("dimension") : nullptr;
    const auto* removed = reason.is_object() ? reason.as_object().if_contains("removed") : nullptr;
    const auto* nearest = reason.is_object() ? reason.as_object().if_contains("nearest") : nullptr;
    if (dimension == nullptr || !dimension->is_string() || removed == nullptr) continue;
    out += fmt::format("  {} leaves out {} offer(s)",
                       printable(std::string_view(dimension->as_string())),
                       boost::json::serialize(*removed));
    if (nearest != nullptr && nearest->is_string() && !nearest->as_string().empty()) {
      std::string value = printable(std::string_view(nearest->as_string()));
      // The API tells rates in nano-USD a unit-second; nobody at a terminal thinks in those.
      if (const auto rate = parse_u128(value); rate && dimension->as_string() == "price")
        value = usd_hour(Rate{*rate}) + " a unit";
      out += "; nearest: " + value;
    }
    out += '\n';
  }
  return out;
}

}  // namespace

Result<std::string> read_passphrase(const Context& context, const std::string& prompt, bool confirm,
                                    const std::filesystem::path& file) {
  if (!file.empty()) return read_secret_file(file);
  if (!context.passphrase_file.empty()) return read_secret_file(context.passphrase_file);
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread sets the environment
  if (const char* folder = std::getenv("CREDENTIALS_DIRECTORY"); folder != nullptr) {
    const auto path = std::filesystem::path(folder) / "mizan-passphrase";
    if (std::filesystem::exists(path)) return read_secret_file(path);
  }
  MIZAN_TRY(first, ask_terminal(prompt));
  if (confirm) {
    MIZAN_TRY(second, ask_terminal("The same again: "));
    if (first != second)
      return fail(ErrorCode::invalid_argument, "the two passphrases differ: try again");
  }
  return first;
}

int report(const Context& context, const Error& error) {
  const auto field = error.details.find("field");
  const bool named =
      field != error.details.end() && error.message.find(field->second) == std::string::npos;
  if (context.json) {
    boost::json::object details;
    for (const auto& [key, value] : error.details) {
      boost::system::error_code failed;
      const auto parsed =
          key == "reasons" ? boost::json::parse(value, failed) : boost::json::value(value);
      details[key] = failed ? boost::json::value(value) : parsed;
    }
    const boost::json::object body{{"code", std::string(to_string(error.code))},
                                   {"message", error.message},
                                   {"details", std::move(details)}};
    fmt::print("{}\n", boost::json::serialize(boost::json::object{{"error", body}}));
  } else {
    fmt::print(stderr, "mizan: {}{}\n", named ? field->second + ": " : "", error.message);
    if (const auto reasons = error.details.find("reasons"); reasons != error.details.end())
      fmt::print(stderr, "{}", describe_reasons(reasons->second));
  }
  return is_bad_input(error.code) ? kExitUsage : kExitFailed;
}

}  // namespace mizan::cli

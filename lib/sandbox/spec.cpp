// Spec: what one job needs of the sandbox; the checks that need no machine.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/spec.hpp"

#include <algorithm>
#include <string_view>

namespace mizan::sandbox {

namespace {

constexpr size_t kPathMax = 1024;
constexpr size_t kArgumentsMax = 4096;
constexpr size_t kTextMax = 1 << 20;
constexpr uint64_t kDiskMin = 16ULL << 20;
constexpr uint64_t kMemoryMin = 6ULL << 20;  // below this the runtime itself does not start

tl::unexpected<Error> wrong(std::string field, std::string message) {
  std::string sentence = field + ": " + std::move(message);
  return fail(
      Error{ErrorCode::invalid_argument, std::move(sentence)}.with("field", std::move(field)));
}

bool has_nul(std::string_view text) {
  return text.find('\0') != text.npos;
}

Result<void> check_path(const std::string& field, std::string_view path) {
  if (path.empty() || path[0] != '/') return wrong(field, "give an absolute path");
  if (path.size() > kPathMax || has_nul(path))
    return wrong(field, "give a path of at most " + std::to_string(kPathMax) + " bytes");
  for (size_t begin = 0; begin < path.size();) {
    size_t end = std::min(path.find('/', begin), path.size());
    auto name = path.substr(begin, end - begin);
    if (name == "..") return wrong(field, "a path must not hold \"..\"");
    if (name.size() > 255) return wrong(field, "a name in a path is at most 255 bytes long");
    begin = end + 1;
  }
  for (std::string_view kept : {"/proc", "/dev", "/sys"})
    if (path == kept || path.starts_with(std::string(kept) + "/"))
      return wrong(field, std::string(kept) + " belongs to the system; choose another folder");
  return {};
}

Result<void> check_text(const Spec& spec) {
  if (spec.argv.empty() || spec.argv[0].empty()) return wrong("argv", "give a command to run");
  if (spec.argv.size() > kArgumentsMax || spec.env.size() > kArgumentsMax)
    return wrong("argv", "at most " + std::to_string(kArgumentsMax) + " arguments or variables");
  size_t total = 0;
  for (const auto& arg : spec.argv) {
    if (has_nul(arg)) return wrong("argv", "an argument must not hold a NUL byte");
    total += arg.size() + 1;
  }
  for (const auto& [name, value] : spec.env) {
    if (name.empty() || name.find('=') != name.npos || has_nul(name) || has_nul(value))
      return wrong("env",
                   "a variable's name must not be empty or hold \"=\", nor anything a NUL byte");
    total += name.size() + value.size() + 2;
  }
  if (total > kTextMax) return wrong("argv", "arguments and environment together exceed 1 MiB");
  bool letters = std::all_of(spec.hostname.begin(), spec.hostname.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (spec.hostname.empty() || spec.hostname.size() > 63 || !letters || spec.hostname[0] == '-')
    return wrong("hostname", "1 to 63 of a-z, 0-9 and \"-\"");
  return {};
}

}  // namespace

Result<void> check(const Spec& spec) {
  bool is_hex = std::all_of(spec.id.begin(), spec.id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (!is_hex || spec.id.size() < 8 || spec.id.size() > 64)
    return wrong("id", "8 to 64 lower-case hex digits");
  if (spec.image != "host" && !spec.image.starts_with("/"))
    return wrong("image", "\"host\" or the absolute path of an OCI layout folder");
  MIZAN_CHECK(check_text(spec));
  MIZAN_CHECK(check_path("cwd", spec.cwd));
  for (size_t i = 0; i < spec.copies.size(); ++i) {
    std::string field = "copies[" + std::to_string(i) + "]";
    if (!spec.copies[i].from.is_absolute()) return wrong(field + ".from", "give an absolute path");
    MIZAN_CHECK(check_path(field + ".into", spec.copies[i].into));
  }
  for (size_t i = 0; i < spec.folders.size(); ++i)
    MIZAN_CHECK(check_path("folders[" + std::to_string(i) + "]", spec.folders[i]));
  const Limits& limits = spec.limits;
  if (limits.cores == 0) return wrong("limits.cores", "at least 1");
  if (limits.memory_bytes < kMemoryMin) return wrong("limits.memory_bytes", "at least 6 MiB");
  if (limits.disk_bytes < kDiskMin) return wrong("limits.disk_bytes", "at least 16 MiB");
  if (limits.disk_bytes > (1ULL << 44)) return wrong("limits.disk_bytes", "at most 16 TiB");
  if (limits.pids < 2) return wrong("limits.pids", "at least 2: one is the init process");
  if (limits.open_files < 16) return wrong("limits.open_files", "at least 16");
  if (limits.log_bytes == 0) return wrong("limits.log_bytes", "at least 1");
  return {};
}

}  // namespace mizan::sandbox

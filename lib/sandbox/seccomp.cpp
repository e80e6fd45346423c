// The system calls that a job may make.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/seccomp.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <errno.h>
#include <string>
#include <sys/socket.h>

namespace mizan::sandbox {

namespace json = boost::json;

namespace {

#if defined(__x86_64__)
constexpr std::string_view kSeccompArchitecture = "SCMP_ARCH_X86_64", kShortName = "amd64";
#elif defined(__aarch64__)
constexpr std::string_view kSeccompArchitecture = "SCMP_ARCH_AARCH64", kShortName = "arm64";
#else
#error "the sandbox knows the system calls of x86-64 and arm64 only"
#endif

/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. (CLONE_NEWTIME is for clone3
/// and unshare only: in clone() its bit belongs to the exit signal.)
constexpr uint64_t kNamespaceFlags = 0x7E02'0000;

/// Refused with EPERM whatever the list says.
constexpr std::array kRefused = {"unshare",       "setns",     "ptrace", "keyctl",    "add_key",
                                 "request_key",   "mount",     "umount", "umount2",   "fsopen",
                                 "fsmount",       "fsconfig",  "fspick", "open_tree", "move_mount",
                                 "mount_setattr", "pivot_root"};
/// Taken out of the list: they get rules of their own, or (clone3) the default, ENOSYS.
constexpr std::array kReplaced = {"clone", "clone3", "socket", "socketcall"};

template <class Names>
bool holds(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool holds_text(const json::array& values, std::string_view text) {
  return std::any_of(values.begin(), values.end(), [&](const json::value& value) {
    return value.is_string() && std::string_view(value.get_string()) == text;
  });
}

const json::array* list_at(const json::object& object, std::string_view outer,
                           std::string_view inner) {
  const auto* found = object.if_contains(outer);
  if (found == nullptr || !found->is_object()) return nullptr;
  const auto* list = found->get_object().if_contains(inner);
  return list != nullptr && list->is_array() && !list->get_array().empty() ? &list->get_array()
                                                                           : nullptr;
}

/// Whether a rule of the list is for a process without capabilities on this architecture.
bool applies(const json::object& rule) {
  if (list_at(rule, "includes", "caps") != nullptr) return false;
  if (const auto* arches = list_at(rule, "includes", "arches"))
    if (!holds_text(*arches, kShortName)) return false;
  if (const auto* arches = list_at(rule, "excludes", "arches"))
    if (holds_text(*arches, kShortName)) return false;
  return true;
}

json::object compare(unsigned index, uint64_t value, std::string_view op, uint64_t second = 0) {
  return {{"index", index}, {"value", value}, {"valueTwo", second}, {"op", op}};
}

json::object allow(std::string_view name, json::array conditions) {
  return {
      {"names", json::array{name}}, {"action", "SCMP_ACT_ALLOW"}, {"args", std::move(conditions)}};
}

}  // namespace

Result<json::object> make_seccomp(std::string_view list) {
  boost::system::error_code error;
  auto parsed = json::parse(list, error);
  const json::value* rules =
      !error && parsed.is_object() ? parsed.get_object().if_contains("syscalls") : nullptr;
  if (rules == nullptr || !rules->is_array())
    return fail(ErrorCode::corrupted,
                std::string(kSeccompList) + " is not a seccomp list; install it again");
  json::array out;
  for (const auto& value : rules->get_array()) {
    const auto* rule = value.if_object();
    if (rule == nullptr || !applies(*rule)) continue;
    const auto* names = rule->if_contains("names");
    const auto* action = rule->if_contains("action");
    if (names == nullptr || !names->is_array() || action == nullptr || !action->is_string())
      continue;
    json::array kept;
    for (const auto& name : names->get_array()) {
      if (!name.is_string()) continue;
      std::string_view text = name.get_string();
      if (!holds(kRefused, text) && !holds(kReplaced, text)) kept.push_back(name);
    }
    if (kept.empty()) continue;
    json::object copy{{"names", std::move(kept)}, {"action", *action}};
    if (const auto* args = rule->if_contains("args"); args != nullptr && args->is_array())
      copy["args"] = *args;
    if (const auto* number = rule->if_contains("errnoRet")) copy["errnoRet"] = *number;
    out.push_back(std::move(copy));
  }
  json::array refused(kRefused.begin(), kRefused.end());
  out.push_back(json::object{
      {"names", std::move(refused)}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", EPERM}});
  out.push_back(allow("clone", {compare(0, kNamespaceFlags, "SCMP_CMP_MASKED_EQ", 0)}));
  for (int family : {AF_UNIX, AF_INET, AF_INET6})
    out.push_back(allow("socket", {compare(0, static_cast<uint64_t>(family), "SCMP_CMP_EQ")}));
  out.push_back(
      allow("socket", {compare(0, AF_NETLINK, "SCMP_CMP_EQ"), compare(2, 0, "SCMP_CMP_EQ")}));
  return json::object{{"defaultAction", "SCMP_ACT_ERRNO"},
                      {"defaultErrnoRet", ENOSYS},
                      {"architectures", json::array{kSeccompArchitecture}},
                      {"syscalls", std::move(out)}};
}

}  // namespace mizan::sandbox

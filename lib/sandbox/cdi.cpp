// CDI: which device nodes, mounts and variables a named device of the lease brings with it.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/cdi.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace mizan::sandbox {

namespace json = boost::json;

namespace {

constexpr uint64_t kFileMax = 4 << 20;

struct SpecFile {
  fs::path path;
  json::object spec;
};

std::string text_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

const json::array& array_at(const json::object& object, std::string_view key) {
  static const json::array none;
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_array() ? value->get_array() : none;
}

tl::unexpected<Error> bad(const fs::path& file, const std::string& what) {
  return fail(ErrorCode::invalid_argument, "the CDI file " + file.string() + ": " + what);
}

Result<DeviceNode> read_node(const fs::path& file, const json::object& object) {
  DeviceNode node;
  node.path = text_at(object, "path");
  node.host_path = text_at(object, "hostPath");
  if (node.host_path.empty()) node.host_path = node.path;
  if (!node.path.starts_with("/dev/") || node.path.find("..") != node.path.npos)
    return bad(file, "deviceNodes[].path must lie in /dev, not \"" + node.path + "\"");
  // What the node really is counts, not what the file says about it.
  struct stat st {};
  if (::stat(node.host_path.c_str(), &st) != 0) return fail_errno("find " + node.host_path, errno);
  if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
    return bad(file, node.host_path + " is no device");
  node.type = S_ISCHR(st.st_mode) ? 'c' : 'b';
  node.major = major(st.st_rdev);
  node.minor = minor(st.st_rdev);
  if (auto access = text_at(object, "permissions"); !access.empty()) node.access = access;
  if (node.access.find_first_not_of("rwm") != std::string::npos)
    return bad(file, "deviceNodes[].permissions may hold r, w and m only");
  std::erase(node.access, 'm');  // making nodes is not for jobs
  return node;
}

Result<void> add_edits(const fs::path& file, const json::object& owner, DeviceEdits& edits) {
  const auto* value = owner.if_contains("containerEdits");
  if (value == nullptr) return {};
  if (!value->is_object()) return bad(file, "containerEdits must be an object");
  const auto& object = value->get_object();
  for (const auto& entry : array_at(object, "env")) {
    std::string text = entry.is_string() ? std::string(entry.get_string()) : std::string();
    size_t at = text.find('=');
    if (at == 0 || at == std::string::npos) return bad(file, "env entries are \"NAME=value\"");
    edits.env.emplace_back(text.substr(0, at), text.substr(at + 1));
  }
  for (const auto& entry : array_at(object, "deviceNodes")) {
    if (!entry.is_object()) return bad(file, "deviceNodes must hold objects");
    MIZAN_TRY(node, read_node(file, entry.get_object()));
    bool known = std::any_of(edits.nodes.begin(), edits.nodes.end(),
                             [&](const DeviceNode& other) { return other.path == node.path; });
    if (!known) edits.nodes.push_back(std::move(node));
  }
  for (const auto& entry : array_at(object, "mounts")) {
    if (!entry.is_object()) return bad(file, "mounts must hold objects");
    const auto& mount = entry.get_object();
    DeviceMount added{text_at(mount, "hostPath"), text_at(mount, "containerPath"), true};
    if (!added.host_path.starts_with("/") || !added.path.starts_with("/"))
      return bad(file, "mounts need an absolute hostPath and containerPath");
    for (const auto& option : array_at(mount, "options"))
      if (option.is_string() && option.get_string() == "rw") added.read_only = false;
    bool known = std::any_of(edits.mounts.begin(), edits.mounts.end(),
                             [&](const DeviceMount& other) { return other.path == added.path; });
    if (!known) edits.mounts.push_back(std::move(added));
  }
  return {};
}

Result<std::vector<SpecFile>> read_specs(const std::vector<fs::path>& folders) {
  std::vector<SpecFile> specs;
  for (const auto& folder : folders) {
    for (const auto& name : names_in(folder)) {
      if (!name.ends_with(".json")) continue;
      fs::path path = folder / name;
      MIZAN_TRY(text, read_file(path, kFileMax));
      boost::system::error_code error;
      auto value = json::parse(text, error);
      if (error || !value.is_object()) return bad(path, "not a JSON object");
      specs.push_back({path, std::move(value.get_object())});
    }
  }
  return specs;
}

}  // namespace

Result<DeviceEdits> find_devices(const std::vector<std::string>& names,
                                 const std::vector<fs::path>& folders) {
  DeviceEdits edits;
  if (names.empty()) return edits;
  MIZAN_TRY(specs, read_specs(folders));
  std::vector<const SpecFile*> used;
  for (const auto& full_name : names) {
    size_t at = full_name.find('=');
    std::string kind = full_name.substr(0, at);
    std::string name = at == std::string::npos ? std::string() : full_name.substr(at + 1);
    if (name.empty() || kind.find('/') == kind.npos)
      return fail(Error{ErrorCode::invalid_argument,
                        "devices: \"" + full_name + "\" is not of the form vendor.com/class=name"}
                      .with("field", "devices"));
    const SpecFile* found_in = nullptr;
    const json::object* found = nullptr;
    for (const auto& file : specs) {
      if (text_at(file.spec, "kind") != kind) continue;
      for (const auto& device : array_at(file.spec, "devices")) {
        if (!device.is_object() || text_at(device.get_object(), "name") != name) continue;
        found_in = &file;
        found = &device.get_object();
      }
    }
    if (found == nullptr)
      return fail(Error{ErrorCode::not_found,
                        "devices: no CDI file of this machine has \"" + full_name + "\""}
                      .with("field", "devices"));
    MIZAN_CHECK(add_edits(found_in->path, *found, edits));
    if (std::find(used.begin(), used.end(), found_in) == used.end()) used.push_back(found_in);
  }
  for (const auto* file : used) MIZAN_CHECK(add_edits(file->path, file->spec, edits));
  return edits;
}

}  // namespace mizan::sandbox

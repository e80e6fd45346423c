// Images from OCI layout folders, unpacked once and kept by digest.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/oci_image.hpp"

#include "sandbox/oci_layer.hpp"
#include "sandbox/sha256.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <fcntl.h>
#include <linux/openat2.h>
#include <optional>
#include <sstream>
#include <vector>

namespace mizan::sandbox {

namespace json = boost::json;

namespace {

constexpr uint64_t kManifestMax = 4 << 20;
constexpr size_t kLayersMax = 512;
constexpr const char* kRefName = "org.opencontainers.image.ref.name";
constexpr const char* kTemporary = ".unpacking-";
#if defined(__x86_64__)
constexpr std::string_view kArchitecture = "amd64";
#else
constexpr std::string_view kArchitecture = "arm64";
#endif

tl::unexpected<Error> bad(const std::string& what) {
  return fail(Error{ErrorCode::invalid_argument, "image: " + what}.with("field", "image"));
}

const json::value* find(const json::value& object, std::string_view key) {
  return object.is_object() ? object.get_object().if_contains(key) : nullptr;
}

std::string text_at(const json::value& object, std::string_view key) {
  const auto* value = find(object, key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

const json::array& array_at(const json::value& object, std::string_view key) {
  static const json::array none;
  const auto* value = find(object, key);
  return value != nullptr && value->is_array() ? value->get_array() : none;
}

/// "sha256:HEX" to HEX; nothing for any other spelling, so the result is safe in a path.
std::optional<std::string> digest_of(const std::string& text) {
  if (!text.starts_with("sha256:") || text.size() != 7 + 64) return std::nullopt;
  std::string digest = text.substr(7);
  bool is_hex = std::all_of(digest.begin(), digest.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (!is_hex) return std::nullopt;
  return digest;
}

Result<json::value> parse(const std::string& text, const std::string& what) {
  boost::system::error_code error;
  auto value = json::parse(text, error);
  if (error || !value.is_object()) return bad(what + " is not a JSON object");
  return value;
}

fs::path blob_path(const fs::path& layout, const std::string& digest) {
  return layout / "blobs/sha256" / digest;
}

/// A small blob that a descriptor names, its digest checked.
Result<json::value> read_blob(const fs::path& layout, const std::string& digest,
                              const std::string& what) {
  MIZAN_TRY(text, read_file(blob_path(layout, digest), kManifestMax));
  Sha256 hash;
  hash.add(text.data(), text.size());
  if (hash.finish() != digest)
    return fail(ErrorCode::corrupted, "image: the blob of " + what + " does not have its digest");
  return parse(text, what);
}

/// The manifest that `tag` (or nothing, where there is one only) names, of this architecture.
Result<std::string> choose(const fs::path& layout, const json::value& index, const std::string& tag,
                           int depth) {
  std::vector<json::value> fitting;
  for (const auto& entry : array_at(index, "manifests")) {
    const auto* notes = find(entry, "annotations");
    if (!tag.empty() && (notes == nullptr || text_at(*notes, kRefName) != tag)) continue;
    const auto* platform = find(entry, "platform");
    if (platform != nullptr && (text_at(*platform, "architecture") != kArchitecture ||
                                text_at(*platform, "os") != "linux"))
      continue;
    fitting.push_back(entry);
  }
  if (fitting.empty())
    return bad("the layout " + layout.string() + " has no image" +
               (tag.empty() ? "" : " with the tag \"" + tag + "\"") + " for linux/" +
               std::string(kArchitecture));
  if (fitting.size() > 1)
    return bad("the layout " + layout.string() + " has several images; add \":tag\" to its path");
  auto digest = digest_of(text_at(fitting[0], "digest"));
  if (!digest) return bad("a digest of the index is not a SHA-256");
  if (!text_at(fitting[0], "mediaType").ends_with("image.index.v1+json")) return *digest;
  if (depth == 0) return bad("its indexes are nested too deeply");
  MIZAN_TRY(inner, read_blob(layout, *digest, "an index"));
  return choose(layout, inner, "", depth - 1);
}

/// The fields of the line of /etc/passwd or /etc/group whose field `field` is `value`.
std::vector<std::string> find_line(const UniqueFd& root, const std::string& file, size_t field,
                                   const std::string& value) {
  auto fd = open_at2(root.get(), file, O_RDONLY | O_NONBLOCK, 0, RESOLVE_IN_ROOT);
  if (!fd) return {};
  auto text = read_file("/proc/self/fd/" + std::to_string(fd.get()));
  if (!text) return {};
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> fields;
    std::istringstream parts(line);
    for (std::string part; std::getline(parts, part, ':');) fields.push_back(part);
    if (fields.size() >= (file == "etc/group" ? 3U : 4U) && fields[field] == value) return fields;
  }
  return {};
}

Result<uint32_t> read_id(const std::string& text) {
  auto id = parse_number(text);
  if (!id || *id > 65535) return bad("its user \"" + text + "\" is not an id below 65536");
  return static_cast<uint32_t>(*id);
}

Result<JobUser> read_user(const UniqueFd& root, const json::value& config) {
  JobUser user;
  std::string spec = text_at(config, "User");
  std::string name = spec.substr(0, spec.find(':'));
  std::string group = spec.size() > name.size() ? spec.substr(name.size() + 1) : "";
  if (name.empty()) name = "0";
  bool numeric = name.find_first_not_of("0123456789") == name.npos;
  auto line = find_line(root, "etc/passwd", numeric ? 2 : 0, name);
  if (!numeric && line.empty()) return bad("its /etc/passwd has no user \"" + name + "\"");
  MIZAN_TRY(uid, read_id(line.empty() ? name : line[2]));
  user.uid = uid;
  user.gid = 0;
  if (!group.empty() && group.find_first_not_of("0123456789") != group.npos) {
    auto group_line = find_line(root, "etc/group", 0, group);
    if (group_line.empty()) return bad("its /etc/group has no group \"" + group + "\"");
    group = group_line[2];
  }
  if (group.empty() && !line.empty()) group = line[3];
  if (!group.empty()) {
    MIZAN_TRY(gid, read_id(group));
    user.gid = gid;
  }
  user.home = line.size() > 5 && line[5].starts_with("/") ? line[5] : uid == 0 ? "/root" : "/";
  for (const auto& entry : array_at(config, "Env")) {
    std::string text = entry.is_string() ? std::string(entry.get_string()) : std::string();
    if (size_t at = text.find('='); at != 0 && at != text.npos && text.find('\0') == text.npos)
      user.env.emplace_back(text.substr(0, at), text.substr(at + 1));
  }
  return user;
}

Result<void> unpack(const fs::path& layout, const json::value& manifest, const json::value& config,
                    const fs::path& root, uint64_t bytes_max) {
  const auto& layers = array_at(manifest, "layers");
  const auto* rootfs = find(config, "rootfs");
  if (rootfs == nullptr) return bad("its config has no rootfs");
  const auto& tars = array_at(*rootfs, "diff_ids");
  if (layers.size() != tars.size() || layers.size() > kLayersMax)
    return bad("its config and its manifest disagree about the layers");
  MIZAN_CHECK(make_folder(root, 0755));
  UniqueFd root_fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root_fd) return fail_errno("open " + root.string(), errno);
  UnpackBudget budget{bytes_max};
  for (size_t i = 0; i < layers.size(); ++i) {
    auto blob = digest_of(text_at(layers[i], "digest"));
    auto tar = digest_of(tars[i].is_string() ? std::string(tars[i].get_string()) : "");
    if (!blob || !tar) return bad("a digest of layer " + std::to_string(i) + " is not a SHA-256");
    MIZAN_CHECK(unpack_layer(blob_path(layout, *blob), *blob, *tar, root_fd, budget));
  }
  return {};
}

}  // namespace

Result<Image> ImageStore::get(const std::string& reference) {
  fs::path layout = reference;
  std::string tag;
  std::error_code error;
  if (size_t at = reference.rfind(':'); !fs::is_directory(layout, error) && at != reference.npos) {
    layout = reference.substr(0, at);
    tag = reference.substr(at + 1);
  }
  auto marker = read_file(layout / "oci-layout");
  if (!marker) return bad(layout.string() + " is not an OCI image layout folder");
  MIZAN_TRY(index_text, read_file(layout / "index.json", kManifestMax));
  MIZAN_TRY(index, parse(index_text, "index.json"));
  MIZAN_TRY(digest, choose(layout, index, tag, 2));
  MIZAN_TRY(manifest, read_blob(layout, digest, "the manifest"));
  const auto* config_at = find(manifest, "config");
  auto config_digest = config_at ? digest_of(text_at(*config_at, "digest")) : std::nullopt;
  if (!config_digest) return bad("its manifest names no config");
  MIZAN_TRY(config, read_blob(layout, *config_digest, "the config"));

  std::lock_guard lock(mutex_);
  Image image{digest, folder_ / digest, {}};
  if (!fs::exists(image.root, error)) {
    fs::path temporary = folder_ / (kTemporary + digest);
    MIZAN_CHECK(remove_tree(temporary));
    auto unpacked = unpack(layout, manifest, config, temporary, bytes_max_);
    if (unpacked && ::rename(temporary.c_str(), image.root.c_str()) != 0)
      unpacked = fail_errno("keep the image " + image.root.string(), errno);
    if (!unpacked) {
      (void)remove_tree(temporary);
      return fail(unpacked.error());
    }
  }
  UniqueFd root(::open(image.root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail_errno("open " + image.root.string(), errno);
  const auto* settings = find(config, "config");
  MIZAN_TRY(user, read_user(root, settings != nullptr ? *settings : json::value()));
  image.user = std::move(user);
  return image;
}

Result<void> ImageStore::sweep() {
  for (const auto& name : names_in(folder_))
    if (name.starts_with(kTemporary)) MIZAN_CHECK(remove_tree(folder_ / name));
  return {};
}

}  // namespace mizan::sandbox

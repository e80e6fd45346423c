// The job's root folder: what lies under it and what is written over it.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/job_root.hpp"

#include "sandbox/tree_writer.hpp"

#include <cerrno>
#include <sys/stat.h>

namespace mizan::sandbox {

namespace {

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "job:x:1000:1000:job:/home/job:/bin/bash\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
constexpr const char* kGroup = "root:x:0:\njob:x:1000:\nnogroup:x:65534:\n";

/// The time zone, as a link into /usr that is there inside as well; empty if it is anything else.
std::string time_zone() {
  std::error_code error;
  auto target = fs::read_symlink("/etc/localtime", error);
  if (error) return {};
  auto path = (fs::path("/etc") / target).lexically_normal().string();
  return path.starts_with("/usr/share/zoneinfo/") ? path : std::string();
}

Result<void> refuse_system_folders(const Spec& spec) {
  auto check = [](const std::string& field, const std::string& path) -> Result<void> {
    for (std::string_view system : {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"})
      if (path == system || path.starts_with(std::string(system) + "/"))
        return fail(Error{ErrorCode::invalid_argument,
                          field + ": " + std::string(system) +
                              " is the machine's own and read-only; choose another folder"}
                        .with("field", field));
    return {};
  };
  MIZAN_CHECK(check("cwd", spec.cwd));
  for (const auto& copy : spec.copies) MIZAN_CHECK(check("copies", copy.into));
  for (const auto& folder : spec.folders) MIZAN_CHECK(check("folders", folder));
  return {};
}

}  // namespace

Result<void> make_host_root(const fs::path& folder) {
  for (const char* name : {"usr", "dev", "proc", "tmp", "run", "var/tmp", "home", "etc"})
    MIZAN_CHECK(make_folder(folder / name, 0755));
  for (const auto& path : host_files()) {
    fs::path place = folder / fs::path(path).relative_path();
    std::error_code error;
    if (fs::is_directory(path, error)) {
      MIZAN_CHECK(make_folder(place, 0755));
    } else if (fs::exists(path, error)) {
      MIZAN_CHECK(make_folder(place.parent_path(), 0755));
      MIZAN_CHECK(write_file(place, "", 0644));
    }
  }
  for (const char* name : {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}) {
    std::error_code error;
    auto target = fs::read_symlink(fs::path("/") / name, error);
    if (error) continue;
    if (::symlink(target.c_str(), (folder / name).c_str()) != 0 && errno != EEXIST)
      return fail_errno("link " + (folder / name).string(), errno);
  }
  return {};
}

Result<void> fill_upper(const Spec& spec, const JobUser& user, uint32_t id_base, bool host_image,
                        const fs::path& lower, const fs::path& upper) {
  Owner root{id_base, id_base};
  Owner job{id_base + user.uid, id_base + user.gid};
  if (::chown(upper.c_str(), job.uid, job.gid) != 0) return fail_errno("prepare the disk", errno);
  MIZAN_TRY(writer, TreeWriter::open(upper));
  MIZAN_CHECK(writer.file("/etc/hostname", spec.hostname + "\n", root));
  MIZAN_CHECK(writer.file("/etc/hosts",
                          "127.0.0.1 localhost " + spec.hostname + "\n::1 localhost\n", root));
  MIZAN_CHECK(writer.file("/etc/resolv.conf", "", root));
  struct stat st {};
  for (const char* folder : {"/tmp", "/var/tmp"})
    if (host_image || ::lstat((lower.string() + folder).c_str(), &st) != 0)
      MIZAN_CHECK(writer.folder(folder, root, 01777));
  if (host_image) {
    MIZAN_CHECK(refuse_system_folders(spec));
    MIZAN_CHECK(writer.file("/etc/passwd", kPasswd, root));
    MIZAN_CHECK(writer.file("/etc/group", kGroup, root));
    if (auto zone = time_zone(); !zone.empty())
      MIZAN_CHECK(writer.link("/etc/localtime", zone, root));
    MIZAN_CHECK(writer.folder(user.home, job));
  }
  for (const auto& folder : spec.folders) MIZAN_CHECK(writer.folder(folder, job));
  for (const auto& copy : spec.copies) MIZAN_CHECK(writer.copy(copy.from, copy.into, job));
  return writer.folder(spec.cwd, job);
}

}  // namespace mizan::sandbox

// Mounts, by system call: loop devices, overlays, shifted trees.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/mounts.hpp"

#include "sandbox/process.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

// <sys/mount.h> and <linux/mount.h> of Debian 12 cannot be included together.
extern "C" int mount(const char*, const char*, const char*, unsigned long, const void*) noexcept;
extern "C" int umount2(const char*, int) noexcept;

namespace mizan::sandbox {

namespace {

constexpr unsigned long kNoSuid = 2, kNoDev = 4,
                        kNoAtime = 1024;  // MS_NOSUID, MS_NODEV, MS_NOATIME
constexpr int kDetach = 2;                // MNT_DETACH

/// A loop device bound to `image`, set to free itself after its last user; its path.
Result<std::pair<UniqueFd, std::string>> bind_loop(const fs::path& image) {
  UniqueFd file(::open(image.c_str(), O_RDWR | O_CLOEXEC));
  if (!file) return fail_errno("open the disk " + image.string(), errno);
  // A loop device believes whoever says that its file can be read directly, and then fails to.
  bool direct = static_cast<bool>(UniqueFd(::open(image.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC)));
  UniqueFd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control) return fail_errno("open /dev/loop-control", errno);
  for (int tries = 0; tries < 64; ++tries) {
    int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return fail_errno("get a free loop device", errno);
    std::string path = "/dev/loop" + std::to_string(number);
    UniqueFd device(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!device && errno == ENXIO) continue;
    if (!device) return fail_errno("open " + path, errno);
    loop_config config{};
    config.fd = static_cast<uint32_t>(file.get());
    config.block_size = 4096;
    // Direct I/O: a job's pages are cached once, in the job's own account.
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (direct ? LO_FLAGS_DIRECT_IO : 0);
    if (::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0)
      return std::pair{std::move(device), path};
    if (errno != EBUSY) return fail_errno("bind " + path, errno);  // EBUSY: another was quicker
  }
  return fail(ErrorCode::unavailable, "no loop device is free: others keep taking them");
}

/// A user namespace with the mapping base..base+count-1 to 0..count-1, as a descriptor.
Result<UniqueFd> make_user_namespace(uint32_t base, uint32_t count) {
  long pid = ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid < 0) return fail_errno("make a user namespace", errno);
  if (pid == 0) {  // only system calls here: the parent may have had other threads
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (true) ::syscall(SYS_ppoll, nullptr, 0, nullptr, nullptr, 0);
  }
  std::string proc = "/proc/" + std::to_string(pid);
  std::string map = "0 " + std::to_string(base) + " " + std::to_string(count) + "\n";
  int number = 0;
  for (const char* name : {"/uid_map", "/gid_map"}) {
    UniqueFd file(::open((proc + name).c_str(), O_WRONLY | O_CLOEXEC));
    if (!file || ::write(file.get(), map.data(), map.size()) < 0) number = errno;
  }
  UniqueFd space(::open((proc + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  if (!space) number = errno;
  ::kill(static_cast<pid_t>(pid), SIGKILL);
  auto status = wait_for(static_cast<pid_t>(pid), 5000);
  if (number != 0) return fail_errno("map the ids of a user namespace", number);
  if (!status) return fail(status.error());
  return space;
}

}  // namespace

Result<void> mount_disk(const fs::path& image, const fs::path& target) {
  MIZAN_TRY(loop, bind_loop(image));
  // The file was just allocated, so its inode tables read as zero already.
  if (::mount(loop.second.c_str(), target.c_str(), "ext4", kNoSuid | kNoDev | kNoAtime,
              "noinit_itable,errors=continue") != 0)
    return fail_errno("mount the disk " + image.string(), errno);
  return {};
}

Result<void> mount_overlay(const fs::path& lower, const fs::path& upper, const fs::path& work,
                           const fs::path& target) {
  std::string options = "lowerdir=" + lower.string() + ",upperdir=" + upper.string() +
                        ",workdir=" + work.string() +
                        ",index=off,metacopy=off,redirect_dir=nofollow";
  std::string quick = options + ",volatile";
  if (::mount("overlay", target.c_str(), "overlay", kNoSuid | kNoDev, quick.c_str()) == 0)
    return {};
  if (errno == EINVAL &&  // before Linux 5.10
      ::mount("overlay", target.c_str(), "overlay", kNoSuid | kNoDev, options.c_str()) == 0)
    return {};
  return fail_errno("mount an overlay on " + target.string(), errno);
}

Result<void> mount_shifted(const fs::path& source, const fs::path& target, uint32_t base,
                           uint32_t count) {
  MIZAN_TRY(space, make_user_namespace(base, count));
  UniqueFd tree(static_cast<int>(
      ::syscall(SYS_open_tree, AT_FDCWD, source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)));
  if (!tree) return fail_errno("open the tree " + source.string(), errno);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  attributes.userns_fd = static_cast<uint64_t>(space.get());
  if (::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) !=
      0)
    return fail_errno(
        "shift the ids of " + source.string() + " (its file system must allow id-mapped mounts)",
        errno);
  if (::syscall(SYS_move_mount, tree.get(), "", AT_FDCWD, target.c_str(),
                MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return fail_errno("mount " + target.string(), errno);
  return {};
}

Result<void> keep_in_memory(const fs::path& folder) {
  struct statfs found {};
  if (::statfs(folder.c_str(), &found) != 0) return fail_errno("look at " + folder.string(), errno);
  if (found.f_type == TMPFS_MAGIC) return {};
  if (::mount("mizan", folder.c_str(), "tmpfs", kNoSuid | kNoDev, "mode=0711,size=512m") != 0)
    return fail_errno("mount a tmpfs on " + folder.string(), errno);
  return {};
}

Result<void> let_go(const fs::path& folder) {
  MIZAN_TRY(mounts, read_file("/proc/self/mounts", 64 << 20));
  std::string ours = "\nmizan " + folder.string() + " tmpfs ";
  if (mounts.find(ours) == mounts.npos) return {};
  return unmount(folder);
}

Result<void> unmount(const fs::path& target) {
  for (int times = 0; times < 64; ++times) {
    if (::umount2(target.c_str(), 0) == 0) continue;
    if (errno == EBUSY && ::umount2(target.c_str(), kDetach) == 0) continue;
    if (errno == EINVAL || errno == ENOENT) return {};  // not a mount point (any more)
    return fail_errno("unmount " + target.string(), errno);
  }
  return fail(ErrorCode::io_error, "cannot unmount " + target.string() + ": mounted too often");
}

}  // namespace mizan::sandbox

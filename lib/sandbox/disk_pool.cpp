// DiskPool: disks of a fixed size for jobs, made before they are needed.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/disk_pool.hpp"

#include "base/ensure.hpp"
#include "sandbox/mounts.hpp"
#include "sandbox/process.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <utility>
#include <vector>

namespace mizan::sandbox {

namespace {

constexpr auto kRetryAfter = std::chrono::seconds(5);

Result<void> fill_disk(const Disk& disk, uint64_t bytes) {
  fs::path image = disk.folder / "image";
  fs::path target = disk.folder / "mount";
  MIZAN_CHECK(make_folder(disk.folder, 0700));
  MIZAN_CHECK(make_folder(target, 0700));
  UniqueFd file(::open(image.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return fail_errno("make the disk " + image.string(), errno);
  if (::fallocate(file.get(), 0, 0, static_cast<off_t>(bytes)) != 0) {
    if (errno == ENOSPC)
      return fail(ErrorCode::too_large, "limits.disk_bytes: there is no room for a disk of " +
                                            std::to_string(bytes) + " bytes in " +
                                            disk.folder.parent_path().string());
    return fail_errno("allocate the disk " + image.string(), errno);
  }
  file.reset();
  MIZAN_TRY(mkfs_output,
            run_tool({find_program("mkfs.ext4"), "-q", "-F", "-b", "4096", "-m", "0", "-O",
                      "^has_journal", "-E", "lazy_itable_init=1,nodiscard", image.string()}));
  MIZAN_CHECK(mount_disk(image, target));
  MIZAN_CHECK(make_folder(disk.upper(), 0755));
  return make_folder(disk.work(), 0700);
}

}  // namespace

Result<Disk> make_disk(const fs::path& disks, uint64_t bytes) {
  Disk disk;
  disk.name = random_hex(8);
  disk.folder = disks / disk.name;
  if (auto made = fill_disk(disk, bytes); !made) {
    (void)remove_disk(disks, disk.name);
    return fail(made.error());
  }
  return disk;
}

Result<void> remove_disk(const fs::path& disks, const std::string& name) {
  ensure(!name.empty() && name.find('/') == name.npos, "a disk is named by one folder");
  MIZAN_CHECK(unmount(disks / name / "mount"));
  return remove_tree(disks / name);
}

DiskPool::DiskPool(fs::path disks, uint32_t count, uint64_t bytes)
    : disks_(std::move(disks)), count_(bytes > 0 ? count : 0), bytes_(bytes) {}

DiskPool::~DiskPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  for (const auto& disk : ready_) (void)remove_disk(disks_, disk.name);
  for (const auto& name : used_) (void)remove_disk(disks_, name);
}

void DiskPool::start() {
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
}

void DiskPool::delete_used(std::unique_lock<std::mutex>& lock) {
  auto names = std::exchange(used_, {});
  lock.unlock();
  // One that cannot be removed stays until the next recover().
  for (const auto& name : names) (void)remove_disk(disks_, name);
  lock.lock();
}

void DiskPool::work() {
  // Jobs that are being started come first; nice is a thread's own in Linux, and mkfs inherits it.
  (void)::setpriority(PRIO_PROCESS, 0, 19);
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (ready_.size() < count_) {
      lock.unlock();
      auto disk = make_disk(disks_, bytes_);
      lock.lock();
      if (disk)
        ready_.push_back(std::move(*disk));
      else if (used_.empty())  // no room, most likely: take() says so to whoever asks
        changed_.wait_for(lock, kRetryAfter);
      else
        delete_used(lock);
      changed_.notify_all();
    } else if (!used_.empty()) {
      delete_used(lock);
    } else {
      changed_.wait(lock);
    }
  }
}

Result<Disk> DiskPool::take(uint64_t bytes) {
  std::unique_lock lock(mutex_);
  if (bytes == bytes_ && !ready_.empty()) {
    Disk disk = std::move(ready_.front());
    ready_.pop_front();
    changed_.notify_all();
    return disk;
  }
  lock.unlock();
  auto disk = make_disk(disks_, bytes);
  lock.lock();
  if (disk || disk.error().code != ErrorCode::too_large || used_.empty()) return disk;
  delete_used(lock);
  lock.unlock();
  return make_disk(disks_, bytes);
}

Result<void> DiskPool::give_back(const std::string& name) {
  if (!thread_.joinable()) return remove_disk(disks_, name);
  MIZAN_CHECK(unmount(disks_ / name / "mount"));
  std::lock_guard lock(mutex_);
  used_.push_back(name);
  changed_.notify_all();
  return {};
}

bool DiskPool::wait_full(uint64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                           [this] { return ready_.size() >= count_; });
}

}  // namespace mizan::sandbox

#include "simulation/disk.hpp"

#include <algorithm>
#include <cstdio>
#include <fcntl.h>
#include <map>
#include <set>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace {

/// By inodes, which are not used again within a world: /dev/shm counts up.
struct Noted {
  std::map<ino_t, uint64_t> synced_bytes;            ///< of files, at their last sync
  std::map<ino_t, std::set<std::string>> new_names;  ///< of folders, since their last sync
};

Noted& noted() {
  static Noted all;
  return all;
}

void note_sync(int descriptor) {
  struct stat info {};
  if (::fstat(descriptor, &info) != 0) return;
  if (S_ISDIR(info.st_mode))
    noted().new_names.erase(info.st_ino);
  else
    noted().synced_bytes[info.st_ino] = static_cast<uint64_t>(info.st_size);
}

void note_name(const char* path) {
  const std::filesystem::path file(path);
  struct stat info {};
  if (::stat(file.parent_path().c_str(), &info) == 0)
    noted().new_names[info.st_ino].insert(file.filename());
}

}  // namespace

// In the place of the C library's: the program's own calls come here.
extern "C" {

int fsync(int descriptor) {
  note_sync(descriptor);
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

int fdatasync(int descriptor) {
  note_sync(descriptor);
  return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
}

int rename(const char* from, const char* to) noexcept {
  const int done = ::renameat(AT_FDCWD, from, AT_FDCWD, to);
  if (done == 0) note_name(to);
  return done;
}

int mkdir(const char* path, mode_t mode) noexcept {
  const int done = ::mkdirat(AT_FDCWD, path, mode);
  if (done == 0) note_name(path);
  return done;
}

}  // extern "C"

namespace mizan::simulation {

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> sorted(const fs::path& folder) {
  std::vector<fs::path> all;
  std::error_code missing;
  for (const auto& item : fs::directory_iterator(folder, missing)) all.push_back(item.path());
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

Disk::Disk(Surroundings& world, fs::path folder)
    : random_(world.random.fork("disk")), folder_(std::move(folder)) {
  noted() = {};
}

void Disk::lose_power() {
  lose_names(folder_);
  for (const fs::path& place : sorted(folder_)) {
    if (!fs::is_directory(place) || place.filename() == "logs") continue;
    lose_names(place);
    for (const fs::path& file : sorted(place)) lose_bytes(file);
  }
}

void Disk::lose_names(const fs::path& folder) {
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return;
  const auto names = noted().new_names.extract(info.st_ino);
  if (names.empty()) return;
  std::error_code ignored;
  for (const std::string& name : names.mapped())
    if (random_.chance(5'000)) fs::remove_all(folder / name, ignored);
}

void Disk::lose_bytes(const fs::path& file) {
  if (is_synced(file)) return;
  std::error_code ignored;
  const uint64_t fate = random_.below(3);
  if (fate == 1) fs::resize_file(file, random_.below(fs::file_size(file) + 1), ignored);
  if (fate == 2) fs::remove(file, ignored);
}

bool Disk::is_synced(const fs::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return false;
  const auto known = noted().synced_bytes.find(info.st_ino);
  return known != noted().synced_bytes.end() &&
         known->second == static_cast<uint64_t>(info.st_size);
}

}  // namespace mizan::simulation

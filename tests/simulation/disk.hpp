// The disk below the exchange's plain files: what was not synced may be lost with the power.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "simulation/surroundings.hpp"

#include <filesystem>

namespace mizan::simulation {

/// The files of one folder and its folders (artifacts, logs, rule sets; the journal has a storage
/// of its own). They are real files: the program's fsync, fdatasync, rename and mkdir pass through
/// disk.cpp, which notes them. One at a time in a process.
class Disk {
 public:
  Disk(Surroundings& world, std::filesystem::path folder);
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  /// Of each file that was not synced since it grew any first part may be left, or none; a name
  /// whose folder was not synced since may be gone, and a folder with all that is in it. Logs are
  /// cut elsewhere: they are promised later.
  void lose_power();
  /// Whether all bytes of the file are there whatever happens.
  static bool is_synced(const std::filesystem::path& file);

 private:
  void lose_names(const std::filesystem::path& folder);
  void lose_bytes(const std::filesystem::path& file);

  Random random_;
  const std::filesystem::path folder_;
};

}  // namespace mizan::simulation

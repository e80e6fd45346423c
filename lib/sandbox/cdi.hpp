// CDI: which device nodes, mounts and variables a named device of the lease brings with it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/sys.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mizan::sandbox {

struct DeviceNode {
  std::string path;       ///< in the job
  std::string host_path;  ///< on the machine
  char type = 'c';        ///< 'c' or 'b'
  uint32_t major = 0, minor = 0;
  std::string access = "rw";
};

struct DeviceMount {
  std::string host_path, path;
  bool read_only = true;
};

struct DeviceEdits {
  std::vector<DeviceNode> nodes;
  std::vector<DeviceMount> mounts;
  std::vector<std::pair<std::string, std::string>> env;
};

/// Looks `names` ("vendor.com/class=name") up in the *.json files of `folders`, of which later ones
/// win. `not_found` names a device that no file has. Hooks are refused: a spec's hooks are programs
/// that would run as root outside the sandbox, so they are never run; what they do (links, the
/// linker's cache) must already be done on the machine or in the image.
Result<DeviceEdits> find_devices(const std::vector<std::string>& names,
                                 const std::vector<fs::path>& folders);

}  // namespace mizan::sandbox

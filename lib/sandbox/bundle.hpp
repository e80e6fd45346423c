// Bundle: the OCI runtime configuration of one job.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sandbox/cdi.hpp"
#include "sandbox/spec.hpp"

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mizan::sandbox {

/// Who runs the job inside, and what its image says about its surroundings.
struct JobUser {
  uint32_t uid = 1000, gid = 1000;
  std::string home = "/home/job";
  std::vector<std::pair<std::string, std::string>> env;  ///< the image's own
};

struct BundleInput {
  const Spec* spec = nullptr;
  fs::path root;  ///< the overlay
  bool host_image = true;
  JobUser user;
  uint32_t id_base = 0;        ///< the host's number of user 0 and group 0 inside
  std::vector<uint32_t> cpus;  ///< of its own; empty: a quota of time instead
  std::string cgroup;
  bool bounds_swap = true;
  uint64_t open_files_max = 0;  ///< the agent's own hard limit, which nothing can exceed
  std::string init;             ///< the host's path of catatonit
  DeviceEdits devices;
};

/// The text of config.json.
std::string make_config(const BundleInput& input, const boost::json::object& seccomp);

/// The files and folders of the machine that `image: host` shows besides /usr.
const std::vector<std::string>& host_files();

}  // namespace mizan::sandbox

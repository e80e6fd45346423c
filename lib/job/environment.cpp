#include "job/environment.hpp"

namespace mizan::job {

std::vector<std::pair<std::string, std::string>> environment(const Job& job, const Place& place) {
  const std::string cores = std::to_string(place.cores);
  const std::string id = hex0x(place.lease.view());
  std::map<std::string, std::string> all = {
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      {"HOME", kWorkFolder},
      {"LANG", "C.UTF-8"},
      // More threads than cores only wait for each other.
      {"OMP_NUM_THREADS", cores},
      {"MASTER_ADDR", "127.0.0.1"},
      {"MASTER_PORT", "29500"},
      {"NODE_RANK", "0"},
      {"WORLD_SIZE", "1"},
      {"SKYPILOT_NODE_RANK", "0"},
      {"SKYPILOT_NUM_NODES", "1"},
      {"SKYPILOT_NODE_IPS", "127.0.0.1"},
      {"SKYPILOT_NUM_GPUS_PER_NODE", "0"},
      {"SKYPILOT_TASK_ID", id},
  };
  for (const auto& [name, value] : job.envs) all[name] = value;
  all["MIZAN_LEASE"] = id;
  all["MIZAN_JOB"] = job.name;
  all["MIZAN_CORES"] = cores;
  all["MIZAN_MEMORY_BYTES"] = std::to_string(place.memory_bytes);
  all["MIZAN_SECONDS"] = std::to_string(place.seconds);
  if (job.checkpoint) all["MIZAN_CHECKPOINT_PATH"] = absolute_path(job.checkpoint->path);
  return {all.begin(), all.end()};
}

}  // namespace mizan::job

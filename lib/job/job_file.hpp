// Job files: job.yaml with SkyPilot's keys, and shell scripts with #SBATCH headers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/money.hpp"
#include "job/job.hpp"

#include <string_view>

namespace mizan::job {

inline constexpr size_t kJobFileMax = size_t{256} << 10;

/// A job file that has been read and checked.
struct JobFile {
  /// `workdir` and `output_key` are still empty: the client packs the tree and makes the key.
  Job job;
  /// The folder to send, as written: relative to the job file's folder (of a script: to the folder
  /// in which the client runs); nothing is sent when absent.
  std::optional<std::string> workdir;
  uint32_t nodes = 1;
  uint32_t units_per_node = 1;  ///< vCPUs, since accelerators are not built yet
  /// What an offer must have, in the query language, e.g. `cores>=16 memory_gb>=64`; evaluated over
  /// the slice of a node that the units make up.
  std::string query;
  std::optional<Money> max_hourly_cost;  ///< of all units together, for an hour
  std::optional<Money> max_total_cost;
  /// What the buyer says of the deal, for policy; nothing is said of what is left out.
  std::optional<json::value> declaration;
  /// Where the client writes the log besides (`#SBATCH --output`), with %x and %j not yet filled
  /// in.
  std::optional<std::string> log_file;

  /// The highest rate a unit-second that keeps within max_hourly_cost, rounded down.
  std::optional<Rate> max_rate() const;
};

/// Reads the text of a job file: a script if it starts with "#!", otherwise YAML. `file_name` gives
/// the job's name when the file has none. Errors name field (details["field"]) and line
/// (details["line"]): unknown_field with details["nearest"], unsupported_key, invalid_argument,
/// too_large.
Result<JobFile> parse_job_file(std::string_view text, std::string_view file_name);

/// `mizan run -- COMMAND ARGS`: a job file without a file. Each argument reaches the program as it
/// is. The working tree is the client's folder only if it asks for it.
Result<JobFile> job_of_command(const std::vector<std::string>& command);

/// One `key=value` of a declaration ("end_use=commercial", "training=true", "country=SG",
/// "end_user=self") put into `declaration`, over what it said before. Errors name the key.
Result<void> declare(std::optional<json::value>& declaration, std::string_view key,
                     std::string_view value);

/// "90", "90s", "10m", "12h", "2d", "1h30m" in seconds.
Result<uint64_t> parse_duration(std::string_view text, const std::string& field);
/// "64", "64+", "64GB", "64Gi+", "1TB" in whole gigabytes.
Result<uint64_t> parse_gigabytes(std::string_view text, const std::string& field);

}  // namespace mizan::job

// Job: what a provider runs for a buyer, as it travels in an order's spec.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "codec/json.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mizan::job {

/// Bounds of every job, whoever made it. The whole spec is at most 64 KiB besides.
inline constexpr size_t kNameMax = 64;
inline constexpr size_t kScriptMax = 60'000;
inline constexpr size_t kPathMax = 1'000;
inline constexpr size_t kOutputsMax = 64;
inline constexpr size_t kEnvsMax = 256;
inline constexpr uint64_t kSecondsMax = 366ULL * 24 * 3600;
inline constexpr uint64_t kGigabytesMax = 1'000'000;

/// Where a job runs: the folder that its working tree is unpacked into, and relative outputs are
/// looked up in.
inline constexpr const char* kWorkFolder = "/workdir";

struct Checkpoint {
  std::string path;            ///< a folder, as for outputs; made empty before the job starts
  uint64_t every_seconds = 0;  ///< how often `signal` is sent while it runs; 0 is never
  std::string signal;          ///< "USR1", ...; "" is none: a stop then sends TERM

  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
  template <class Self, class V>
  static void visit_fields(Self& self, V&& v) {
    v("path", self.path);
    v("everySeconds", self.every_seconds);
    v("signal", self.signal);
  }
};

struct Job {
  std::string name;
  std::string image =
      "host";         ///< "host" or "oci:NAME", a layout that the provider has by that name
  std::string run;    ///< shell text, run by /bin/sh -c
  std::string setup;  ///< shell text that runs before it, in the same container; "" is none
  std::map<std::string, std::string> envs;
  std::optional<Hash32> workdir;     ///< SHA-256 of the tar archive unpacked into kWorkFolder
  std::vector<std::string> outputs;  ///< relative to kWorkFolder, or absolute in the sandbox
  uint64_t max_seconds = 0;          ///< the job is stopped when it has run this long
  std::optional<Checkpoint> checkpoint;
  uint64_t cores = 1;
  uint64_t memory_gb = 0;  ///< 0: the share of the node's that goes with its cores
  uint64_t disk_gb = 0;    ///< 0: the provider's choice, at most that share
  std::string network = "none";
  Hash32 output_key;  ///< X25519: outputs are sealed to it

  friend bool operator==(const Job&, const Job&) = default;
  template <class Self, class V>
  static void visit_fields(Self& self, V&& v) {
    v("name", self.name);
    v("image", self.image);
    v("run", self.run);
    v("setup", self.setup);
    v("envs", self.envs);
    v("workdir", self.workdir);
    v("outputs", self.outputs);
    v("maxSeconds", self.max_seconds);
    v("checkpoint", self.checkpoint);
    v("cores", self.cores);
    v("memoryGb", self.memory_gb);
    v("diskGb", self.disk_gb);
    v("network", self.network);
    v("outputKey", self.output_key);
  }
};

/// What an order commits to by Bid.specHash.
struct Spec {
  Job job;
  std::string query;
  bool split = false;
  bool immediate_or_cancel = true;
  /// What the buyer says of the deal, for policy (docs/PROTOCOL.md); only the exchange reads it.
  std::optional<json::value> declaration{};

  friend bool operator==(const Spec&, const Spec&) = default;
  template <class Self, class V>
  static void visit_fields(Self& self, V&& v) {
    v("job", self.job);
    v("query", self.query);
    v("split", self.split);
    v("immediate_or_cancel", self.immediate_or_cancel);
    v("declaration", self.declaration);
  }
};

/// The spec as it is signed: what it does not have is left out.
json::value spec_json(const Spec& spec);

/// Every bound and form that a job must have to be run, whoever wrote it: the client asks before it
/// signs, the agent before it accepts. The error's details["field"] is the JSON path, "envs.PATH".
Result<void> check(const Job& job);

/// The parts of `check` that job files share. `field` is for the error alone.
Result<void> check_name(const std::string& name, const std::string& field);
Result<void> check_image(const std::string& image, const std::string& field);
Result<void> check_env_name(const std::string& name, const std::string& field);
/// A path that stays inside: relative to kWorkFolder or absolute; no "..", no empty part, no
/// control character; not the root, nor beneath /proc, /sys or /dev.
Result<void> check_path(const std::string& path, const std::string& field);
/// USR1, USR2, TERM, INT, HUP, QUIT, CONT; with or without "SIG". Gives the name without it.
Result<std::string> check_signal(const std::string& name, const std::string& field);
/// The number of a signal that check_signal gave.
int signal_number(const std::string& name);

/// `path` as the job sees it: absolute, without "." parts.
std::string absolute_path(const std::string& path);

/// What the sandbox is given to run: /bin/sh, setup first, then run in its place; the exit code is
/// that of whichever failed, or run's.
std::vector<std::string> command_line(const Job& job);

}  // namespace mizan::job

// Small calls to the operating system that the rest of the room shares.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace mizan::sandbox {

namespace fs = std::filesystem;

/// "cannot WHAT: REASON" as io_error with details.errno; `number` is an errno.
tl::unexpected<Error> fail_errno(const std::string& what, int number);

/// A whole small file; `too_large` past `bytes_max`, not_found where there is none.
Result<std::string> read_file(const fs::path& path, uint64_t bytes_max = 1 << 20);
/// Replaces `path` in one step (a file beside it, then rename). Not synced: these files tell about
/// processes and mounts, which do not outlive the machine's run either.
Result<void> write_file(const fs::path& path, std::string_view text, mode_t mode = 0600);
/// Makes the folder and its parents (0755 those); an existing one gets `mode`, too.
Result<void> make_folder(const fs::path& path, mode_t mode);
/// Removes a tree without following links or crossing into another file system. Nothing there is
/// fine.
Result<void> remove_tree(const fs::path& path);
/// The names in an open folder, in order, without "." and ".."; at most `count_max` of them.
Result<std::vector<std::string>> names_in(UniqueFd folder, size_t count_max = SIZE_MAX);
/// The names in a folder, in order; empty where there is none.
std::vector<std::string> names_in(const fs::path& folder);

/// Opens or makes `path` (0600) and locks it for this process; conflict where another one has it.
/// The lock is the process's own: it ends with it, whatever children of it live on. Closing any
/// other descriptor of the file in this process would give it up.
Result<UniqueFd> lock_for_process(const fs::path& path);

/// Milliseconds of CLOCK_BOOTTIME.
uint64_t boottime_ms();
/// Names this run of the kernel.
std::string boot_id();
/// `bytes` random bytes in lower-case hex.
std::string random_hex(size_t bytes);
/// Decimal digits and nothing else, perhaps a line's end.
std::optional<uint64_t> parse_number(std::string_view text);

/// A process that cannot be mistaken for a later one with the same number.
struct ProcessId {
  pid_t pid = 0;
  uint64_t start_ticks = 0;  ///< field 22 of /proc/PID/stat
};
/// Nothing if there is no such process (or only its zombie).
std::optional<ProcessId> identify(pid_t pid);
/// A pidfd of exactly that process; none once it is gone.
UniqueFd open_process(const ProcessId& id);
int send_signal(const UniqueFd& process, int signal);
/// True once the process is gone; waits up to `timeout_ms`.
bool wait_gone(const UniqueFd& process, int timeout_ms);

/// openat2(2); `resolve` are RESOLVE_ flags.
UniqueFd open_at2(int folder, const std::string& path, uint64_t flags, uint64_t mode,
                  uint64_t resolve);

}  // namespace mizan::sandbox

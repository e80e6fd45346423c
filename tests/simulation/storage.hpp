// Simulated storage of a journal of the exchange's: it outlives the exchange, not always all of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/journal.hpp"
#include "simulation/surroundings.hpp"

#include <deque>
#include <memory>
#include <optional>

namespace mizan::simulation {

/// Frames on a disk, each one written, then synced, then answered; faults strike in between. What
/// was answered stays; of what was not, a crash leaves all, nothing, or damaged bytes that the next
/// opening has to cut.
class Storage {
 public:
  /// `name` tells the chances of several apart.
  Storage(Surroundings& world, const Hash32& genesis, std::string_view name = "storage");

  /// The journal as a fresh start of the program finds it: `corrupted` where an answered group does
  /// not check. One at a time.
  Result<std::unique_ptr<journal::Journal>> open();

  /// Whether a crash struck amid a write: the program is dead from then on.
  bool crashed() const { return crashed_; }
  /// The program died elsewhere: nothing is written any more.
  void stop() { failed_ = true; }
  bool failed() const { return failed_; }
  void set_on_crash(std::function<void()> f) { on_crash_ = std::move(f); }
  /// Called when the program is to die because it died amid a snapshot.
  void set_on_torn_snapshot(std::function<void()> f) { on_torn_snapshot_ = std::move(f); }
  /// Called for each group that somebody may be told of.
  void set_on_group(std::function<void(const journal::GroupInfo&)> f) { on_group_ = std::move(f); }
  /// The program is gone: what was written and not synced is decided. With `power_lost`, its
  /// machine stopped too.
  void settle(bool power_lost);
  bool is_damaged() const { return damage_.has_value() || snapshot_damaged_; }
  /// As from a copy; of a snapshot that does not read, by the one before, or by the journal's
  /// start, where that is there.
  void repair();
  bool is_full() const { return full_until_ms_ > world_.scheduler.now_ms(); }

 private:
  class Handle;
  struct Kept {
    journal::GroupInfo group;
    Bytes frame;
  };
  Result<journal::GroupInfo> append(std::span<const ByteView> records);
  Result<void> read(uint64_t from, const journal::Journal::Visitor& visit) const;
  Result<void> save_snapshot(uint64_t sequence, ByteView state);
  Result<void> prune(uint64_t below);
  tl::unexpected<Error> broken(const std::string& why, bool no_space = false);
  void leave(Bytes frame);
  void maybe_rot();

  Surroundings& world_;
  Random random_;
  journal::Head base_;
  journal::Head head_;      ///< of what is there
  journal::Head answered_;  ///< of what somebody was told
  std::deque<Kept> groups_;
  std::optional<Bytes> unsynced_;
  std::optional<journal::Snapshot> snapshot_;
  std::optional<journal::Snapshot> older_snapshot_;  ///< the one before, in a copy
  bool snapshot_damaged_ = false;
  bool failed_ = false;
  bool crashed_ = false;
  std::function<void()> on_crash_;
  std::function<void()> on_torn_snapshot_;
  std::function<void(const journal::GroupInfo&)> on_group_;
  uint64_t full_until_ms_ = 0;
  struct Damage {
    size_t group;
    size_t byte;
    uint8_t bit;
  };
  std::optional<Damage> damage_;
};

}  // namespace mizan::simulation

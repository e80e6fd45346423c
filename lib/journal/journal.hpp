// The journal: records made durable in groups, sealed by a hash chain, before they are answered.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

namespace mizan::journal {

/// A group's bounds; they keep a reader's memory bounded too.
inline constexpr size_t kMaxGroupRecords = 65'536;
inline constexpr size_t kMaxGroupBytes = size_t{32} << 20;  ///< of all records together

/// A place between two groups: the sequence number of the last record before it, and the hash that
/// chains everything up to it. Sequence 0 is the place before the first record.
struct Head {
  uint64_t sequence = 0;
  Hash32 hash;
  friend bool operator==(const Head&, const Head&) = default;
};

/// What one append made durable. Sequence numbers are dense and start at 1.
struct GroupInfo {
  uint64_t first_sequence = 0;
  uint64_t last_sequence = 0;
  Hash32 head;  ///< of the chain, after this group
};

/// A state as it was after the record `at.sequence`.
struct Snapshot {
  Head at;
  Bytes state;
};

/// Records in order, of which it knows the bytes and nothing else. All functions may be called from
/// any thread. Appends wait for each other; reads and snapshots run beside them; a prune waits for
/// the reads, so that a Visitor must not prune.
///
/// The first failed write or sync of an append or a prune makes the journal failed: nothing is
/// tried again, and every later call returns io_error. The only way on is to destroy it, to open
/// it anew and to replay: what was not acknowledged may then be there or not, as whole groups.
class Journal {
 public:
  /// Sees a record; the bytes are only valid during the call. An error ends the read with it.
  using Visitor = std::function<Result<void>(uint64_t sequence, ByteView record)>;

  virtual ~Journal() = default;

  /// Appends the records as one group: all of them are durable when this returns, or it is an
  /// error. invalid_argument for an empty group, too_large beyond the bounds: then nothing was
  /// written and the journal goes on. A record may be empty.
  virtual Result<GroupInfo> append_group(std::span<const ByteView> records) = 0;

  /// The end of the last durable group.
  virtual Head head() const = 0;

  /// Where the oldest kept group begins: records up to here are pruned.
  virtual Head base() const = 0;

  /// Visits the records from `from_sequence` up to what was the head at the call, and checks the
  /// hash chain on the way. not_found if `from_sequence` is pruned, invalid_argument past head + 1
  /// (head + 1 itself visits nothing), corrupted with details.place for bytes that fail a check.
  virtual Result<void> read(uint64_t from_sequence, const Visitor& visit) = 0;

  /// Keeps `state` as the state after `sequence`, which must end a group; durable when this
  /// returns, and then in place of the snapshot before. conflict if that one is younger. A failure
  /// leaves the one before in place, and the journal goes on.
  virtual Result<void> save_snapshot(uint64_t sequence, ByteView state) = 0;

  /// The youngest snapshot, checked against its hash; nothing if none was saved.
  virtual Result<std::optional<Snapshot>> latest_snapshot() = 0;

  /// Forgets the groups that lie wholly below `below`. conflict if that is more than the latest
  /// snapshot covers (`below` > its sequence + 1).
  virtual Result<void> prune(uint64_t below) = 0;
};

}  // namespace mizan::journal

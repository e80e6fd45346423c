#include "journal/rocksdb_journal.hpp"

#include "journal/database.hpp"
#include "journal/seal.hpp"
#include "journal/snapshot_file.hpp"
#include "journal/table_check.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <limits>
#include <mutex>
#include <shared_mutex>

namespace mizan::journal {
namespace {

using rocksdb::WALRecoveryMode;

constexpr uint64_t kToTheEnd = std::numeric_limits<uint64_t>::max();

/// The lock that keeps a second opener out, for as long as it lives.
class FolderLock {
 public:
  static Result<FolderLock> take(rocksdb::Env& env, const std::string& folder) {
    rocksdb::FileLock* lock = nullptr;
    const std::string path = folder + "/LOCK";
    if (const auto status = env.LockFile(path, &lock); !status.ok()) {
      if (status.IsNoSpace()) return fail(storage_error(status, "lock " + path));
      return fail(Error{ErrorCode::unavailable,
                        fmt::format("the journal in {} is open already: stop the exchange that "
                                    "uses it first ({})",
                                    folder, status.ToString())}
                      .with("place", path));
    }
    return FolderLock(env, lock);
  }
  FolderLock(FolderLock&& other) noexcept
      : env_(other.env_), lock_(std::exchange(other.lock_, nullptr)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock() {
    if (lock_ != nullptr) env_.UnlockFile(lock_).PermitUncheckedError();
  }

 private:
  FolderLock(rocksdb::Env& env, rocksdb::FileLock* lock) : env_(env), lock_(lock) {}
  rocksdb::Env& env_;
  rocksdb::FileLock* lock_;
};

struct Parts {
  FolderLock lock;
  Seal seal;
  SnapshotFolder snapshots;
  std::unique_ptr<Database> database;
  Database::Origin origin;
  Head head;
  uint64_t snapshot_sequence = 0;
};

class RocksdbJournal final : public Journal {
 public:
  explicit RocksdbJournal(Parts parts)
      : parts_(std::move(parts)),
        head_(parts_.head),
        base_(parts_.origin.base),
        snapshot_sequence_(parts_.snapshot_sequence) {}

  Result<GroupInfo> append_group(std::span<const ByteView> records) override {
    const std::lock_guard writing(write_mutex_);
    MIZAN_CHECK(not_failed());
    const Head previous = head();
    MIZAN_TRY(frame, encode_frame(previous, records));
    GroupInfo group{.first_sequence = previous.sequence + 1,
                    .last_sequence = previous.sequence + records.size(),
                    .head = {}};
    std::copy(frame.end() - 32, frame.end(), group.head.bytes.begin());
    const Head end{.sequence = group.last_sequence, .hash = group.head};
    MIZAN_CHECK(or_fail(parts_.database->put_group(group.first_sequence, frame)));
    MIZAN_CHECK(or_fail(parts_.seal.write(end)));
    const std::lock_guard lock(state_mutex_);
    head_ = end;
    return group;
  }

  Head head() const override {
    const std::lock_guard lock(state_mutex_);
    return head_;
  }

  Head base() const override {
    const std::lock_guard lock(state_mutex_);
    return base_;
  }

  Result<void> read(uint64_t from_sequence, const Visitor& visit) override {
    const std::shared_lock reading(prune_mutex_);
    MIZAN_CHECK(not_failed());
    const Head end = head();
    const Head start = base();
    if (from_sequence <= start.sequence)
      return fail(ErrorCode::not_found, fmt::format("the journal begins at sequence {}: {} is gone",
                                                    start.sequence + 1, from_sequence));
    if (from_sequence > end.sequence + 1)
      return fail(ErrorCode::invalid_argument,
                  fmt::format("the journal ends at sequence {}: {} is not written yet",
                              end.sequence, from_sequence));
    if (from_sequence == end.sequence + 1) return {};
    const std::string place = fmt::format("sequence {}", from_sequence);
    MIZAN_TRY(first, parts_.database->group_of(from_sequence));
    if (first == 0) return fail(damaged(place, "the group is missing"));
    MIZAN_TRY(before, parts_.database->place_at(start, first - 1));
    if (!before) return fail(damaged(place, "the group before it is missing"));
    const auto each = [&](const Frame& frame) -> Result<void> {
      uint64_t sequence = frame.group.first_sequence;
      for (const ByteView record : frame.records) {
        if (sequence >= from_sequence) MIZAN_CHECK(visit(sequence, record));
        ++sequence;
      }
      return {};
    };
    MIZAN_TRY(last, parts_.database->walk(*before, end.sequence, each));
    if (last != end)
      return fail(damaged(fmt::format("sequence {}", last.sequence + 1),
                          "the groups do not reach the journal's head"));
    return {};
  }

  Result<void> save_snapshot(uint64_t sequence, ByteView state) override {
    const std::lock_guard snapshotting(snapshot_mutex_);
    MIZAN_CHECK(not_failed());
    if (sequence < snapshot_sequence_)
      return fail(ErrorCode::conflict, fmt::format("the snapshot at sequence {} is younger than {}",
                                                   snapshot_sequence_, sequence));
    std::optional<Head> at;
    if (sequence <= head().sequence) {
      MIZAN_TRY(found, parts_.database->place_at(base(), sequence));
      at = found;
    }
    if (!at)
      return fail(ErrorCode::invalid_argument,
                  fmt::format("sequence {} does not end a group of the journal", sequence));
    MIZAN_CHECK(parts_.snapshots.save(*at, state));
    parts_.snapshots.remove_all_but(sequence);
    snapshot_sequence_ = sequence;
    return {};
  }

  Result<std::optional<Snapshot>> latest_snapshot() override {
    const std::lock_guard snapshotting(snapshot_mutex_);
    MIZAN_CHECK(not_failed());
    return parts_.snapshots.load();
  }

  Result<void> prune(uint64_t below) override {
    const std::lock_guard pruning(prune_mutex_);
    const std::lock_guard writing(write_mutex_);
    const std::lock_guard snapshotting(snapshot_mutex_);
    MIZAN_CHECK(not_failed());
    if (below > snapshot_sequence_ + 1)
      return fail(ErrorCode::conflict,
                  fmt::format("the latest snapshot is of sequence {}: save one before pruning "
                              "below {}",
                              snapshot_sequence_, below));
    const Head old = base();
    if (below <= old.sequence + 1) return {};
    // A snapshot ends a group; so the group that holds `below` starts after it or is kept whole.
    MIZAN_TRY(first, parts_.database->group_of(below));
    MIZAN_TRY(place, below == snapshot_sequence_ + 1
                         ? parts_.database->place_at(old, snapshot_sequence_)
                         : parts_.database->place_at(old, first - 1));
    if (!place) return fail(damaged(fmt::format("sequence {}", below), "a group is missing"));
    if (place->sequence == old.sequence) return {};
    Database::Origin origin = parts_.origin;
    origin.base = *place;
    MIZAN_CHECK(or_fail(parts_.database->prune(origin)));
    const std::lock_guard lock(state_mutex_);
    base_ = *place;
    return {};
  }

 private:
  Result<void> not_failed() const {
    const std::lock_guard lock(state_mutex_);
    if (failure_) return fail(*failure_);
    return {};
  }

  /// The first failure is the last: it is kept, and every later call returns it.
  Result<void> or_fail(Result<void> result) {
    if (result) return result;
    const std::lock_guard lock(state_mutex_);
    failure_ = result.error();
    failure_->code = ErrorCode::io_error;
    failure_->message = "the journal has failed and must be opened anew: " + result.error().message;
    return result;
  }

  Parts parts_;
  // Taken in this order. A prune waits for the reads before it stops the appends.
  std::shared_mutex prune_mutex_;   ///< a prune keeps reads out
  std::mutex write_mutex_;          ///< appends and prunes
  std::mutex snapshot_mutex_;       ///< the snapshots' folder
  mutable std::mutex state_mutex_;  ///< the members below; held for no input or output
  Head head_;
  Head base_;
  std::optional<Error> failure_;
  uint64_t snapshot_sequence_;  ///< under snapshot_mutex_
};

/// What a look at an existing database, before anything is written, has shown.
struct Inspection {
  std::optional<Database::Origin> origin;
  Head head;
  WALRecoveryMode mode = WALRecoveryMode::kTolerateCorruptedTailRecords;
};

/// Walks the chain from the snapshot or the base to the end.
Result<Inspection> walk_chain(const Database& database, const std::optional<Head>& snapshot,
                              const std::optional<Head>& seal, bool verify_all) {
  Inspection found;
  MIZAN_TRY(origin, database.origin());
  found.origin = origin;
  if (!origin) return found;
  const Head& base = origin->base;
  if (snapshot ? snapshot->sequence < base.sequence : base.sequence > 0)
    return fail(damaged("the folder of snapshots",
                        fmt::format("there is no snapshot of sequence {} or later, below which "
                                    "the journal was pruned",
                                    base.sequence)));
  Head start = base;
  if (snapshot && !verify_all) {
    MIZAN_TRY(place, database.place_at(base, snapshot->sequence));
    // If the group is missing, the walk from the base says where the chain breaks off.
    if (place && *place == *snapshot) start = *snapshot;
  }
  bool passed_snapshot = !snapshot || start == *snapshot;
  bool passed_seal = !seal || seal->sequence < start.sequence || start == *seal;
  MIZAN_TRY(end, database.walk(start, kToTheEnd, [&](const Frame& frame) -> Result<void> {
    passed_snapshot = passed_snapshot || frame.end() == *snapshot;
    passed_seal = passed_seal || frame.end() == *seal;
    return {};
  }));
  found.head = end;
  if (!passed_seal && end.sequence < seal->sequence)
    return fail(damaged(fmt::format("sequence {}", end.sequence + 1),
                        fmt::format("the groups from here up to sequence {} were acknowledged and "
                                    "are missing",
                                    seal->sequence)));
  if (!passed_seal)
    return fail(damaged(fmt::format("sequence {}", seal->sequence),
                        "the group there is not the one that was acknowledged"));
  if (!passed_snapshot)
    return fail(damaged(fmt::format("sequence {}", snapshot->sequence),
                        "the latest snapshot does not fit the groups"));
  return found;
}

Result<Inspection> inspect(Opening opening, const std::optional<Head>& snapshot,
                           const std::optional<Head>& seal, bool verify_all) {
  MIZAN_CHECK(check_tables(*opening.env, opening.path));
  opening.create = false;
  opening.read_only = true;
  auto database = Database::open(opening);
  if (database) return walk_chain(**database, snapshot, seal, verify_all);
  if (database.error().code != ErrorCode::corrupted) return fail(database.error());
  // RocksDB refuses. How far is its log whole? If as far as anything was acknowledged, this is the
  // tail that a crash tore (a disk may write the later sectors of a group and not the earlier).
  opening.mode = WALRecoveryMode::kPointInTimeRecovery;
  const auto whole = Database::open(opening);
  if (!whole) return fail(database.error());
  auto found = walk_chain(**whole, snapshot, seal, verify_all);
  if (!found) {
    if (found.error().code != ErrorCode::corrupted) return found;
    return fail(damaged(found.error().details["place"] + ", " + database.error().details["place"],
                        "acknowledged groups cannot be read"));
  }
  found->mode = opening.mode;
  return found;
}

/// A folder that a crash cannot take away with all that is in it.
Result<void> make_folder(rocksdb::Env& env, const std::string& path) {
  auto status = env.CreateDirIfMissing(path);
  const std::string parent = std::filesystem::path(path).parent_path().string();
  std::unique_ptr<rocksdb::Directory> directory;
  if (status.ok()) status = env.NewDirectory(parent.empty() ? "." : parent, &directory);
  if (status.ok()) status = directory->Fsync();
  if (!status.ok()) return fail(storage_error(status, "make the journal's folder " + path));
  return {};
}

Error other_format(const std::string& path, uint32_t kept, uint32_t read) {
  return Error{ErrorCode::conflict,
               fmt::format("the journal in {} is of format {}, and this program reads format {}; "
                           "nothing was changed: use the version of the program that made it, or "
                           "another folder",
                           path, kept, read),
               {}}
      .with("format", std::to_string(kept));
}

Result<void> write_beginning(Parts& parts, const Database::Origin& origin) {
  MIZAN_CHECK(parts.database->write_origin(origin));
  parts.origin = origin;
  return {};
}

}  // namespace

Result<std::unique_ptr<Journal>> open_rocksdb(const RocksdbOptions& options) {
  rocksdb::Env& env = options.env != nullptr ? *options.env : *rocksdb::Env::Default();
  MIZAN_CHECK(make_folder(env, options.path));
  MIZAN_TRY(lock, FolderLock::take(env, options.path));
  Parts parts{.lock = std::move(lock),
              .seal = Seal(env, options.path),
              .snapshots = SnapshotFolder(env, options.path + "/snapshots"),
              .database = nullptr,
              .origin = {},
              .head = {},
              .snapshot_sequence = 0};
  Opening opening{.path = options.path + "/db", .env = &env, .memory_bytes = options.memory_bytes};

  MIZAN_TRY(seal, parts.seal.load());
  MIZAN_TRY(snapshot, parts.snapshots.load());
  std::optional<Head> snapshot_at;
  if (snapshot) snapshot_at = snapshot->at;
  snapshot.reset();

  // Without a seal the journal is new, or its making was cut short: then it holds no group.
  Inspection found;
  const bool begun = env.FileExists(opening.path + "/CURRENT").ok();
  if (seal || begun) {
    MIZAN_TRY(inspected, inspect(opening, snapshot_at, seal, options.verify_all));
    found = inspected;
  }
  if (seal && !found.origin)
    return fail(damaged(opening.path, "the database is empty, though the journal was begun"));
  if (!seal && (found.head.sequence > 0 || snapshot_at))
    return fail(damaged(options.path + "/HEAD-0",
                        "the seal is missing, though the journal has "
                        "groups"));
  const Database::Origin fresh{.format = options.format,
                               .genesis = options.genesis,
                               .base = {.sequence = 0, .hash = options.genesis}};
  if (found.origin && found.origin->format != options.format)
    return fail(other_format(options.path, found.origin->format, options.format));
  if (found.origin && found.origin->genesis != options.genesis)
    return fail(ErrorCode::conflict,
                fmt::format("the journal in {} was begun with the genesis {}, not {}: it belongs "
                            "to another exchange",
                            options.path, hex0x(found.origin->genesis.view()),
                            hex0x(options.genesis.view())));

  opening.create = !seal;
  opening.mode = found.mode;
  MIZAN_TRY(database, Database::open(opening));
  parts.database = std::move(database);
  if (found.origin) {
    parts.origin = *found.origin;
    parts.head = found.head;
    // What was checked is what goes on: the same walk's end, read from the opened database.
    MIZAN_TRY(end, parts.database->place_at(parts.origin.base, parts.head.sequence));
    if (end != parts.head)
      return fail(damaged(fmt::format("sequence {}", parts.head.sequence),
                          "the database reads otherwise than when it was checked"));
  } else {
    MIZAN_CHECK(write_beginning(parts, fresh));
    parts.head = fresh.base;
  }
  // RocksDB has flushed what it recovered, so that a group that was written but not acknowledged
  // is durable by now; sealing it makes it part of the journal for good.
  // The seal's synced folder makes the names of the database and the snapshots durable too.
  MIZAN_CHECK(parts.snapshots.create());
  MIZAN_CHECK(parts.seal.create(parts.head));
  parts.snapshot_sequence = snapshot_at ? snapshot_at->sequence : 0;
  if (snapshot_at) parts.snapshots.remove_all_but(snapshot_at->sequence);
  return std::make_unique<RocksdbJournal>(std::move(parts));
}

}  // namespace mizan::journal

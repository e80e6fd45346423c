#include "journal/memory_journal.hpp"

#include "journal/frame.hpp"

#include <fmt/format.h>

#include <iterator>
#include <map>
#include <memory>
#include <mutex>

namespace mizan::journal {
namespace {

class MemoryJournal final : public Journal {
 public:
  explicit MemoryJournal(const Hash32& genesis) : head_{.hash = genesis}, base_(head_) {}

  Result<GroupInfo> append_group(std::span<const ByteView> records) override {
    const std::lock_guard lock(mutex_);
    MIZAN_TRY(bytes, encode_frame(head_, records));
    const auto shared = std::make_shared<const Bytes>(std::move(bytes));
    MIZAN_TRY(frame, decode_frame(head_, *shared));
    groups_.emplace(frame.group.last_sequence, shared);
    head_ = frame.end();
    return frame.group;
  }

  Head head() const override {
    const std::lock_guard lock(mutex_);
    return head_;
  }

  Head base() const override {
    const std::lock_guard lock(mutex_);
    return base_;
  }

  Result<void> read(uint64_t from_sequence, const Visitor& visit) override {
    std::unique_lock lock(mutex_);
    const uint64_t end = head_.sequence;
    if (from_sequence <= base_.sequence)
      return fail(ErrorCode::not_found, fmt::format("the journal begins at sequence {}: {} is gone",
                                                    base_.sequence + 1, from_sequence));
    if (from_sequence > end + 1)
      return fail(ErrorCode::invalid_argument,
                  fmt::format("the journal ends at sequence {}: {} is not written yet", end,
                              from_sequence));
    // Unlocked during the visits, which may append.
    for (uint64_t next = from_sequence; next <= end;) {
      const auto found = groups_.lower_bound(next);
      const std::shared_ptr<const Bytes> bytes = found->second;
      lock.unlock();
      MIZAN_TRY(frame, decode_unlinked_frame(*bytes));
      for (; next <= frame.group.last_sequence; ++next)
        MIZAN_CHECK(visit(next, frame.records[next - frame.group.first_sequence]));
      lock.lock();
    }
    return {};
  }

  Result<void> save_snapshot(uint64_t sequence, ByteView state) override {
    const std::lock_guard lock(mutex_);
    const uint64_t youngest = snapshot_ ? snapshot_->at.sequence : 0;
    if (sequence < youngest)
      return fail(ErrorCode::conflict, fmt::format("the snapshot at sequence {} is younger than {}",
                                                   youngest, sequence));
    Head at = base_;
    if (sequence != base_.sequence) {
      const auto found = groups_.find(sequence);
      if (found == groups_.end())
        return fail(ErrorCode::invalid_argument,
                    fmt::format("sequence {} does not end a group of the journal", sequence));
      MIZAN_TRY(frame, decode_unlinked_frame(*found->second));
      at = frame.end();
    }
    snapshot_ = Snapshot{.at = at, .state = {state.begin(), state.end()}};
    return {};
  }

  Result<std::optional<Snapshot>> latest_snapshot() override {
    const std::lock_guard lock(mutex_);
    return snapshot_;
  }

  Result<void> prune(uint64_t below) override {
    const std::lock_guard lock(mutex_);
    const uint64_t covered = snapshot_ ? snapshot_->at.sequence : 0;
    if (below > covered + 1)
      return fail(ErrorCode::conflict,
                  fmt::format("the latest snapshot is of sequence {}: save one before pruning "
                              "below {}",
                              covered, below));
    const auto kept = groups_.lower_bound(below);
    if (kept == groups_.begin()) return {};
    MIZAN_TRY(last, decode_unlinked_frame(*std::prev(kept)->second));
    base_ = last.end();
    groups_.erase(groups_.begin(), kept);
    return {};
  }

 private:
  mutable std::mutex mutex_;
  Head head_;
  Head base_;
  std::map<uint64_t, std::shared_ptr<const Bytes>> groups_;  ///< frames, by their last sequence
  std::optional<Snapshot> snapshot_;
};

}  // namespace

std::unique_ptr<Journal> make_memory_journal(const Hash32& genesis) {
  return std::make_unique<MemoryJournal>(genesis);
}

}  // namespace mizan::journal

#include "simulation/storage.hpp"

#include "journal/frame.hpp"

namespace mizan::simulation {

using journal::GroupInfo;
using journal::Head;

namespace {
constexpr size_t kSector = 512;
}

/// What the exchange holds; dead once the next one is made.
class Storage::Handle final : public journal::Journal {
 public:
  explicit Handle(Storage& storage) : storage_(storage) {}
  Result<GroupInfo> append_group(std::span<const ByteView> records) override {
    return storage_.append(records);
  }
  Head head() const override { return storage_.head_; }
  Head base() const override { return storage_.base_; }
  Result<void> read(uint64_t from_sequence, const Visitor& visit) override {
    return storage_.read(from_sequence, visit);
  }
  Result<void> save_snapshot(uint64_t sequence, ByteView state) override {
    return storage_.save_snapshot(sequence, state);
  }
  Result<std::optional<journal::Snapshot>> latest_snapshot() override { return storage_.snapshot_; }
  Result<void> prune(uint64_t below) override { return storage_.prune(below); }

 private:
  Storage& storage_;
};

Storage::Storage(Surroundings& world, const Hash32& genesis, std::string_view name)
    : world_(world),
      random_(world.random.fork(name)),
      base_{.sequence = 0, .hash = genesis},
      head_(base_),
      answered_(base_) {}

/// The first failure ends the journal, as lib/journal has it.
tl::unexpected<Error> Storage::broken(const std::string& why, bool no_space) {
  failed_ = true;
  Error error{ErrorCode::io_error, "cannot append to the journal: " + why, {}};
  if (no_space) error.details["errno"] = "ENOSPC";
  return fail(std::move(error));
}

void Storage::leave(Bytes frame) {
  unsynced_ = std::move(frame);
}

Result<GroupInfo> Storage::append(std::span<const ByteView> records) {
  if (failed_) return fail(ErrorCode::io_error, "the journal has failed");
  MIZAN_TRY(bytes, journal::encode_frame(head_, records));
  MIZAN_TRY(frame, journal::decode_frame(head_, bytes));
  const GroupInfo group = frame.group;
  Faults& faults = world_.faults;
  if (!is_full() && faults.strikes(Fault::full_disk, 5))
    full_until_ms_ = world_.scheduler.now_ms() + random_.between(100, 20'000);
  if (faults.is_calm()) full_until_ms_ = 0;
  if (is_full()) {
    if (random_.chance(5'000))
      leave(Bytes(bytes.begin(),
                  bytes.begin() + static_cast<ptrdiff_t>(random_.below(bytes.size()))));
    return broken("No space left on device", true);
  }
  if (faults.strikes(Fault::failed_sync, 10)) {
    leave(std::move(bytes));
    return broken("Input/output error");
  }
  const bool dies = faults.strikes(Fault::exchange_crash, 40);
  if (dies) {
    crashed_ = true;
    if (on_crash_) on_crash_();
  }
  if (dies && random_.chance(6'000)) {  // before the sync; else after it, but before the answer
    leave(std::move(bytes));
    return broken("the program is dead");
  }
  groups_.push_back({group, std::move(bytes)});
  head_ = {group.last_sequence, group.head};
  if (dies) return broken("the program is dead");
  answered_ = head_;
  if (on_group_) on_group_(group);
  return group;
}

Result<std::unique_ptr<journal::Journal>> Storage::open() {
  if (snapshot_damaged_) return fail(ErrorCode::corrupted, "the snapshot's hash differs");
  // The chain, from the snapshot or the base on, to what was answered and beyond.
  Head at = base_;
  const size_t count = groups_.size();
  size_t next = 0;
  if (snapshot_ && snapshot_->at.sequence > at.sequence) {
    while (next < count && groups_[next].group.last_sequence <= snapshot_->at.sequence) ++next;
    at = snapshot_->at;
  }
  for (; next < count; ++next) {
    auto frame = journal::decode_frame(at, groups_[next].frame);
    if (!frame) return fail(std::move(frame).error());
    at = frame->end();
  }
  if (unsynced_) {
    // Nobody was told of it: kept if it is whole, cut if it is torn.
    if (auto frame = journal::decode_frame(at, *unsynced_)) {
      const GroupInfo group = frame->group;
      groups_.push_back({group, *std::move(unsynced_)});
      at = {group.last_sequence, group.head};
    }
    unsynced_.reset();
  }
  head_ = at;
  failed_ = crashed_ = false;
  return std::unique_ptr<journal::Journal>(std::make_unique<Handle>(*this));
}

void Storage::settle(bool power_lost) {
  Faults& faults = world_.faults;
  if (unsynced_ && power_lost) {
    Bytes& bytes = *unsynced_;
    if (faults.strikes(Fault::torn_write, 6'000)) {
      bytes.resize(random_.below(bytes.size() + 1));
    } else if (faults.strikes(Fault::reordered_write, 6'000)) {
      for (size_t at = 0; at < bytes.size(); at += kSector)
        if (random_.chance(5'000))
          std::fill(bytes.begin() + static_cast<ptrdiff_t>(at),
                    bytes.begin() + static_cast<ptrdiff_t>(std::min(bytes.size(), at + kSector)),
                    uint8_t{0});
    } else if (random_.chance(7'000)) {
      unsynced_.reset();
    }
  } else if (unsynced_ && random_.chance(3'000)) {
    unsynced_.reset();  // killed before it wrote
  }
  maybe_rot();
}

void Storage::maybe_rot() {
  if (snapshot_ && world_.faults.strikes(Fault::torn_snapshot, 2'000)) snapshot_damaged_ = true;
  if (damage_ || !world_.faults.on(Fault::bit_rot) || !random_.chance(2'000)) return;
  // Among what the next start reads: behind the snapshot.
  const uint64_t from = snapshot_ ? snapshot_->at.sequence : 0;
  std::vector<size_t> read;
  for (size_t i = 0; i < groups_.size(); ++i)
    if (groups_[i].group.last_sequence > from) read.push_back(i);
  if (read.empty()) return;
  const size_t group = read[random_.below(read.size())];
  Bytes& frame = groups_[group].frame;
  damage_ = Damage{group, random_.below(frame.size()), static_cast<uint8_t>(1 << random_.below(8))};
  frame[damage_->byte] ^= damage_->bit;
  world_.faults.note(Fault::bit_rot);
}

void Storage::repair() {
  if (std::exchange(snapshot_damaged_, false)) {
    const bool from_older = older_snapshot_ && older_snapshot_->at.sequence >= base_.sequence;
    if (from_older || base_.sequence == 0)
      snapshot_ = from_older ? std::move(older_snapshot_) : std::nullopt;
    older_snapshot_.reset();
  }
  if (!damage_) return;
  groups_[damage_->group].frame[damage_->byte] ^= damage_->bit;
  damage_.reset();
}

Result<void> Storage::read(uint64_t from, const journal::Journal::Visitor& visit) const {
  if (from <= base_.sequence) return fail(ErrorCode::not_found, "pruned");
  if (from > head_.sequence + 1) return fail(ErrorCode::invalid_argument, "not written yet");
  const uint64_t end = head_.sequence;
  auto place = std::partition_point(groups_.begin(), groups_.end(), [from](const Kept& kept) {
    return kept.group.last_sequence < from;
  });
  for (; place != groups_.end() && place->group.first_sequence <= end; ++place) {
    MIZAN_TRY(frame, journal::decode_unlinked_frame(place->frame));
    for (uint64_t at = std::max(from, frame.group.first_sequence); at <= frame.group.last_sequence;
         ++at)
      MIZAN_CHECK(visit(at, frame.records[at - frame.group.first_sequence]));
  }
  return {};
}

Result<void> Storage::save_snapshot(uint64_t sequence, ByteView state) {
  if (failed_) return fail(ErrorCode::io_error, "the journal has failed");
  if (is_full()) return fail(ErrorCode::io_error, "No space left on device");
  for (const Kept& kept : groups_)
    if (kept.group.last_sequence == sequence) {
      const bool dies = world_.faults.strikes(Fault::torn_snapshot, 2'000);
      // What is half written has another name: the old one is there, or the whole new one.
      if (!dies || random_.chance(5'000)) {
        older_snapshot_ = std::move(snapshot_);
        snapshot_ = journal::Snapshot{{sequence, kept.group.head}, {state.begin(), state.end()}};
      }
      if (!dies) return {};
      if (on_torn_snapshot_) on_torn_snapshot_();
      return broken("the program is dead");
    }
  return fail(ErrorCode::invalid_argument, "no group ends there");
}

Result<void> Storage::prune(uint64_t below) {
  if (failed_) return fail(ErrorCode::io_error, "the journal has failed");
  if (below > (snapshot_ ? snapshot_->at.sequence : 0) + 1)
    return fail(ErrorCode::conflict, "no snapshot covers it");
  while (!groups_.empty() && groups_.front().group.last_sequence < below) {
    base_ = {groups_.front().group.last_sequence, groups_.front().group.head};
    groups_.pop_front();
  }
  return {};
}

}  // namespace mizan::simulation

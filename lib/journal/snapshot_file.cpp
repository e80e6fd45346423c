#include "journal/snapshot_file.hpp"

#include "codec/binary.hpp"
#include "crypto/hash.hpp"
#include "journal/frame.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace mizan::journal {
namespace {

constexpr std::string_view kSnapshotMagic = "MIZANSN1";
constexpr size_t kHeaderBytes = 8 + 8 + 32 + 8;
constexpr size_t kSealBytes = 32;

// Twenty digits: then names sort as numbers do, and every sequence number fits.
std::string file_name(uint64_t sequence) {
  return fmt::format("{:020}", sequence);
}

std::optional<uint64_t> sequence_of(const std::string& name) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (name.size() != 20 || !std::all_of(name.begin(), name.end(), is_digit)) return std::nullopt;
  uint64_t sequence = 0;
  for (const char c : name)
    if (__builtin_mul_overflow(sequence, uint64_t{10}, &sequence) ||
        __builtin_add_overflow(sequence, static_cast<uint64_t>(c - '0'), &sequence))
      return std::nullopt;
  return sequence;
}

Bytes header(const Head& at, uint64_t state_bytes) {
  Writer writer;
  writer.raw(as_bytes(kSnapshotMagic));
  writer.put(at.sequence);
  writer.put(at.hash);
  writer.put(state_bytes);
  return writer.take();
}

Hash32 hash_of(ByteView head, ByteView state) {
  Sha256 hash;
  hash.update(head);
  hash.update(state);
  return hash.finish();
}

}  // namespace

Result<void> SnapshotFolder::create() {
  if (const auto status = env_.CreateDirIfMissing(folder_); !status.ok())
    return fail(storage_error(status, "make the folder " + folder_));
  return {};
}

Result<std::optional<Snapshot>> SnapshotFolder::load() const {
  std::vector<std::string> names;
  if (const auto status = env_.GetChildren(folder_, &names); !status.ok()) {
    if (status.IsPathNotFound() || status.IsNotFound()) return std::nullopt;
    return fail(storage_error(status, "list the folder " + folder_));
  }
  std::optional<uint64_t> youngest;
  for (const auto& name : names)
    if (const auto sequence = sequence_of(name)) youngest = std::max(youngest, sequence);
  if (!youngest) return std::nullopt;

  const std::string path = folder_ + "/" + file_name(*youngest);
  MIZAN_TRY(bytes, read_file(env_, path, std::numeric_limits<uint64_t>::max()));
  const ByteView view = bytes;
  Snapshot snapshot{.at = {.sequence = *youngest, .hash = {}}, .state = {}};
  bool whole = bytes.size() >= kHeaderBytes + kSealBytes;
  if (whole) {
    const ByteView state = view.subspan(kHeaderBytes, bytes.size() - kHeaderBytes - kSealBytes);
    std::copy_n(bytes.begin() + 16, 32, snapshot.at.hash.bytes.begin());
    const Bytes expected = header(snapshot.at, state.size());
    const Hash32 hash = hash_of(expected, state);
    whole = std::equal(expected.begin(), expected.end(), bytes.begin()) &&
            std::equal(hash.bytes.begin(), hash.bytes.end(), bytes.end() - kSealBytes);
  }
  if (!whole) return fail(damaged(path, "the snapshot's hash differs"));
  // In place: a large state is not held twice.
  bytes.resize(bytes.size() - kSealBytes);
  bytes.erase(bytes.begin(), bytes.begin() + kHeaderBytes);
  snapshot.state = std::move(bytes);
  return snapshot;
}

Result<void> SnapshotFolder::save(const Head& at, ByteView state) {
  const Bytes head = header(at, state.size());
  const Hash32 hash = hash_of(head, state);
  const std::array<ByteView, 3> parts{ByteView(head), state, hash.view()};
  return replace_file(env_, folder_, file_name(at.sequence), parts);
}

void SnapshotFolder::remove_all_but(uint64_t sequence) {
  std::vector<std::string> names;
  env_.GetChildren(folder_, &names).PermitUncheckedError();
  for (const auto& name : names) {
    const auto of = sequence_of(name);
    if (of ? *of < sequence : name.ends_with(kTemporary))
      env_.DeleteFile(folder_ + "/" + name).PermitUncheckedError();
  }
}

}  // namespace mizan::journal

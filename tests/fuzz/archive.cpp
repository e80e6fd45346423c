// Archives by strangers: nothing is written outside the folder, and a tree that was taken is packed
// and unpacked to the same bytes. What cannot be opened as an archive is tried as a sealed stream.
#include "crypto/sealed.hpp"
#include "fuzz/fuzz.hpp"
#include "fuzz/temporary_folder.hpp"
#include "transfer/tree.hpp"

using namespace mizan;
namespace fs = std::filesystem;

namespace {

/// Pieces of an odd size, so that reads meet their borders.
transfer::ByteSource pieces(ByteView input) {
  return [left = input]() mutable -> Result<ByteView> {
    const ByteView piece = left.first(std::min<size_t>(left.size(), 1000));
    left = left.subspan(piece.size());
    return piece;
  };
}

Bytes packed(const fs::path& folder) {
  Bytes out;
  const auto done = transfer::pack_tree(folder, [&](ByteView bytes) -> Result<void> {
    append(out, bytes);
    return {};
  });
  ensure(done.has_value(), done ? "" : done.error().message);
  return out;
}

void sealed(ByteView input) {
  static const BoxKey kKey = BoxKey::from_bytes(Bytes(32, 7)).value();
  const auto nowhere = [](ByteView) -> Result<void> { return {}; };
  Opener opener(kKey, nowhere);
  if (opener.write(input) && opener.finish()) ensure(!input.empty(), "a sealed stream has bytes");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView input(data, size);
  const fuzz::TemporaryFolder folder;
  const fs::path outside = folder.path / "outside", tree = folder.path / "in" / "tree";
  fs::create_directories(outside);
  fs::create_directories(tree.parent_path());
  const transfer::ArchiveLimits limits{.bytes_max = 1 << 20, .entries_max = 50, .depth_max = 8};
  const auto taken = transfer::unpack_tree(pieces(input), tree, limits);
  ensure(fs::is_empty(outside), "nothing is written elsewhere");
  size_t beside = 0;
  for (const auto& entry : fs::directory_iterator(tree.parent_path())) {
    ensure(entry.path() == tree, "nothing is written beside the tree");
    ++beside;
  }
  ensure(beside == 1, "the tree is there");
  if (!taken) {
    sealed(input);
    return 0;
  }
  ensure(taken->bytes <= limits.bytes_max && taken->entries <= limits.entries_max,
         "limits are kept");
  for (const auto& entry : fs::recursive_directory_iterator(tree))
    ensure((entry.symlink_status().permissions() & (fs::perms::set_uid | fs::perms::set_gid)) ==
               fs::perms::none,
           "no set-id bits come out of an archive");
  const Bytes first = packed(tree);
  const fs::path second = folder.path / "second";
  const auto again = transfer::unpack_tree(pieces(first), second);
  ensure(again.has_value(), again ? "" : again.error().message);
  ensure(packed(second) == first, "one tree, one archive");
  return 0;
}

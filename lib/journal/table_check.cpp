#include "journal/table_check.hpp"

#include "journal/frame.hpp"

#include <algorithm>
#include <array>

namespace mizan::journal {
namespace {

// The footer: checksum type (1), the handle of the index of metablocks (two varints), another
// handle, padding, format version (4), magic number (8, little-endian).
constexpr size_t kFooterBytes = 53;
constexpr std::array<uint8_t, 8> kTableMagic{0xf7, 0xcf, 0xf4, 0x85, 0xb7, 0x41, 0xe2, 0x88};
// A block ends with the number of its restart points (4, little-endian); type and checksum follow.
constexpr size_t kTrailerBytes = 5;
constexpr size_t kCountBytes = 4;

Result<Bytes> read_at(const rocksdb::RandomAccessFile& file, const std::string& path,
                      uint64_t offset, size_t size) {
  Bytes bytes(size);
  rocksdb::Slice got;
  const auto status = file.Read(offset, size, &got, reinterpret_cast<char*>(bytes.data()));
  if (!status.ok()) return fail(storage_error(status, "read " + path));
  return Bytes(got.data(), got.data() + got.size());
}

Result<void> check_table(rocksdb::Env& env, const std::string& path) {
  uint64_t size = 0;
  std::unique_ptr<rocksdb::RandomAccessFile> file;
  auto status = env.GetFileSize(path, &size);
  if (status.ok()) status = env.NewRandomAccessFile(path, &file, rocksdb::EnvOptions());
  if (!status.ok()) return fail(storage_error(status, "open " + path));
  if (size < kFooterBytes) return {};
  MIZAN_TRY(footer, read_at(*file, path, size - kFooterBytes, kFooterBytes));
  if (footer.size() != kFooterBytes ||
      !std::equal(kTableMagic.begin(), kTableMagic.end(), footer.end() - 8))
    return {};
  uint64_t index = 0;
  for (size_t i = 1, shift = 0; shift < 63; ++i, shift += 7) {
    index |= uint64_t{footer[i] & 0x7fu} << shift;
    if ((footer[i] & 0x80) == 0) break;
  }
  // The properties are the block before that index.
  if (index < kTrailerBytes + kCountBytes || index > size) return {};
  MIZAN_TRY(count, read_at(*file, path, index - kTrailerBytes - kCountBytes, kCountBytes));
  if (count.size() == kCountBytes && (count[3] & 0x80) != 0)
    return fail(damaged(path, "the table's properties are not what RocksDB writes"));
  return {};
}

}  // namespace

Result<void> check_tables(rocksdb::Env& env, const std::string& folder) {
  std::vector<std::string> names;
  if (const auto status = env.GetChildren(folder, &names); !status.ok())
    return fail(storage_error(status, "list the folder " + folder));
  for (const auto& name : names)
    if (name.ends_with(".sst")) MIZAN_CHECK(check_table(env, folder + "/" + name));
  return {};
}

}  // namespace mizan::journal

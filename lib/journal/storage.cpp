#include "journal/storage.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mizan::journal {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;

rocksdb::Status write_synced(rocksdb::Env& env, const std::string& path,
                             std::span<const ByteView> parts) {
  std::unique_ptr<rocksdb::WritableFile> file;
  auto status = env.NewWritableFile(path, &file, rocksdb::EnvOptions());
  for (ByteView part : parts)
    while (status.ok() && !part.empty()) {
      const ByteView piece = part.first(std::min(part.size(), kPieceBytes));
      status = file->Append({reinterpret_cast<const char*>(piece.data()), piece.size()});
      part = part.subspan(piece.size());
    }
  if (status.ok()) status = file->Sync();
  if (status.ok()) status = file->Close();
  return status;
}

}  // namespace

Error storage_error(const rocksdb::Status& status, std::string_view doing) {
  Error error{ErrorCode::io_error, fmt::format("cannot {}: {}", doing, status.ToString())};
  if (!status.IsNoSpace()) return error;
  error.message = fmt::format("cannot {}: the disk is full; make room and start again", doing);
  return std::move(error).with("errno", "ENOSPC");
}

Result<void> replace_file(rocksdb::Env& env, const std::string& folder, const std::string& name,
                          std::span<const ByteView> parts) {
  const std::string path = folder + "/" + name;
  const std::string temporary = path + std::string(kTemporary);
  auto status = write_synced(env, temporary, parts);
  if (status.ok()) status = env.RenameFile(temporary, path);
  std::unique_ptr<rocksdb::Directory> directory;
  if (status.ok()) status = env.NewDirectory(folder, &directory);
  if (status.ok()) status = directory->Fsync();
  if (status.ok()) return {};
  env.DeleteFile(temporary).PermitUncheckedError();
  return fail(storage_error(status, "write " + path));
}

Result<Bytes> read_file(rocksdb::Env& env, const std::string& path, uint64_t bytes_max) {
  std::unique_ptr<rocksdb::SequentialFile> file;
  if (const auto status = env.NewSequentialFile(path, &file, rocksdb::EnvOptions()); !status.ok())
    return status.IsPathNotFound() || status.IsNotFound()
               ? fail(ErrorCode::not_found, "there is no file " + path)
               : fail(storage_error(status, "open " + path));
  Bytes bytes;
  uint64_t size = 0;
  if (env.GetFileSize(path, &size).ok()) bytes.reserve(std::min(size, bytes_max));
  std::string piece(kPieceBytes, '\0');
  for (rocksdb::Slice got;;) {
    if (const auto status = file->Read(piece.size(), &got, piece.data()); !status.ok())
      return fail(storage_error(status, "read " + path));
    if (got.empty()) return bytes;
    if (got.size() > bytes_max - bytes.size())
      return fail(ErrorCode::too_large, fmt::format("{} is over {} bytes", path, bytes_max));
    const auto* data = reinterpret_cast<const uint8_t*>(got.data());
    bytes.insert(bytes.end(), data, data + got.size());
  }
}

}  // namespace mizan::journal

#include "transfer/tar_writer.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <optional>
#include <unistd.h>

namespace mizan::transfer {
namespace {

tl::unexpected<Error> bad_name(std::string_view name, const std::string& what) {
  return fail(
      Error{ErrorCode::invalid_argument, "\"" + std::string(name.substr(0, 200)) + "\": " + what}
          .with("field", std::string(name.substr(0, 200))));
}

}  // namespace

Result<void> check_entry_name(std::string_view name, size_t depth_max) {
  if (name.empty()) return bad_name(name, "an entry without a name");
  if (name.size() > kEntryNameMax) return bad_name(name, "a name longer than 1,000 bytes");
  if (name.front() == '/') return bad_name(name, "an absolute name; archives hold relative ones");
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return bad_name("", "a name with a control character");
  }
  size_t depth = 0;
  for (size_t at = 0; at <= name.size(); ++depth) {
    const size_t slash = std::min(name.find('/', at), name.size());
    const std::string_view part = name.substr(at, slash - at);
    if (part.empty() || part == ".") return bad_name(name, "a name with an empty or \".\" part");
    if (part == "..") return bad_name(name, "a name that climbs out with \"..\"");
    if (part.size() > 255) return bad_name(name, "a name with a part longer than 255 bytes");
    at = slash + 1;
  }
  if (depth > depth_max) return bad_name(name, "too many folders deep");
  return {};
}

Result<void> check_link(std::string_view name, std::string_view target) {
  if (target.empty() || target.size() > kEntryNameMax)
    return bad_name(name, "a link whose target is empty or longer than 1,000 bytes");
  if (target.front() == '/') return bad_name(name, "a link to an absolute path");
  if (target.find('\0') != std::string_view::npos)
    return bad_name(name, "a link with a NUL byte in its target");
  auto above = std::count(name.begin(), name.end(), '/');
  bool leading = true;
  for (size_t at = 0; at <= target.size();) {
    const size_t slash = std::min(target.find('/', at), target.size());
    const std::string_view part = target.substr(at, slash - at);
    at = slash + 1;
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      leading = false;
      continue;
    }
    // Behind another part, ".." would be taken from where that part leads, if it is a link itself.
    if (!leading || above-- == 0) return bad_name(name, "a link that leads out of the tree");
  }
  return {};
}

struct TarWriter::State {
  ByteSink sink;
  ArchiveLimits limits;
  archive* handle = nullptr;
  std::optional<Error> sink_error;  // what `sink` said: libarchive only carries "it failed"
  ArchiveSummary summary;
  Bytes buffer = Bytes(size_t{256} << 10);

  static la_ssize_t write(archive*, void* self, const void* data, size_t size) {
    auto& state = *static_cast<State*>(self);
    if (state.sink_error) return -1;
    auto result = state.sink(ByteView(static_cast<const uint8_t*>(data), size));
    if (result) return static_cast<la_ssize_t>(size);
    state.sink_error = std::move(result).error();
    return -1;
  }
};

TarWriter::TarWriter(ByteSink sink, const ArchiveLimits& limits)
    : state_(std::make_unique<State>()) {
  state_->sink = std::move(sink);
  state_->limits = limits;
  state_->handle = archive_write_new();
  archive_write_set_format_gnutar(state_->handle);
  archive_write_set_bytes_per_block(state_->handle, size_t{256} << 10);
  archive_write_set_bytes_in_last_block(state_->handle, 512);
  archive_write_open(state_->handle, state_.get(), nullptr, State::write, nullptr);
}

TarWriter::~TarWriter() {
  if (state_->handle == nullptr) return;
  state_->sink_error = Error{};  // given up: nothing more is written
  archive_write_free(state_->handle);
}

Result<void> TarWriter::check_archive(int64_t code) {
  if (code >= ARCHIVE_OK) return {};
  if (state_->sink_error) return fail(*state_->sink_error);
  const char* text = archive_error_string(state_->handle);
  return fail(ErrorCode::internal,
              std::string("the archive could not be written: ") + (text ? text : "?"));
}

Result<void> TarWriter::start_entry(const std::string& name, unsigned type, unsigned mode,
                                    uint64_t bytes, const std::string& target,
                                    int64_t mtime_seconds) {
  MIZAN_CHECK(check_entry_name(name, state_->limits.depth_max));
  if (state_->summary.entries >= state_->limits.entries_max)
    return fail(ErrorCode::too_large, "the tree has more than " +
                                          std::to_string(state_->limits.entries_max) + " entries");
  if (bytes > state_->limits.bytes_max - state_->summary.bytes)
    return fail(ErrorCode::too_large,
                "the tree holds more than " + std::to_string(state_->limits.bytes_max) + " bytes");
  const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(),
                                                                       archive_entry_free);
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_filetype(entry.get(), type);
  archive_entry_set_perm(entry.get(), static_cast<mode_t>(mode));
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes));
  archive_entry_set_mtime(entry.get(), mtime_seconds, 0);
  if (!target.empty()) archive_entry_set_symlink(entry.get(), target.c_str());
  MIZAN_CHECK(check_archive(archive_write_header(state_->handle, entry.get())));
  state_->summary.entries += 1;
  state_->summary.bytes += bytes;
  return {};
}

Result<void> TarWriter::add_folder(const std::string& name, int64_t mtime_seconds) {
  return start_entry(name, AE_IFDIR, 0755, 0, "", mtime_seconds);
}

Result<void> TarWriter::add_link(const std::string& name, const std::string& target,
                                 int64_t mtime_seconds) {
  MIZAN_CHECK(check_link(name, target));
  return start_entry(name, AE_IFLNK, 0777, 0, target, mtime_seconds);
}

Result<void> TarWriter::add_file(const std::string& name, int fd, uint64_t bytes, bool executable,
                                 int64_t mtime_seconds) {
  MIZAN_CHECK(start_entry(name, AE_IFREG, executable ? 0755 : 0644, bytes, "", mtime_seconds));
  while (bytes > 0) {
    const size_t wanted = std::min<uint64_t>(bytes, state_->buffer.size());
    const ssize_t n = ::read(fd, state_->buffer.data(), wanted);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(name, "read");
    if (n == 0)
      return fail(ErrorCode::conflict, "\"" + name + "\" became shorter while it was read");
    MIZAN_CHECK(check_archive(
        archive_write_data(state_->handle, state_->buffer.data(), static_cast<size_t>(n))));
    bytes -= static_cast<uint64_t>(n);
  }
  return {};
}

Result<ArchiveSummary> TarWriter::finish() {
  MIZAN_CHECK(check_archive(archive_write_close(state_->handle)));
  archive_write_free(state_->handle);
  state_->handle = nullptr;
  return state_->summary;
}

}  // namespace mizan::transfer

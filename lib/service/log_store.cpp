#include "service/log_store.hpp"

#include "service/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mizan::service {

namespace fs = std::filesystem;

namespace {
constexpr size_t kMaxCached = 100'000;
}

LogStore::LogStore(fs::path folder, uint64_t max_bytes, uint64_t total_bytes, const Owner& owner)
    : folder_(std::move(folder)), max_bytes_(max_bytes), total_bytes_(total_bytes) {
  std::error_code error;
  for (const auto& item : fs::directory_iterator(folder_, error)) {
    const uint64_t size = item.file_size(error);
    const auto lease = parse_fixed<LeaseId>(item.path().stem().string());
    if (error || !lease) continue;
    const Address provider = owner(*lease);
    owners_.emplace(*lease, provider);
    held_[provider] += size;
    total_ += size;
  }
}

/// Room for more of a lease's log, unless its provider would hold more than is left free then.
bool LogStore::take(const Address& provider, const LeaseId& lease, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto place = held_.find(provider);
  const uint64_t held = place == held_.end() ? 0 : place->second;
  const uint64_t free = total_bytes_ - std::min(total_, total_bytes_);
  if (bytes > free || held + bytes > free - bytes) return false;
  owners_.emplace(lease, provider);
  held_[provider] = held + bytes;
  total_ += bytes;
  return true;
}

void LogStore::give_back(const LeaseId& lease, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto owner = owners_.find(lease);
  if (owner == owners_.end()) return;
  const auto held = held_.find(owner->second);
  total_ -= bytes;
  if ((held->second -= bytes) == 0) held_.erase(held);
}

fs::path LogStore::file(const LeaseId& lease) const {
  return folder_ / (hex(lease.view()) + ".log");
}

std::shared_ptr<LogStore::Entry> LogStore::entry(const LeaseId& lease) const {
  const std::lock_guard lock(mutex_);
  // Entries in use stay alive with their users; a new one reads its size from the file again.
  if (entries_.size() > kMaxCached)
    std::erase_if(entries_, [](const auto& item) { return item.second.use_count() == 1; });
  auto& found = entries_[lease];
  if (!found) {
    found = std::make_shared<Entry>();
    struct stat info {};
    if (::stat(file(lease).c_str(), &info) == 0) found->size = static_cast<uint64_t>(info.st_size);
  }
  return found;
}

uint64_t LogStore::size(const LeaseId& lease) const {
  return entry(lease)->size;
}

Result<uint64_t> LogStore::append(const Address& provider, const LeaseId& lease, uint64_t offset,
                                  std::string_view data) {
  const auto log = entry(lease);
  const std::lock_guard lock(log->mutex);
  const uint64_t size = log->size;
  if (offset > size)
    return fail(Error{ErrorCode::conflict,
                      "log: the offset is beyond what is stored; send from details.size on",
                      {}}
                    .with("field", "offset")
                    .with("size", std::to_string(size)));
  if (offset + data.size() <= size) return size;
  data.remove_prefix(size - offset);
  if (data.size() > max_bytes_ || size > max_bytes_ - data.size())
    return fail(Error{ErrorCode::too_large,
                      "log: a lease's log is at most " + std::to_string(max_bytes_) + " bytes",
                      {}}
                    .with("field", "data")
                    .with("size", std::to_string(size)));
  if (!take(provider, lease, data.size()))
    return fail(Error{
        ErrorCode::limit_exceeded,
        "log: the logs of a provider's leases are at most as much as the exchange has "
        "room left for; send it later",
        {}}.with("field", "data")
                    .with("size", std::to_string(size)));
  if (auto written = write(lease, size, data); !written) {
    give_back(lease, data.size());
    return fail(std::move(written).error());
  }
  log->size = size + data.size();
  return size + data.size();
}

Result<void> LogStore::write(const LeaseId& lease, uint64_t offset, std::string_view data) const {
  const fs::path path = file(lease);
  const Descriptor opened(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!opened.open()) return fail(file_error("open", path));
  return write_all(opened.get(), as_bytes(data), offset, path);
}

Result<std::string> LogStore::read(const LeaseId& lease, uint64_t offset, size_t bytes_max) const {
  const uint64_t size = this->size(lease);
  if (offset >= size) return std::string();
  std::string data(std::min<uint64_t>(bytes_max, size - offset), '\0');
  const fs::path path = file(lease);
  const Descriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened.open()) return fail(file_error("open", path));
  const ssize_t got = ::pread(opened.get(), data.data(), data.size(), static_cast<off_t>(offset));
  if (got < 0) return fail(file_error("read", path));
  data.resize(static_cast<size_t>(got));
  return data;
}

Result<void> LogStore::sync(const LeaseId& lease) {
  const fs::path path = file(lease);
  const Descriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened.open()) {
    if (errno == ENOENT) return {};  // the job said nothing
    return fail(file_error("open", path));
  }
  if (::fdatasync(opened.get()) == 0) return sync_folder(folder_);
  // What was written may be lost, and a second sync would say that it is not: it has to come again.
  Error error = file_error("sync", path);
  const auto log = entry(lease);
  const std::lock_guard lock(log->mutex);
  give_back(lease, log->size.exchange(0));
  (void)::truncate(path.c_str(), 0);
  return fail(std::move(error).with("size", "0"));
}

void LogStore::expire(uint64_t before_seconds, const std::function<bool(const LeaseId&)>& keep) {
  std::error_code error;
  for (const auto& item : fs::directory_iterator(folder_, error)) {
    struct stat info {};
    if (::stat(item.path().c_str(), &info) != 0) continue;
    const auto lease = parse_fixed<LeaseId>(item.path().stem().string());
    if (!lease || static_cast<uint64_t>(info.st_mtim.tv_sec) >= before_seconds || keep(*lease))
      continue;
    if (fs::remove(item.path(), error)) give_back(*lease, static_cast<uint64_t>(info.st_size));
    const std::lock_guard lock(mutex_);
    entries_.erase(*lease);
    owners_.erase(*lease);
  }
}

}  // namespace mizan::service

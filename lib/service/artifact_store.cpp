#include "service/artifact_store.hpp"

#include "crypto/address.hpp"
#include "crypto/hash.hpp"
#include "crypto/private_file.hpp"
#include "service/files.hpp"

#include <array>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mizan::service {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMaxOwners = 64;
constexpr std::string_view kTemporary = ".part";
constexpr std::string_view kUnnamed = ".tmp";  // owners that write_private_file did not finish
constexpr std::string_view kOwners = ".owners";

Result<std::set<Address>> read_owners(const fs::path& file) {
  MIZAN_TRY(text, read_private_file(file.string()));
  std::set<Address> owners;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    MIZAN_TRY(owner, parse_address(std::string_view(text).substr(at, end - at)));
    owners.insert(owner);
    at = end + 1;
  }
  return owners;
}

}  // namespace

struct ArtifactStore::Upload::Impl {
  ArtifactStore& store;
  Hash32 name;
  Address owner;
  uint64_t reserved = 0;
  fs::path temporary;
  Descriptor file;
  Sha256 hash{};
  uint64_t written = 0;
};

ArtifactStore::Upload::Upload(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ArtifactStore::Upload::~Upload() {
  std::error_code ignored;
  fs::remove(impl_->temporary, ignored);
  impl_->store.release(impl_->owner, impl_->reserved);
}

const Address& ArtifactStore::Upload::owner() const {
  return impl_->owner;
}
uint64_t ArtifactStore::Upload::size() const {
  return impl_->written;
}

Result<void> ArtifactStore::Upload::write(ByteView bytes) {
  if (bytes.size() > impl_->reserved - impl_->written)
    return fail(ErrorCode::too_large, "the artifact is larger than its Content-Length");
  MIZAN_CHECK(write_all(impl_->file.get(), bytes, impl_->written, impl_->temporary));
  impl_->hash.update(bytes);
  impl_->written += bytes.size();
  return {};
}

Result<void> ArtifactStore::Upload::commit(UnixMs now) {
  if (impl_->hash.finish() != impl_->name)
    return fail(Error{
        ErrorCode::invalid_argument,
        "the body's SHA-256 is not the artifact's name; it was changed on its way, or "
        "named wrongly",
        {}}.with("field", "sha256"));
  // By the exchange's clock, which is what it is kept by.
  const timespec at{static_cast<time_t>(now.seconds()), 0};
  const std::array<timespec, 2> times{at, at};
  if (::futimens(impl_->file.get(), times.data()) != 0 || ::fsync(impl_->file.get()) != 0)
    return fail(file_error("sync", impl_->temporary));
  return impl_->store.finish(impl_->name, impl_->owner, impl_->temporary, impl_->written, now);
}

ArtifactStore::ArtifactStore(fs::path folder, ArtifactLimits limits)
    : folder_(std::move(folder)), limits_(limits) {}

fs::path ArtifactStore::file(const Hash32& name) const {
  return folder_ / hex(name.view());
}

Result<std::unique_ptr<ArtifactStore>> ArtifactStore::open(fs::path folder, ArtifactLimits limits) {
  std::unique_ptr<ArtifactStore> store(new ArtifactStore(std::move(folder), limits));
  MIZAN_CHECK(store->load());
  return store;
}

Result<void> ArtifactStore::load() {
  MIZAN_CHECK(make_folder(folder_));
  std::error_code error;
  for (const auto& item : fs::directory_iterator(folder_, error)) {
    const std::string name = item.path().filename();
    if (name.ends_with(kTemporary) || name.ends_with(kUnnamed)) {
      fs::remove(item.path(), error);
      continue;
    }
    if (name.ends_with(kOwners)) continue;
    const auto hash = parse_fixed<Hash32>(name);
    struct stat info {};
    if (!hash || ::stat(item.path().c_str(), &info) != 0) continue;
    Entry entry;
    entry.size = static_cast<uint64_t>(info.st_size);
    entry.uploaded_s = static_cast<uint64_t>(info.st_mtim.tv_sec);
    // Owners that cannot be read are none: the lease's parties may still have the bytes.
    if (auto owners = read_owners(item.path().string() + std::string(kOwners)))
      entry.owners = *std::move(owners);
    for (const Address& owner : entry.owners) used_[owner] += entry.size;
    total_ += entry.size;
    entries_.emplace(*hash, std::move(entry));
  }
  return {};
}

Result<std::unique_ptr<ArtifactStore::Upload>> ArtifactStore::begin(const Hash32& name,
                                                                    const Address& owner,
                                                                    uint64_t bytes) {
  if (bytes > limits_.each_bytes)
    return fail(ErrorCode::too_large,
                "an artifact is at most " + std::to_string(limits_.each_bytes) + " bytes");
  auto impl = std::make_unique<Upload::Impl>(Upload::Impl{*this, name, owner, 0, {}, Descriptor()});
  {
    const std::lock_guard lock(mutex_);
    if (bytes > limits_.account_bytes || used_[owner] > limits_.account_bytes - bytes)
      return fail(ErrorCode::limit_exceeded, "your artifacts would be over " +
                                                 std::to_string(limits_.account_bytes) +
                                                 " bytes; they are kept for seven days");
    if (bytes > limits_.total_bytes || total_ > limits_.total_bytes - bytes)
      return fail(ErrorCode::limit_exceeded, "the exchange's artifact store is full; try later");
    used_[owner] += bytes;
    total_ += bytes;
    impl->temporary = folder_ / (std::to_string(next_temporary_++) + std::string(kTemporary));
  }
  impl->reserved = bytes;
  // From here on the upload's end gives the reservation back.
  std::unique_ptr<Upload> upload(new Upload(std::move(impl)));
  Upload::Impl& made = *upload->impl_;
  made.file =
      Descriptor(::open(made.temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!made.file.open()) return fail(file_error("create", made.temporary));
  return upload;
}

Result<void> ArtifactStore::finish(const Hash32& name, const Address& owner,
                                   const fs::path& temporary, uint64_t size, UnixMs now) {
  const std::lock_guard lock(mutex_);
  Entry entry;
  const auto place = entries_.find(name);
  if (place != entries_.end()) entry = place->second;
  if (entry.owners.size() >= kMaxOwners && !entry.owners.contains(owner))
    return fail(ErrorCode::limit_exceeded, "too many accounts uploaded this artifact");
  const bool new_owner = entry.owners.insert(owner).second;
  MIZAN_CHECK(write_owners(name, entry.owners));
  if (::rename(temporary.c_str(), file(name).c_str()) != 0)
    return fail(file_error("name", temporary));
  MIZAN_CHECK(sync_folder(folder_));
  entry.uploaded_s = now.seconds();
  if (new_owner) used_[owner] += size;
  if (place == entries_.end()) total_ += size;
  entry.size = size;
  entries_.insert_or_assign(name, std::move(entry));
  return {};
}

Result<void> ArtifactStore::write_owners(const Hash32& name,
                                         const std::set<Address>& owners) const {
  std::string text;
  for (const Address& owner : owners) text += to_checksum(owner) + "\n";
  return write_private_file(file(name).string() + std::string(kOwners), as_bytes(text));
}

void ArtifactStore::release(const Address& owner, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  total_ -= bytes;
  const auto place = used_.find(owner);
  if (place == used_.end()) return;
  place->second -= bytes;
  if (place->second == 0) used_.erase(place);
}

bool ArtifactStore::has(const Hash32& name) const {
  const std::lock_guard lock(mutex_);
  return entries_.contains(name);
}

bool ArtifactStore::uploaded_by(const Hash32& name, const Address& owner) const {
  const std::lock_guard lock(mutex_);
  const auto place = entries_.find(name);
  return place != entries_.end() && place->second.owners.contains(owner);
}

Result<ArtifactStore::Opened> ArtifactStore::open_file(const Hash32& name) const {
  Descriptor opened(::open(file(name).c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!opened.open() || ::fstat(opened.get(), &info) != 0)
    return fail(ErrorCode::not_found, "there is no such artifact; they are kept for seven days");
  return Opened{opened.release(), static_cast<uint64_t>(info.st_size)};
}

uint64_t ArtifactStore::total_bytes() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

void ArtifactStore::expire(UnixMs now) {
  const std::lock_guard lock(mutex_);
  std::error_code ignored;
  for (auto place = entries_.begin(); place != entries_.end();) {
    const Entry& entry = place->second;
    if (entry.uploaded_s + limits_.keep_seconds >= now.seconds()) {
      ++place;
      continue;
    }
    fs::remove(file(place->first), ignored);
    fs::remove(file(place->first).string() + std::string(kOwners), ignored);
    total_ -= entry.size;
    for (const Address& owner : entry.owners) {
      const auto used = used_.find(owner);
      if (used != used_.end() && (used->second -= entry.size) == 0) used_.erase(used);
    }
    place = entries_.erase(place);
  }
}

}  // namespace mizan::service

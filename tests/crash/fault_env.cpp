#include "crash/fault_env.hpp"

#include <rocksdb/file_system.h>

#include <cstring>

namespace mizan::crash {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus status(FaultDisk::Outcome outcome, const std::string& path) {
  switch (outcome) {
    case FaultDisk::Outcome::ok:
      return IOStatus::OK();
    case FaultDisk::Outcome::io_error:
      return IOStatus::IOError(path, "a fault made on purpose");
    case FaultDisk::Outcome::no_space:
      return IOStatus::NoSpace(path, "the disk is full");
    case FaultDisk::Outcome::not_found:
      return IOStatus::PathNotFound(path);
  }
  return IOStatus::Corruption(path);
}

ByteView view(const Slice& bytes) {
  return as_bytes(std::string_view(bytes.data(), bytes.size()));
}

struct Place {
  std::shared_ptr<FaultDisk> disk;
  FaultDisk::NodePtr node;
  std::string path;

  IOStatus read(uint64_t offset, size_t n, Slice* result, char* scratch) const {
    const Bytes bytes = disk->read(path, node, offset, n);
    if (!bytes.empty()) std::memcpy(scratch, bytes.data(), bytes.size());
    *result = Slice(scratch, bytes.size());
    return IOStatus::OK();
  }
};

class Sequential : public rocksdb::FSSequentialFile {
 public:
  explicit Sequential(Place place) : place_(std::move(place)) {}
  IOStatus Read(size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) override {
    const auto read = place_.read(at_, n, result, scratch);
    at_ += result->size();
    return read;
  }
  IOStatus Skip(uint64_t n) override {
    at_ += n;
    return IOStatus::OK();
  }

 private:
  Place place_;
  uint64_t at_ = 0;
};

class RandomAccess : public rocksdb::FSRandomAccessFile {
 public:
  explicit RandomAccess(Place place) : place_(std::move(place)) {}
  IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    return place_.read(offset, n, result, scratch);
  }

 private:
  Place place_;
};

class Writable : public rocksdb::FSWritableFile {
 public:
  explicit Writable(Place place) : place_(std::move(place)) {}
  using FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    return status(place_.disk->write(place_.node, place_.disk->size(place_.node), view(data)),
                  place_.path);
  }
  IOStatus Truncate(uint64_t size, const IOOptions&, IODebugContext*) override {
    return status(place_.disk->truncate(place_.node, size), place_.path);
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    return status(place_.disk->sync(place_.node), place_.path);
  }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override {
    return place_.disk->size(place_.node);
  }

 private:
  Place place_;
};

class ReadWrite : public rocksdb::FSRandomRWFile {
 public:
  explicit ReadWrite(Place place) : place_(std::move(place)) {}
  IOStatus Write(uint64_t offset, const Slice& data, const IOOptions&, IODebugContext*) override {
    return status(place_.disk->write(place_.node, offset, view(data)), place_.path);
  }
  IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    return place_.read(offset, n, result, scratch);
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    return status(place_.disk->sync(place_.node), place_.path);
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  Place place_;
};

class Folder : public rocksdb::FSDirectory {
 public:
  explicit Folder(Place place) : place_(std::move(place)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return status(place_.disk->sync_folder(place_.path), place_.path);
  }

 private:
  Place place_;
};

struct Lock : rocksdb::FileLock {
  explicit Lock(std::string at) : path(std::move(at)) {}
  std::string path;
};

class FaultFileSystem : public rocksdb::FileSystem {
 public:
  explicit FaultFileSystem(std::shared_ptr<FaultDisk> disk) : disk_(std::move(disk)) {}
  const char* Name() const override { return "FaultFileSystem"; }

  IOStatus NewSequentialFile(const std::string& name, const FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* out,
                             IODebugContext*) override {
    return open<Sequential>(name, out);
  }
  IOStatus NewRandomAccessFile(const std::string& name, const FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* out,
                               IODebugContext*) override {
    return open<RandomAccess>(name, out);
  }
  IOStatus NewRandomRWFile(const std::string& name, const FileOptions&,
                           std::unique_ptr<rocksdb::FSRandomRWFile>* out,
                           IODebugContext*) override {
    return open<ReadWrite>(name, out);
  }
  IOStatus NewWritableFile(const std::string& name, const FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>* out,
                           IODebugContext*) override {
    FaultDisk::NodePtr node;
    const std::string path = plain(name);
    const auto outcome = disk_->create(path, &node);
    if (outcome == FaultDisk::Outcome::ok)
      *out = std::make_unique<Writable>(Place{.disk = disk_, .node = node, .path = path});
    return status(outcome, path);
  }
  IOStatus NewDirectory(const std::string& name, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* out, IODebugContext*) override {
    return open<Folder>(name, out);
  }
  IOStatus FileExists(const std::string& name, const IOOptions&, IODebugContext*) override {
    return disk_->find(plain(name)) ? IOStatus::OK() : IOStatus::NotFound(name);
  }
  IOStatus GetChildren(const std::string& name, const IOOptions&, std::vector<std::string>* out,
                       IODebugContext*) override {
    if (!disk_->find(plain(name))) return IOStatus::PathNotFound(name);
    *out = disk_->children(plain(name));
    return IOStatus::OK();
  }
  IOStatus DeleteFile(const std::string& name, const IOOptions&, IODebugContext*) override {
    return status(disk_->remove(plain(name)), name);
  }
  IOStatus Truncate(const std::string& name, size_t size, const IOOptions&,
                    IODebugContext*) override {
    const auto node = disk_->find(plain(name));
    return node ? status(disk_->truncate(node, size), name) : IOStatus::PathNotFound(name);
  }
  IOStatus CreateDir(const std::string& name, const IOOptions&, IODebugContext*) override {
    return status(disk_->make_folder(plain(name)), name);
  }
  IOStatus CreateDirIfMissing(const std::string& name, const IOOptions&, IODebugContext*) override {
    return status(disk_->make_folder(plain(name)), name);
  }
  IOStatus DeleteDir(const std::string& name, const IOOptions&, IODebugContext*) override {
    return status(disk_->remove(plain(name)), name);
  }
  IOStatus GetFileSize(const std::string& name, const IOOptions&, uint64_t* size,
                       IODebugContext*) override {
    const auto node = disk_->find(plain(name));
    if (!node) return IOStatus::PathNotFound(name);
    *size = disk_->size(node);
    return IOStatus::OK();
  }
  IOStatus GetFileModificationTime(const std::string&, const IOOptions&, uint64_t* time,
                                   IODebugContext*) override {
    *time = 0;
    return IOStatus::OK();
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                      IODebugContext*) override {
    return status(disk_->rename(plain(from), plain(to)), from);
  }
  IOStatus LockFile(const std::string& name, const IOOptions&, rocksdb::FileLock** lock,
                    IODebugContext*) override {
    const std::lock_guard guard(mutex_);
    if (!locked_.insert(plain(name)).second) return IOStatus::IOError(name, "locked");
    *lock = new Lock(plain(name));
    return IOStatus::OK();
  }
  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    const std::unique_ptr<Lock> held(static_cast<Lock*>(lock));
    const std::lock_guard guard(mutex_);
    locked_.erase(held->path);
    return IOStatus::OK();
  }
  IOStatus GetTestDirectory(const IOOptions&, std::string* path, IODebugContext*) override {
    path->assign(1, '/');  // g++ 12 sees an overlap in the assignment of a literal
    return IOStatus::OK();
  }
  IOStatus NewLogger(const std::string& name, const IOOptions&, std::shared_ptr<rocksdb::Logger>*,
                     IODebugContext*) override {
    return IOStatus::NotSupported(name);
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* out,
                           IODebugContext*) override {
    *out = path;
    return IOStatus::OK();
  }
  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* folder,
                       IODebugContext*) override {
    const auto node = disk_->find(plain(path));
    if (!node) return IOStatus::PathNotFound(path);
    *folder = disk_->is_folder(node);
    return IOStatus::OK();
  }

 private:
  /// RocksDB writes "folder//file" and "folder/" at times.
  static std::string plain(const std::string& path) {
    std::string out;
    for (const char c : path)
      if (c != '/' || out.empty() || out.back() != '/') out.push_back(c);
    if (out.size() > 1 && out.back() == '/') out.pop_back();
    return out;
  }
  template <class File, class Out>
  IOStatus open(const std::string& name, std::unique_ptr<Out>* out) {
    const std::string path = plain(name);
    const auto node = disk_->find(path);
    if (!node) return IOStatus::PathNotFound(path, "there is no such file");
    *out = std::make_unique<File>(Place{.disk = disk_, .node = node, .path = path});
    return IOStatus::OK();
  }

  std::shared_ptr<FaultDisk> disk_;
  std::mutex mutex_;
  std::set<std::string> locked_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> make_fault_env(std::shared_ptr<FaultDisk> disk) {
  return rocksdb::NewCompositeEnv(std::make_shared<FaultFileSystem>(std::move(disk)));
}

}  // namespace mizan::crash

#include "journal/database.hpp"

#include "codec/binary.hpp"

#include <fmt/format.h>
#include <rocksdb/convenience.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <mutex>

namespace mizan::journal {

class ComplaintLog : public rocksdb::Logger {
 public:
  ComplaintLog() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    Logv(rocksdb::InfoLogLevel::WARN_LEVEL, format, arguments);
  }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::InfoLogLevel::WARN_LEVEL) return;
    std::array<char, 512> line{};
    // The format and its arguments are RocksDB's.
    std::vsnprintf(line.data(), line.size(), format, arguments);
    if (std::string_view(line.data()).find("dropping") == std::string_view::npos) return;
    const std::lock_guard lock(mutex_);
    last_ = line.data();
  }
  std::string last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  mutable std::mutex mutex_;
  std::string last_;
};

namespace {

constexpr std::string_view kOriginKey = "base";
constexpr std::string_view kOriginMagic = "MIZANJN2";
constexpr std::string_view kMagicWithoutFormat = "MIZANJN1";
constexpr char kGroupPrefix = 'g';
constexpr std::string_view kGroupsEnd = "h";

rocksdb::Slice slice(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
ByteView view(const rocksdb::Slice& bytes) {
  return as_bytes(std::string_view(bytes.data(), bytes.size()));
}

Bytes group_key(uint64_t first_sequence) {
  Writer writer;
  writer.put(static_cast<uint8_t>(kGroupPrefix));
  writer.put(first_sequence);
  return writer.take();
}

Bytes encode_origin(const Database::Origin& origin) {
  Writer writer;
  writer.raw(as_bytes(kOriginMagic));
  writer.put(origin.format);
  writer.put(origin.genesis);
  writer.put(origin.base.sequence);
  writer.put(origin.base.hash);
  return writer.take();
}

rocksdb::Options database_options(const Opening& opening, std::shared_ptr<ComplaintLog> log) {
  rocksdb::Options options;
  options.env = opening.env;
  options.info_log = std::move(log);
  options.create_if_missing = opening.create;
  options.wal_recovery_mode = opening.mode;
  options.paranoid_checks = true;
  options.paranoid_file_checks = true;
  // A failed write or sync ends the journal; RocksDB is not to try again behind its back.
  options.max_bgerror_resume_count = 0;
  options.avoid_flush_during_shutdown = true;
  // Memory: two write buffers, the table readers of some files, and no cache: the journal is
  // written once and read in order once.
  options.write_buffer_size = opening.memory_bytes;
  options.max_write_buffer_number = 2;
  options.target_file_size_base = opening.memory_bytes;
  options.max_open_files = 256;
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true;
  table.format_version = 5;  // table_check.cpp reads its footer
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  // Groups come in the order of their keys, so that compaction only moves files down; signatures
  // and hashes do not compress.
  options.compression = rocksdb::kNoCompression;
  // Threads: one to flush, one to compact, none for statistics.
  options.max_background_jobs = 2;
  options.max_file_opening_threads = 1;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

rocksdb::ReadOptions read_options() {
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  options.fill_cache = false;
  options.readahead_size = size_t{2} << 20;
  return options;
}

rocksdb::WriteOptions synced() {
  rocksdb::WriteOptions options;
  options.sync = true;
  return options;
}

Error open_error(const rocksdb::Status& status, const std::string& path, const ComplaintLog& log) {
  const bool refused_by_system = status.IsIOError() && !status.IsPathNotFound();
  if (refused_by_system || status.IsNoSpace())
    return storage_error(status, "open the database " + path);
  // "[db/db_impl/db_impl_open.cc:982] PATH: dropping 313 bytes; Corruption: checksum mismatch"
  std::string place = log.last();
  if (const size_t source = place.find("] "); source != std::string::npos)
    place.erase(0, source + 2);
  return damaged(place.empty() ? path : place, status.ToString());
}

/// Iterators over groups only; the bound's bytes live as long as the program.
std::unique_ptr<rocksdb::Iterator> groups(rocksdb::DB& db, rocksdb::ReadOptions options) {
  static const rocksdb::Slice end(kGroupsEnd.data(), kGroupsEnd.size());
  options.iterate_upper_bound = &end;
  return std::unique_ptr<rocksdb::Iterator>(db.NewIterator(options));
}

std::optional<uint64_t> group_of_key(const rocksdb::Slice& key) {
  if (key.size() != 9 || key[0] != kGroupPrefix) return std::nullopt;
  Reader reader(view(key).subspan(1));
  return reader.get<uint64_t>();
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const Opening& opening) {
  auto log = std::make_shared<ComplaintLog>();
  const auto options = database_options(opening, log);
  rocksdb::DB* db = nullptr;
  const auto status = opening.read_only ? rocksdb::DB::OpenForReadOnly(options, opening.path, &db)
                                        : rocksdb::DB::Open(options, opening.path, &db);
  if (!status.ok()) return fail(open_error(status, opening.path, *log));
  return std::unique_ptr<Database>(new Database(std::move(log), std::unique_ptr<rocksdb::DB>(db)));
}

Error Database::read_error(uint64_t sequence, const rocksdb::Status& status) const {
  if (status.IsIOError()) return storage_error(status, "read the journal");
  return damaged(fmt::format("sequence {}", sequence), status.ToString());
}

Result<std::optional<Database::Origin>> Database::origin() const {
  std::string value;
  const rocksdb::Slice key(kOriginKey.data(), kOriginKey.size());
  const auto status = db_->Get(read_options(), key, &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return fail(read_error(0, status));
  Reader reader(as_bytes(value));
  const std::string_view magic = as_text(reader.raw(kOriginMagic.size()));
  const bool known = magic == kOriginMagic || magic == kMagicWithoutFormat;
  Origin origin;
  if (magic == kOriginMagic) origin.format = reader.get<uint32_t>();
  origin.genesis = reader.get<Hash32>();
  origin.base.sequence = reader.get<uint64_t>();
  origin.base.hash = reader.get<Hash32>();
  if (!known || !reader.finish())
    return fail(damaged("the key \"base\"", "it is not of a format that this version knows"));
  return origin;
}

Result<void> Database::write_origin(const Origin& origin) {
  const rocksdb::Slice key(kOriginKey.data(), kOriginKey.size());
  if (const auto status = db_->Put(synced(), key, slice(encode_origin(origin))); !status.ok())
    return fail(storage_error(status, "begin the journal"));
  return {};
}

Result<void> Database::put_group(uint64_t first_sequence, ByteView frame) {
  if (const auto status = db_->Put(synced(), slice(group_key(first_sequence)), slice(frame));
      !status.ok())
    return fail(storage_error(status, "append to the journal"));
  return {};
}

Result<void> Database::prune(const Origin& origin) {
  const Bytes begin = group_key(0);
  const Bytes end = group_key(origin.base.sequence + 1);
  rocksdb::WriteBatch batch;
  auto status = batch.Put({kOriginKey.data(), kOriginKey.size()}, slice(encode_origin(origin)));
  if (status.ok()) status = batch.DeleteRange(slice(begin), slice(end));
  if (status.ok()) status = db_->Write(synced(), &batch);
  if (!status.ok()) return fail(storage_error(status, "prune the journal"));
  // Gives back the files that lie wholly in the range at once; compaction does the rest.
  const rocksdb::Slice first = slice(begin);
  const rocksdb::Slice last = slice(end);
  rocksdb::DeleteFilesInRange(db_.get(), db_->DefaultColumnFamily(), &first, &last, false)
      .PermitUncheckedError();
  return {};
}

Result<std::optional<Head>> Database::place_at(const Head& base, uint64_t sequence) const {
  if (sequence == base.sequence) return base;
  if (sequence < base.sequence) return std::nullopt;
  auto options = read_options();
  options.readahead_size = 0;
  const auto it = groups(*db_, options);
  it->SeekForPrev(slice(group_key(sequence)));
  if (!it->status().ok()) return fail(read_error(sequence, it->status()));
  if (!it->Valid() || !group_of_key(it->key())) return std::nullopt;
  MIZAN_TRY(frame, decode_unlinked_frame(view(it->value())));
  if (frame.group.last_sequence != sequence) return std::nullopt;
  return frame.end();
}

Result<uint64_t> Database::group_of(uint64_t sequence) const {
  auto options = read_options();
  options.readahead_size = 0;
  const auto it = groups(*db_, options);
  it->SeekForPrev(slice(group_key(sequence)));
  if (it->status().ok() && (!it->Valid() || !group_of_key(it->key())))
    it->Seek(slice(group_key(sequence)));
  if (!it->status().ok()) return fail(read_error(sequence, it->status()));
  return it->Valid() ? group_of_key(it->key()).value_or(0) : 0;
}

Result<Head> Database::walk(const Head& from, uint64_t until, const GroupVisitor& visit) const {
  Head at = from;
  const auto it = groups(*db_, read_options());
  it->Seek(slice(group_key(from.sequence + 1)));
  for (; it->Valid() && at.sequence < until; it->Next()) {
    MIZAN_TRY(frame, decode_frame(at, view(it->value())));
    if (group_of_key(it->key()) != frame.group.first_sequence)
      return fail(damaged(fmt::format("sequence {}", at.sequence + 1),
                          "a group is stored under another one's key"));
    MIZAN_CHECK(visit(frame));
    at = frame.end();
  }
  if (!it->status().ok()) return fail(read_error(at.sequence + 1, it->status()));
  return at;
}

}  // namespace mizan::journal

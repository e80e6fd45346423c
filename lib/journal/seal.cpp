#include "journal/seal.hpp"

#include "codec/binary.hpp"
#include "crypto/hash.hpp"
#include "journal/frame.hpp"

namespace mizan::journal {
namespace {

constexpr std::string_view kSealMagic = "MIZANHD1";
constexpr size_t kBytes = 8 + 8 + 32 + 32;

Bytes encode_seal(const Head& head) {
  Writer writer;
  writer.raw(as_bytes(kSealMagic));
  writer.put(head.sequence);
  writer.put(head.hash);
  writer.put(sha256(writer.bytes()));
  return writer.take();
}

std::optional<Head> decode_seal(const Bytes& bytes) {
  Reader reader(bytes);
  reader.raw(kSealMagic.size());
  Head head;
  head.sequence = reader.get<uint64_t>();
  head.hash = reader.get<Hash32>();
  if (encode_seal(head) != bytes) return std::nullopt;
  return head;
}

std::string name(size_t i) {
  return i == 0 ? "HEAD-0" : "HEAD-1";
}

}  // namespace

Seal::Seal(rocksdb::Env& env, std::string folder) : env_(env), folder_(std::move(folder)) {}

std::string Seal::path(size_t i) const {
  return folder_ + "/" + name(i);
}

Result<std::optional<Head>> Seal::load() const {
  std::optional<Head> youngest;
  bool found = false;
  for (size_t i = 0; i < files_.size(); ++i) {
    const auto bytes = read_file(env_, path(i), kBytes);
    if (!bytes && bytes.error().code == ErrorCode::io_error) return fail(bytes.error());
    found |= bytes.has_value() || bytes.error().code != ErrorCode::not_found;
    const auto head = bytes ? decode_seal(*bytes) : std::nullopt;
    if (head && (!youngest || head->sequence > youngest->sequence)) youngest = head;
  }
  if (found && !youngest)
    return fail(damaged(path(0) + " and " + path(1), "neither file holds a whole seal"));
  return youngest;
}

Result<void> Seal::create(const Head& head) {
  const Bytes bytes = encode_seal(head);
  const ByteView view = bytes;
  for (size_t i = 0; i < files_.size(); ++i) {
    MIZAN_CHECK(replace_file(env_, folder_, name(i), {&view, 1}));
    if (const auto status = env_.NewRandomRWFile(path(i), &files_[i], rocksdb::EnvOptions());
        !status.ok())
      return fail(storage_error(status, "open " + path(i)));
  }
  return {};
}

Result<void> Seal::write(const Head& head) {
  const Bytes bytes = encode_seal(head);
  auto& file = *files_[next_];
  auto status = file.Write(0, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (status.ok()) status = file.Sync();
  if (!status.ok()) return fail(storage_error(status, "seal a group in " + path(next_)));
  next_ = 1 - next_;
  return {};
}

}  // namespace mizan::journal

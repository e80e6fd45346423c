// The journal's frames, and the seal and snapshot files beside them. The first byte says which the
// rest is; a frame also gets its right hash, so that what is behind the hash is read too.
#include "crypto/hash.hpp"
#include "fuzz/fuzz.hpp"
#include "journal/frame.hpp"
#include "journal/seal.hpp"
#include "journal/snapshot_file.hpp"

using namespace mizan;

namespace {

void frame(ByteView input) {
  const auto read = journal::decode_unlinked_frame(input);
  if (!read) {
    ensure(read.error().details.contains("place"), "damage has its place");
    return;
  }
  const journal::Head before{read->group.first_sequence - 1, read->previous};
  ensure(journal::decode_frame(before, input).has_value(), "a frame follows what it says");
  const auto again = journal::encode_frame(before, read->records);
  ensure(again && std::ranges::equal(*again, input), "one group, one spelling");
}

void file(const std::string& name, ByteView input) {
  static const std::unique_ptr<rocksdb::Env> kEnv(rocksdb::NewMemEnv(rocksdb::Env::Default()));
  const std::string folder = "/fuzz";
  ensure(kEnv->CreateDirIfMissing(folder).ok() &&
             journal::replace_file(*kEnv, folder, name, {&input, 1}).has_value(),
         "a file in memory can be written");
  journal::Seal seal(*kEnv, folder);
  if (const auto head = seal.load(); head && *head) {
    ensure(seal.create(**head).has_value(), "a seal can be written");
    const auto again = seal.load();
    ensure(again && *again && **again == **head, "a seal is read as it is written");
  }
  journal::SnapshotFolder snapshots(*kEnv, folder);
  if (const auto kept = snapshots.load(); kept && *kept) {
    ensure(snapshots.save((*kept)->at, (*kept)->state).has_value(), "a snapshot can be written");
    const auto again = snapshots.load();
    ensure(again && *again && (*again)->at == (*kept)->at && (*again)->state == (*kept)->state,
           "a snapshot is read as it is written");
  }
  std::vector<std::string> names;
  ensure(kEnv->GetChildren(folder, &names).ok(), "a folder in memory can be listed");
  for (const std::string& each : names)
    kEnv->DeleteFile(folder + "/" + each).PermitUncheckedError();
}

/// With the hash of all before it at its end.
Bytes hashed(ByteView input) {
  Bytes out(input.begin(), input.end());
  append(out, sha256(input).view());
  return out;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  const Bytes whole = hashed(input);
  switch (data[0] % 6) {
    case 0:
      frame(input);
      break;
    case 1:
      frame(whole);
      break;
    case 2:
      file("HEAD-0", input);
      break;
    case 3:
      file("HEAD-1", whole);
      break;
    case 4:
      file("00000000000000000007", input);
      break;
    default:
      file("00000000000000000007", whole);
  }
  return 0;
}

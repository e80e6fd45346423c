// The machine's CDI files, and the log that a job's monitor writes. The first byte says which the
// rest is; of a log it is also how much is read at once.
#include "fuzz/fuzz.hpp"
#include "fuzz/temporary_folder.hpp"
#include "sandbox/cdi.hpp"
#include "sandbox/log_reader.hpp"

#include <fstream>

using namespace mizan;
using namespace mizan::sandbox;

namespace {

void devices(const fs::path& folder, std::string_view text) {
  std::ofstream(folder / "a.json", std::ios::binary) << text;
  const auto edits = find_devices({"v.com/gpu=0", "v.com/gpu=all"}, {folder});
  const auto one = find_devices({"v.com/gpu=0"}, {folder});
  if (edits) ensure(one.has_value(), "one of two devices is there where both are");
  if (!one) return;
  for (const DeviceNode& node : one->nodes)
    ensure(node.path.starts_with("/dev/") && node.access.find('m') == node.access.npos,
           "a node lies in /dev and makes no others");
}

struct Read {
  std::string out, err;
  bool damaged = false;
  friend bool operator==(const Read&, const Read&) = default;
};

Read read_all(const fs::path& file, uint64_t at_once) {
  LogReader reader(file);
  Read all;
  for (uint64_t before = ~uint64_t{0}; before != reader.offset();) {
    before = reader.offset();
    const auto chunks = reader.read(at_once, true);
    if (!chunks) {
      all.damaged = true;
      return all;
    }
    for (const LogChunk& chunk : *chunks)
      (chunk.stream == LogStream::out ? all.out : all.err) += chunk.data;
  }
  return all;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text = fuzz::text_of(data + 1, size - 1);
  const fuzz::TemporaryFolder folder;
  if (data[0] == 0) {
    devices(folder.path, text);
    return 0;
  }
  std::ofstream(folder.path / "log", std::ios::binary) << text;
  const Read whole = read_all(folder.path / "log", 1 << 20);
  const Read pieces = read_all(folder.path / "log", data[0]);
  ensure(pieces.damaged == whole.damaged, "damage is found however a log is read");
  // The good records before the damage come in pieces, and not with a whole that has it.
  if (!whole.damaged) ensure(pieces == whole, "a log is the same in pieces");
  return 0;
}

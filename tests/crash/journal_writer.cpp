// Appends groups to the journal in the folder argv[1] until it is killed, and writes the last
// acknowledged sequence number (8 bytes of this machine's order) to standard output each time.
// SPDX-License-Identifier: Apache-2.0
#include "crash/journal_writer.hpp"

#include "crypto/hash.hpp"
#include "journal/rocksdb_journal.hpp"

#include <cstdio>
#include <unistd.h>

int main(int argc, char** argv) {
  using namespace mizan;
  if (argc != 2) return 2;
  auto opened = journal::open_rocksdb(
      {.path = argv[1], .genesis = sha256("genesis"), .memory_bytes = size_t{64} << 10});
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    return 1;
  }
  journal::Journal& journal = **opened;
  for (uint64_t n = 1;; ++n) {
    const uint64_t first = journal.head().sequence + 1;
    std::vector<Bytes> records;
    for (uint64_t i = 0; i < crash::writer_group_size(first); ++i)
      records.push_back(crash::writer_record(first + i, first));
    const auto group = journal.append_group(std::vector<ByteView>(records.begin(), records.end()));
    if (!group) return 1;
    if (write(STDOUT_FILENO, &group->last_sequence, sizeof group->last_sequence) !=
        sizeof group->last_sequence)
      return 1;
    const uint64_t at = group->last_sequence;
    if (n % 10 == 0 && !journal.save_snapshot(at, as_bytes(crash::writer_state(at)))) return 1;
    if (n % 20 == 0 && !journal.prune(at / 2)) return 1;
  }
}

#include "provider/outputs.hpp"

#include "crypto/sealed.hpp"
#include "transfer/tar_writer.hpp"

#include <algorithm>
#include <set>
#include <sys/mman.h>
#include <unistd.h>

namespace mizan::provider {
namespace {

class Packer {
 public:
  Packer(const sandbox::OutputTree& tree, transfer::TarWriter& writer)
      : tree_(tree), writer_(writer) {}

  Result<void> add_all(const sandbox::OutputList& list) {
    for (const sandbox::OutputRefusal& each : list.refused) leave_out(each.path, each.why);
    for (const sandbox::OutputEntry& entry : list.entries) MIZAN_CHECK(add(entry));
    return add_refused();
  }

 private:
  void leave_out(const std::string& path, const std::string& why) {
    // The path is the job's own and may hold anything: line ends and controls must not forge lines.
    std::string line = path + ": " + why;
    for (char& c : line)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    if (refused_.size() < (1 << 20)) refused_ += line + "\n";
  }

  Result<void> add(const sandbox::OutputEntry& entry) {
    const std::string name = archive_name(entry.path);
    if (name.empty()) return {};  // the work folder itself
    if (auto good = transfer::check_entry_name(name); !good)
      return leave_out(entry.path, good.error().message), Result<void>{};
    const bool folder = entry.kind == sandbox::OutputKind::folder;
    if (!names_.insert(name).second) {
      if (!folder) leave_out(entry.path, "another output has the same name");
      return {};
    }
    const int64_t seconds = std::max<int64_t>(0, entry.mtime_ms / 1000);
    if (folder) return writer_.add_folder(name, seconds);
    auto file = tree_.open(entry.path);
    if (!file) return leave_out(entry.path, file.error().message), Result<void>{};
    return writer_.add_file(name, file->get(), entry.bytes, (entry.mode & 0100) != 0, seconds);
  }

  Result<void> add_refused() {
    if (refused_.empty() || names_.contains(kRefusedName)) return {};
    const sandbox::UniqueFd file(::memfd_create("refused", MFD_CLOEXEC));
    if (!file ||
        ::write(file.get(), refused_.data(), refused_.size()) !=
            static_cast<ssize_t>(refused_.size()) ||
        ::lseek(file.get(), 0, SEEK_SET) != 0)
      return fail(ErrorCode::io_error, "the list of refused outputs could not be written");
    return writer_.add_file(kRefusedName, file.get(), refused_.size(), false, 0);
  }

  const sandbox::OutputTree& tree_;
  transfer::TarWriter& writer_;
  std::set<std::string> names_;
  std::string refused_;
};

}  // namespace

std::string archive_name(const std::string& path) {
  const std::string work = std::string(job::kWorkFolder) + "/";
  if (path == job::kWorkFolder) return "";
  if (path.starts_with(work)) return path.substr(work.size());
  return path.substr(std::min<size_t>(1, path.size()));
}

Result<Hash32> seal_outputs(const sandbox::OutputTree& tree, const job::Job& job,
                            const sandbox::OutputLimits& limits,
                            const std::filesystem::path& sealed) {
  std::vector<std::string> paths;
  for (const std::string& path : job.outputs) paths.push_back(job::absolute_path(path));
  MIZAN_TRY(list, tree.list(paths, job::kWorkFolder, limits));
  MIZAN_TRY(file, transfer::FileSink::create(sealed));
  BoxPublicKey recipient;
  recipient.bytes = job.output_key.bytes;
  MIZAN_TRY(sealer, Sealer::begin(recipient, [&](ByteView bytes) { return file.write(bytes); }));
  transfer::ArchiveLimits bounds;
  bounds.bytes_max = limits.bytes_max + (1 << 21);
  bounds.entries_max = limits.entries_max + 1;
  transfer::TarWriter writer([&](ByteView bytes) { return sealer.write(bytes); }, bounds);
  MIZAN_CHECK(Packer(tree, writer).add_all(list));
  MIZAN_CHECK(writer.finish());
  MIZAN_CHECK(sealer.finish());
  MIZAN_TRY(digest, file.finish());
  return digest.sha256;
}

}  // namespace mizan::provider

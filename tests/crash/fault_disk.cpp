#include "crash/fault_disk.hpp"

#include <algorithm>

namespace mizan::crash {
namespace {

constexpr size_t kSectorBytes = 512;

/// A write, or a truncation to `offset`.
struct Change {
  uint64_t offset = 0;
  Bytes bytes;
  bool truncates = false;
};

void apply(Bytes& content, uint64_t offset, ByteView bytes) {
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
  std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<ptrdiff_t>(offset));
}

void apply(Bytes& content, const Change& change) {
  if (change.truncates)
    content.resize(change.offset);
  else
    apply(content, change.offset, change.bytes);
}

/// Each sector's part of each write, as `f(change, first byte, bytes)`; a truncation is one piece
/// of none.
template <class F>
void for_each_piece(const std::vector<Change>& pending, F&& f) {
  for (const Change& change : pending) {
    if (change.truncates) f(change, size_t{0}, size_t{0});
    for (size_t at = 0; at < change.bytes.size();) {
      const size_t to_sector_end = kSectorBytes - (change.offset + at) % kSectorBytes;
      const size_t bytes = std::min(to_sector_end, change.bytes.size() - at);
      f(change, at, bytes);
      at += bytes;
    }
  }
}

using Random = std::mt19937_64;

size_t pick(Random& random, size_t below_or_at) {
  return std::uniform_int_distribution<size_t>(0, below_or_at)(random);
}

void lose(Bytes& content, const std::vector<Change>& pending, Loss loss, Random& random) {
  switch (loss) {
    case Loss::nothing:
      for (const Change& change : pending) apply(content, change);
      return;
    case Loss::all:
      return;
    case Loss::torn: {
      const size_t kept = pick(random, pending.size());
      for (size_t i = 0; i < kept; ++i) apply(content, pending[i]);
      if (kept == pending.size() || pending[kept].truncates) return;
      const Change& cut = pending[kept];
      apply(content, cut.offset, ByteView(cut.bytes).first(pick(random, cut.bytes.size())));
      return;
    }
    case Loss::reordered:
      for_each_piece(pending, [&](const Change& change, size_t at, size_t bytes) {
        if (!change.truncates && pick(random, 1) == 1)
          apply(content, change.offset + at, ByteView(change.bytes).subspan(at, bytes));
      });
      return;
  }
}

}  // namespace

struct FaultDisk::Node {
  bool folder = false;
  Bytes live;
  Bytes durable;
  std::vector<Change> pending;
};

FaultDisk::FaultDisk(const Image& image) {
  for (const auto& [path, bytes] : image) {
    auto file = std::make_shared<Node>();
    file->live = file->durable = bytes;
    bytes_used_ += bytes.size();
    names_[path] = file;
    for (std::string folder = folder_of(path); folder.size() > 1; folder = folder_of(folder)) {
      auto& node = names_[folder];
      if (!node) node = std::make_shared<Node>();
      node->folder = true;
    }
  }
  durable_names_ = names_;
}

std::string FaultDisk::folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

void FaultDisk::set_faults(const Faults& faults) {
  const std::lock_guard lock(mutex_);
  faults_ = faults;
}

uint64_t FaultDisk::operations() const {
  const std::lock_guard lock(mutex_);
  return operations_;
}

std::set<std::string> FaultDisk::files_read() const {
  const std::lock_guard lock(mutex_);
  return files_read_;
}

FaultDisk::Image FaultDisk::live() const {
  return after_crash(Loss::nothing, 0);
}

FaultDisk::Image FaultDisk::after_crash(Loss loss, uint64_t seed) const {
  const std::lock_guard lock(mutex_);
  Random random(seed);
  Names names = loss == Loss::nothing ? names_ : durable_names_;
  if (loss == Loss::torn || loss == Loss::reordered)
    for (const auto& [folder, entries] : pending_names_) {
      const size_t kept = pick(random, entries.size());
      for (size_t i = 0; i < kept; ++i) apply(names, entries[i]);
    }
  return image_of(names, loss == Loss::nothing, [&](const NodePtr& node, Bytes& content) {
    if (loss != Loss::nothing) lose(content, node->pending, loss, random);
  });
}

FaultDisk::Image FaultDisk::image_of(
    const Names& names, bool live, const std::function<void(const NodePtr&, Bytes&)>& lose) const {
  const auto reachable = [&](const std::string& path) {
    for (std::string folder = folder_of(path); folder.size() > 1; folder = folder_of(folder))
      if (const auto found = names.find(folder); found == names.end() || !found->second->folder)
        return false;
    return true;
  };
  Image image;
  for (const auto& [path, node] : names) {
    if (node->folder || !reachable(path)) continue;
    Bytes content = live ? node->live : node->durable;
    lose(node, content);
    image.emplace(path, std::move(content));
  }
  return image;
}

/// All files that have a name, or will have one when their folder is synced; each once, in an order
/// that does not change between two calls.
std::vector<FaultDisk::NodePtr> FaultDisk::written_files() const {
  std::vector<NodePtr> files;
  const auto add = [&files](const NodePtr& node) {
    if (node && !node->folder && !node->pending.empty() &&
        std::find(files.begin(), files.end(), node) == files.end())
      files.push_back(node);
  };
  for (const auto& [path, node] : durable_names_) add(node);
  for (const auto& [folder, entries] : pending_names_)
    for (const auto& entry : entries)
      for (const NameChange& change : entry) add(change.node);
  return files;
}

FaultDisk::Unsynced FaultDisk::unsynced() const {
  const std::lock_guard lock(mutex_);
  Unsynced out;
  for (const auto& [folder, entries] : pending_names_) out.names.push_back(entries.size());
  for (const NodePtr& file : written_files())
    for_each_piece(file->pending,
                   [&](const Change&, size_t, size_t bytes) { out.piece_bytes.push_back(bytes); });
  return out;
}

FaultDisk::Image FaultDisk::after_crash(const Kept& kept) const {
  const std::lock_guard lock(mutex_);
  Names names = durable_names_;
  size_t folder_number = 0;
  for (const auto& [folder, entries] : pending_names_) {
    const size_t count = kept.names.at(folder_number++);
    for (size_t i = 0; i < count; ++i) apply(names, entries[i]);
  }
  std::map<const Node*, size_t> first_piece;
  size_t pieces = 0;
  for (const NodePtr& file : written_files()) {
    first_piece[file.get()] = pieces;
    for_each_piece(file->pending, [&](const Change&, size_t, size_t) { ++pieces; });
  }
  return image_of(names, false, [&](const NodePtr& node, Bytes& content) {
    const auto first = first_piece.find(node.get());
    if (first == first_piece.end()) return;
    size_t piece = first->second;
    for_each_piece(node->pending, [&](const Change& change, size_t at, size_t bytes) {
      const bool is_cut = kept.cut && kept.cut->first == piece;
      if (!kept.pieces.at(piece++) && !is_cut) return;
      if (change.truncates) return content.resize(change.offset);
      const ByteView part = ByteView(change.bytes).subspan(at, is_cut ? kept.cut->second : bytes);
      crash::apply(content, change.offset + at, part);
    });
    if (kept.grown && content.size() < node->live.size()) content.resize(node->live.size());
  });
}

FaultDisk::NodePtr FaultDisk::find(const std::string& path) const {
  static const NodePtr root = [] {
    auto node = std::make_shared<Node>();
    node->folder = true;
    return node;
  }();
  const std::lock_guard lock(mutex_);
  if (path == "/") return root;
  const auto found = names_.find(path);
  return found == names_.end() ? nullptr : found->second;
}

bool FaultDisk::is_folder(const NodePtr& node) const {
  return node->folder;
}

uint64_t FaultDisk::size(const NodePtr& node) const {
  const std::lock_guard lock(mutex_);
  return node->live.size();
}

Bytes FaultDisk::read(const std::string& path, const NodePtr& node, uint64_t offset, size_t bytes) {
  const std::lock_guard lock(mutex_);
  files_read_.insert(path);
  if (offset >= node->live.size()) return {};
  const ByteView rest = ByteView(node->live).subspan(offset);
  const ByteView part = rest.first(std::min(rest.size(), bytes));
  return {part.begin(), part.end()};
}

std::vector<std::string> FaultDisk::children(const std::string& folder) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [path, node] : names_)
    if (folder_of(path) == folder) out.push_back(path.substr(path.rfind('/') + 1));
  return out;
}

FaultDisk::Outcome FaultDisk::begin_operation() {
  const uint64_t number = operations_++;
  const bool fails = faults_.fail_at == number || (faults_.stop_at && *faults_.stop_at <= number);
  return fails ? Outcome::io_error : Outcome::ok;
}

void FaultDisk::apply(Names& names, const std::vector<NameChange>& entry) {
  for (const NameChange& change : entry) {
    if (change.node)
      names[change.path] = change.node;
    else
      names.erase(change.path);
  }
}

void FaultDisk::name(const std::string& path, const NodePtr& node) {
  if (node)
    names_[path] = node;
  else
    names_.erase(path);
}

FaultDisk::Outcome FaultDisk::create(const std::string& path, NodePtr* file) {
  const std::lock_guard lock(mutex_);
  if (const Outcome outcome = begin_operation(); outcome != Outcome::ok) return outcome;
  const std::string folder = folder_of(path);
  if (folder != "/" && !names_.contains(folder)) return Outcome::not_found;
  *file = std::make_shared<Node>();
  if (const auto old = names_.find(path); old != names_.end())
    bytes_used_ -= old->second->live.size();
  name(path, *file);
  pending_names_[folder].push_back({{path, *file}});
  return Outcome::ok;
}

FaultDisk::Outcome FaultDisk::make_folder(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (names_.contains(path)) return Outcome::ok;
  if (const Outcome outcome = begin_operation(); outcome != Outcome::ok) return outcome;
  const std::string parent = folder_of(path);
  if (parent != "/" && !names_.contains(parent)) return Outcome::not_found;
  const auto node = std::make_shared<Node>();
  node->folder = true;
  name(path, node);
  pending_names_[parent].push_back({{path, node}});
  return Outcome::ok;
}

FaultDisk::Outcome FaultDisk::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(path);
  if (found == names_.end()) return Outcome::not_found;
  if (const Outcome outcome = begin_operation(); outcome != Outcome::ok) return outcome;
  bytes_used_ -= found->second->live.size();
  name(path, nullptr);
  pending_names_[folder_of(path)].push_back({{path, nullptr}});
  return Outcome::ok;
}

FaultDisk::Outcome FaultDisk::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(from);
  if (found == names_.end()) return Outcome::not_found;
  if (const Outcome outcome = begin_operation(); outcome != Outcome::ok) return outcome;
  const NodePtr node = found->second;
  if (const auto old = names_.find(to); old != names_.end())
    bytes_used_ -= old->second->live.size();
  name(from, nullptr);
  name(to, node);
  pending_names_[folder_of(to)].push_back({{from, nullptr}, {to, node}});
  return Outcome::ok;
}

FaultDisk::Outcome FaultDisk::write(const NodePtr& file, uint64_t offset, ByteView bytes) {
  const std::lock_guard lock(mutex_);
  Outcome outcome = begin_operation();
  if (outcome != Outcome::ok) return outcome;
  const uint64_t size = file->live.size();
  const uint64_t end = offset + bytes.size();
  if (uint64_t grows = end > size ? end - size : 0; faults_.bytes_max) {
    const uint64_t left = *faults_.bytes_max - std::min(*faults_.bytes_max, bytes_used_);
    if (grows > left) {
      outcome = Outcome::no_space;
      bytes = bytes.first(bytes.size() - std::min<uint64_t>(bytes.size(), grows - left));
    }
  }
  crash::apply(file->live, offset, bytes);
  bytes_used_ += file->live.size() - size;
  file->pending.push_back({.offset = offset, .bytes = {bytes.begin(), bytes.end()}});
  return outcome;
}

FaultDisk::Outcome FaultDisk::truncate(const NodePtr& file, uint64_t size) {
  const std::lock_guard lock(mutex_);
  if (const Outcome outcome = begin_operation(); outcome != Outcome::ok) return outcome;
  bytes_used_ = bytes_used_ - file->live.size() + size;
  file->live.resize(size);
  file->pending.push_back({.offset = size, .bytes = {}, .truncates = true});
  return Outcome::ok;
}

FaultDisk::Outcome FaultDisk::sync(const NodePtr& file) {
  const std::lock_guard lock(mutex_);
  const Outcome outcome = begin_operation();
  // As Linux does it: after a failed sync the pages count as clean, and a later sync that succeeds
  // does not write them.
  if (outcome == Outcome::ok)
    for (const Change& change : file->pending) crash::apply(file->durable, change);
  if (!faults_.stop_at || operations_ <= *faults_.stop_at) file->pending.clear();
  return outcome;
}

FaultDisk::Outcome FaultDisk::sync_folder(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (const Outcome outcome = begin_operation(); outcome != Outcome::ok) return outcome;
  for (const auto& entry : pending_names_[path]) apply(durable_names_, entry);
  pending_names_.erase(path);
  return Outcome::ok;
}

}  // namespace mizan::crash

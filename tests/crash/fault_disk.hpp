// A disk in memory on which faults are made on purpose.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace mizan::crash {

/// What a machine that loses power may leave of what was written and not synced.
enum class Loss {
  nothing,   ///< the process was killed; the system goes on
  all,       ///< nothing that was not synced is there
  torn,      ///< of each file and folder a part, from the front; the last write may be cut anywhere
  reordered  ///< of each file any sectors, zeros where an earlier one is missing
};

/// Files and folders, and what of them is durable: of a file what was synced, of a name what was
/// there when its folder was synced. Every operation that changes something has a number, counted
/// from 0, at which a fault can strike. Thread-safe. Paths are absolute; "/" exists.
class FaultDisk {
 public:
  /// The bytes of each file by its path; folders are those that the paths name.
  using Image = std::map<std::string, Bytes>;

  enum class Outcome { ok, io_error, no_space, not_found };

  struct Faults {
    std::optional<uint64_t> fail_at;    ///< this one operation fails; a failed sync loses its bytes
    std::optional<uint64_t> stop_at;    ///< from this operation on everything fails: power is off
    std::optional<uint64_t> bytes_max;  ///< the disk is full beyond this; a write may be cut
  };

  explicit FaultDisk(const Image& image = {});

  void set_faults(const Faults& faults);
  uint64_t operations() const;
  /// The paths whose bytes somebody has asked for.
  std::set<std::string> files_read() const;
  Image live() const;
  /// What was written and not synced, of which a crash leaves any part: of each folder a first part
  /// of its changes of names, in their order; of all files any of the pieces, each a write's part
  /// within one sector, or a truncation.
  struct Unsynced {
    std::vector<size_t> names;        ///< how many, by folder
    std::vector<size_t> piece_bytes;  ///< of each piece, in the order of its file's writes
  };
  Unsynced unsynced() const;
  /// One choice of it. `grown`: each file has the length that it was to have, with zeros for what
  /// is missing. `cut`: of this piece only so many of its first bytes are there.
  struct Kept {
    std::vector<size_t> names;
    std::vector<bool> pieces;
    bool grown = false;
    std::optional<std::pair<size_t, size_t>> cut = {};
  };
  Image after_crash(const Kept& kept) const;
  /// What the next start of the machine finds; `seed` chooses where `loss` leaves a choice.
  Image after_crash(Loss loss, uint64_t seed) const;

  struct Node;  ///< a file or a folder
  using NodePtr = std::shared_ptr<Node>;

  NodePtr find(const std::string& path) const;
  bool is_folder(const NodePtr& node) const;
  uint64_t size(const NodePtr& node) const;
  Bytes read(const std::string& path, const NodePtr& node, uint64_t offset, size_t bytes);
  std::vector<std::string> children(const std::string& folder) const;

  Outcome create(const std::string& path, NodePtr* file);  ///< anew, if it was there
  Outcome make_folder(const std::string& path);
  Outcome remove(const std::string& path);
  Outcome rename(const std::string& from, const std::string& to);
  Outcome write(const NodePtr& file, uint64_t offset, ByteView bytes);
  Outcome truncate(const NodePtr& file, uint64_t size);
  Outcome sync(const NodePtr& file);
  Outcome sync_folder(const std::string& path);

 private:
  using Names = std::map<std::string, NodePtr>;
  /// A change of a name that its folder has not synced yet; a null node is a removal.
  struct NameChange {
    std::string path;
    NodePtr node;
  };
  Image image_of(const Names& names, bool live,
                 const std::function<void(const NodePtr&, Bytes&)>& lose) const;
  std::vector<NodePtr> written_files() const;
  static void apply(Names& names, const std::vector<NameChange>& entry);
  Outcome begin_operation();
  void name(const std::string& path, const NodePtr& node);
  static std::string folder_of(const std::string& path);

  mutable std::mutex mutex_;
  Names names_;
  Names durable_names_;
  /// By folder; a rename is one entry of two changes, so that it happens whole or not at all.
  std::map<std::string, std::vector<std::vector<NameChange>>> pending_names_;
  std::set<std::string> files_read_;
  Faults faults_;
  uint64_t operations_ = 0;
  uint64_t bytes_used_ = 0;
};

}  // namespace mizan::crash

// From a job file to a sent order: price, plan, sign, write down, send.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/money.hpp"
#include "job/job_file.hpp"
#include "mizan/orders.hpp"
#include "mizan/session.hpp"
#include "mizan/terminal.hpp"

#include <optional>
#include <vector>

namespace mizan::cli {

/// What a job file leaves open is settled here, and shown in the plan.
inline constexpr uint64_t kDefaultSeconds = 3600;
inline constexpr uint64_t kDefaultGraceSeconds = 120;

/// A job file with the folder that its relative paths start from.
struct JobRequest {
  job::JobFile file;
  fs::path base;
  uint64_t grace_seconds = kDefaultGraceSeconds;
  bool self_meter = false;        ///< vouchers are signed by this client
  bool wait_for_officer = false;  ///< a deal that policy holds is kept for a day, escrow and all
};

/// `path` is a job file or a script with #SBATCH headers; its folder becomes the base.
Result<JobRequest> read_job_request(const fs::path& path);
/// The command itself; nothing is sent along unless `workdir` names a folder.
Result<JobRequest> command_request(const std::vector<std::string>& command,
                                   const std::string& workdir);

/// What the exchange would do with the job now.
struct Plan {
  struct Line {
    Address provider;
    std::string chip;
    Rate rate;
    uint64_t seconds = 0;  ///< of the lease
    Money escrow;
    std::optional<uint64_t> reliability_pm;
    bool judged = false;  ///< policy was asked
    bool held = false;    ///< it would hold this deal for an officer
    std::string note;     ///< which rule, and what is missing
  };
  std::vector<Line> offers;  ///< best first, those that policy holds last; never empty
  uint64_t units = 0;        ///< over all nodes
  Rate max_rate;             ///< what the bid will say: the file's limit, or the best offer's rate
  Money max_total;           ///< the file's limit, or the escrow of the best offer
  std::optional<Money> in_contract{};  ///< on a chain: what the buyer has to spend there
  const Line& best() const { return offers.front(); }
  /// What the contract lacks for the best offer; nothing if it lacks nothing, or in credits.
  std::optional<Money> short_of() const;
};

/// Of what is missing, the commands that bring it.
std::string how_to_deposit(Money missing);

/// no_match carries the reasons in its message.
Result<Plan> ask_plan(Session& session, const JobRequest& request);
void print_plan(const Terminal& terminal, const JobRequest& request, const Plan& plan);
json::value plan_json(const JobRequest& request, const Plan& plan);

/// The working tree as an archive beneath the home, removed when this goes.
class PackedTree {
 public:
  /// Nothing is packed, and `hash` stays empty, if the job sends no folder.
  static Result<PackedTree> pack(const fs::path& home, const JobRequest& request);
  PackedTree(PackedTree&& other) noexcept : file_(std::move(other.file_)), hash_(other.hash_) {
    other.file_.clear();
  }
  PackedTree& operator=(PackedTree&&) = delete;
  ~PackedTree();

  const std::optional<Hash32>& hash() const { return hash_; }
  uint64_t bytes() const { return bytes_; }
  /// PUT /v1/artifacts/{sha256}, with a bar on `status` if there is one.
  Result<void> upload(Session& session, StatusLine* status) const;

 private:
  PackedTree() = default;
  fs::path file_;
  std::optional<Hash32> hash_;
  uint64_t bytes_ = 0;
};

/// The same job to the same exchange by the same account gives the same hash: how `run`, started
/// again after its client was killed, finds the order that it had made.
std::string request_hash(const Session& session, const JobRequest& request,
                         const std::optional<Hash32>& workdir);

/// Makes keys and nonce and signs the bid. Nothing is sent, nor saved but the nonce: save_order
/// comes next, then send_order.
Result<OrderState> make_order(const Context& context, Session& session, const JobRequest& request,
                              const Plan& plan, const std::optional<Hash32>& workdir);

/// Takes back what of the order is still open; leases that it made go on.
Result<void> cancel_order(Session& session, const OrderState& state);

/// Sends the order, or sends it again: the idempotency key makes it one order. Fills in `lease` and
/// writes it down. An order that the exchange refuses is removed from the home.
Result<void> send_order(const Context& context, Session& session, OrderState& state);

}  // namespace mizan::cli

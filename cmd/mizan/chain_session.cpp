#include "mizan/chain_session.hpp"

#include "crypto/random.hpp"
#include "journal/rocksdb_journal.hpp"
#include "mizan/keys.hpp"
#include "settlement/format.hpp"

#include <fmt/format.h>

#include <chrono>
#include <thread>

namespace mizan::cli {
namespace {

constexpr auto kPatience = std::chrono::minutes(5);
constexpr std::string_view kOnce = "once-";
constexpr auto kPause = std::chrono::milliseconds(200);

}  // namespace

Result<ChainReader> ChainReader::open(const std::string& node_url, uint64_t chain_id) {
  MIZAN_TRY(rpc, settlement::JsonRpc::open(node_url));
  return ChainReader(settlement::Node(std::move(rpc), chain_id));
}

Result<std::unique_ptr<ChainSession>> ChainSession::open(const Context& context,
                                                         const ChainSettings& chain) {
  MIZAN_TRY(entry, choose_key(context));
  MIZAN_TRY(key, open_key(context, entry));
  MIZAN_TRY(reader, ChainReader::open(chain.node, chain.chain_id));
  const fs::path folder = context.home / "outbox";
  MIZAN_CHECK(make_private_folder(folder));
  const std::string name = fmt::format("{}-{}", chain.chain_id, hex(key.address().view()));
  MIZAN_TRY(lock, FileLock::wait(folder / (name + ".lock")));
  std::unique_ptr<ChainSession> session(
      new ChainSession(std::move(lock), std::move(reader), std::move(key)));
  journal::RocksdbOptions storage;
  storage.path = (folder / name).string();
  storage.format = settlement::kOutboxFormat;
  storage.memory_bytes = 1 << 20;
  MIZAN_TRY(journal, journal::open_rocksdb(storage));
  session->journal_ = std::move(journal);
  settlement::OutboxOptions options;
  options.depth = chain.depth;
  MIZAN_TRY(outbox, settlement::Outbox::open(*session->journal_, session->reader_.node(),
                                             session->key_, options));
  session->outbox_.emplace(std::move(outbox));
  return session;
}

std::string ChainSession::id_for(const settlement::Call& call) const {
  for (const settlement::Entry* entry : outbox_->entries())
    if (entry->call == call && entry->id.starts_with(kOnce)) return entry->id;
  return std::string(kOnce) + hex(random_bytes(16));
}

Result<settlement::Entry> ChainSession::send(std::string id, settlement::Call call) {
  if (id.empty()) id = id_for(call);
  if (const settlement::Entry* known = outbox_->find(id); known && known->call != call)
    return fail(ErrorCode::already_exists,
                known->state == settlement::SendState::done
                    ? fmt::format("it was sent already, and is in block {}", known->block)
                    : "it is on its way already with another relay fee: the command with that "
                      "--fee goes on with it");
  MIZAN_CHECK(outbox_->submit(id, std::move(call)));
  MIZAN_TRY(entry, finish(id));
  if (id.starts_with(kOnce)) untold_.push_back(id);
  return entry;
}

Result<settlement::Entry> ChainSession::send_again(settlement::Call call) {
  const std::string id = "again-" + hex(random_bytes(16));
  MIZAN_CHECK(outbox_->submit(id, std::move(call)));
  MIZAN_TRY(entry, finish(id));
  MIZAN_CHECK(outbox_->forget(id));
  return entry;
}

Result<void> ChainSession::renew(const std::string& id) {
  const settlement::Entry* known = outbox_->find(id);
  return known != nullptr && known->ended() ? outbox_->forget(id) : Result<void>{};
}

Result<void> ChainSession::told() {
  for (const std::string& id : untold_) MIZAN_CHECK(outbox_->forget(id));
  untold_.clear();
  return {};
}

Result<settlement::Entry> ChainSession::finish(const std::string& id) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const auto round = outbox_->step();
    const settlement::Entry entry = *outbox_->find(id);
    if (entry.state == settlement::SendState::done) return entry;
    if (entry.ended()) {
      MIZAN_CHECK(outbox_->forget(id));  // what failed may be tried anew
      return fail(ErrorCode::conflict, entry.reason);
    }
    const bool hopeless = !round && round.error().code == ErrorCode::conflict;
    if (hopeless || std::chrono::steady_clock::now() > deadline)
      return fail(ErrorCode::unavailable,
                  fmt::format("it is not over yet{}: the same command goes on with it",
                              round ? std::string() : " (" + round.error().message + ")"));
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace mizan::cli

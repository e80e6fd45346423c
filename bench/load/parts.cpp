#include "load/parts.hpp"

#include "journal/rocksdb_journal.hpp"

namespace mizan::bench {

using service::Applied;

Parts::Parts(const std::string& folder, const Hash32& exchange_id,
             const service::SequencerOptions& options)
    : log_(system_clock(), nullptr),
      journal_(must(journal::open_rocksdb({.path = folder, .genesis = exchange_id}))),
      state_(must(service::recover_state(*journal_))),
      time_(system_clock(), state_.unlocked().now()),
      sequencer_(*journal_, state_, time_, system_clock(), log_, options),
      identity_(SecretKey::generate()) {
  sequencer_.set_signer(eip712::Domain::credits(exchange_id), identity_);
}

Parts::~Parts() {
  stopping_ = true;
  sequencer_.wake();
  if (thread_.joinable()) thread_.join();
}

void Parts::apply(std::vector<exchange::Command> commands) {
  for (exchange::Command& command : commands)
    sequencer_.submit(std::move(command), std::nullopt, [](const Result<Applied>& applied) {
      const Error* error = nullptr;
      if (!applied)
        error = &applied.error();
      else if (!applied->outcome.answer)
        error = &applied->outcome.answer.error();
      if (error != nullptr) fprintf(stderr, "refused: %s\n", error->message.c_str());
    });
  while (sequencer_.step()) {
  }
}

void Parts::run() {
  thread_ = std::thread([this] {
    while (!stopping_)
      if (!sequencer_.step()) sequencer_.wait(std::chrono::milliseconds{10});
  });
}

}  // namespace mizan::bench

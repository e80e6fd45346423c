#include "mizan/journal_folder.hpp"

#include "crypto/keystore.hpp"
#include "exchange/format.hpp"
#include "journal/rocksdb_journal.hpp"
#include "mizan/settings.hpp"
#include "service/rule_store.hpp"

namespace mizan::cli {
namespace {

tl::unexpected<Error> bad_record(uint64_t sequence, const std::string& why) {
  return fail(ErrorCode::corrupted, "journal record " + std::to_string(sequence) + ": " + why);
}

/// The lease that an event says was judged.
struct Judged {
  std::optional<LeaseId> operator()(const exchange::Held& event) const { return event.lease; }
  std::optional<LeaseId> operator()(const exchange::Approved& event) const { return event.lease; }
  std::optional<LeaseId> operator()(const exchange::Matched& event) const { return event.lease; }
  template <class Other>
  std::optional<LeaseId> operator()(const Other&) const {
    return std::nullopt;
  }
};

}  // namespace

Result<std::unique_ptr<journal::Journal>> open_journal(const fs::path& state) {
  // An address stands in a keystore in the clear: no passphrase is needed.
  MIZAN_TRY(keystore, read_small_file(state / "keys" / "identity.json", 64 << 10));
  MIZAN_TRY(identity, keystore_address(keystore));
  return journal::open_rocksdb({.path = (state / "journal").string(),
                                .genesis = exchange_id_of(identity),
                                .format = exchange::kFormat,
                                .verify_all = true});
}

Result<exchange::RuleSets> kept_rules(const fs::path& state) {
  MIZAN_TRY(store, service::RuleStore::open(state / "rulesets"));
  return store->all();
}

Result<LeaseHistory> lease_history(journal::Journal& journal, const exchange::RuleSets& rules) {
  LeaseHistory history;
  exchange::Exchange state(rules);
  const auto apply = [&](uint64_t sequence, ByteView record) -> Result<void> {
    auto command = exchange::decode_sequenced(record);
    if (!command) return bad_record(sequence, command.error().message);
    if (command->sequence != sequence || sequence != state.last_sequence() + 1 ||
        command->time < state.now())
      return bad_record(sequence, "its sequence or time does not follow the one before");
    MIZAN_CHECK(state.knows_rules(command->command));
    const exchange::Outcome outcome = state.apply(*command);
    for (const exchange::Event& event : outcome.events) {
      const auto id = std::visit(Judged{}, event);
      const exchange::Lease* lease = id ? state.find_lease(*id) : nullptr;
      if (lease == nullptr) continue;
      history.insert_or_assign(lease->id, *lease);
      if (!lease->held_as.is_zero()) history.insert_or_assign(lease->held_as, *lease);
    }
    return {};
  };
  MIZAN_CHECK(journal.read(1, apply));
  for (auto& [id, lease] : history)
    if (const exchange::Lease* last = state.find_lease(id)) lease = *last;
  return history;
}

}  // namespace mizan::cli

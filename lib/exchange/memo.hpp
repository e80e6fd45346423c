// Judgements that were made before: kept outside the state, so that nothing depends on them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/judge.hpp"

#include <cstring>
#include <memory>

namespace mizan::exchange {

/// All that a judgement depends on beside the rule set, pending law and strictness. Numbers that no
/// rule in force reads stay 0, and so do addresses where no licence is on file.
struct MemoKey {
  Hash32 ask;  ///< of its facts
  Hash32 provider;
  Hash32 buyer;
  Hash32 payees;  ///< of what is known of them; zero: none
  Hash32 declaration;
  policy::Date date;
  bool same_person = false;
  uint64_t units = 0;
  uint64_t group_units = 0;
  uint64_t work = 0;
  bool work_known = false;
  Address buyer_address;
  Address provider_address;
  friend bool operator==(const MemoKey&, const MemoKey&) = default;
};

/// What is known of an account now, until its facts expire.
struct KnownParty {
  policy::Party party;
  Hash32 hash;
  uint64_t until = 0;  ///< seconds since 1970
};

/// A table of fixed size in which a new judgement takes an older one's place.
class Memo {
 public:
  const Judgement* find(const MemoKey& key) const {
    if (slots_.empty()) return nullptr;
    const auto& slot = slots_[place(key)];
    return slot && slot->key == key ? &slot->judgement : nullptr;
  }
  const Judgement& put(const MemoKey& key, Judgement judgement) {
    if (slots_.empty()) slots_.resize(kSlots);
    auto& slot = slots_[place(key)];
    if (slot)
      *slot = {key, std::move(judgement)};
    else
      slot = std::make_unique<Slot>(Slot{key, std::move(judgement)});
    return slot->judgement;
  }
  void clear() { slots_.clear(); }

 private:
  static constexpr size_t kSlots = 4096;
  struct Slot {
    MemoKey key;
    Judgement judgement;
  };
  static uint64_t word(const Hash32& hash) {
    uint64_t out = 0;
    std::memcpy(&out, hash.bytes.data(), sizeof out);
    return out;
  }
  static size_t place(const MemoKey& key) {
    uint64_t mixed = word(key.ask);
    for (const uint64_t one : {word(key.provider), word(key.buyer), word(key.declaration),
                               word(key.payees), key.units, key.group_units, key.work})
      mixed = (mixed ^ one) * 0x9e3779b97f4a7c15U;
    return (mixed >> 32) % kSlots;
  }
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace mizan::exchange

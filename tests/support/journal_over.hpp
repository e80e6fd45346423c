// A journal over another one: for tests that change a call or two of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/journal.hpp"

#include <memory>
#include <utility>

namespace mizan::test {

/// Passes every call on.
class JournalOver : public journal::Journal {
 public:
  /// `under` must outlive this.
  explicit JournalOver(journal::Journal& under) : under_(under) {}
  explicit JournalOver(std::unique_ptr<journal::Journal> under)
      : owned_(std::move(under)), under_(*owned_) {}

  Result<journal::GroupInfo> append_group(std::span<const ByteView> records) override {
    return under_.append_group(records);
  }
  journal::Head head() const override { return under_.head(); }
  journal::Head base() const override { return under_.base(); }
  Result<void> read(uint64_t from, const Visitor& visit) override {
    return under_.read(from, visit);
  }
  Result<void> save_snapshot(uint64_t sequence, ByteView state) override {
    return under_.save_snapshot(sequence, state);
  }
  Result<std::optional<journal::Snapshot>> latest_snapshot() override {
    return under_.latest_snapshot();
  }
  Result<void> prune(uint64_t below) override { return under_.prune(below); }

 private:
  std::unique_ptr<journal::Journal> owned_;
  journal::Journal& under_;
};

}  // namespace mizan::test

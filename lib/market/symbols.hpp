// Small numbers for the words that live asks use, so that columns compare integers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mizan::market {

/// A word is known as long as somebody holds it: memory is bounded by the live asks. The empty word
/// is 0 and needs no holding. Numbers are reused, so they never leave the book.
class Symbols {
 public:
  uint32_t hold(std::string_view word);
  void release(uint32_t symbol);
  /// 0 if no live ask uses the word.
  uint32_t find(std::string_view word) const;
  std::string_view word(uint32_t symbol) const { return *words_[symbol]; }

 private:
  struct Use {
    uint32_t symbol;
    uint64_t holders;
  };
  std::map<std::string, Use, std::less<>> uses_;
  static const std::string kEmpty;
  std::vector<const std::string*> words_{&kEmpty};
  std::vector<uint32_t> free_;
};

}  // namespace mizan::market

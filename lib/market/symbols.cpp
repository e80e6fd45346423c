#include "market/symbols.hpp"

namespace mizan::market {

const std::string Symbols::kEmpty;

uint32_t Symbols::hold(std::string_view word) {
  if (word.empty()) return 0;
  auto it = uses_.find(word);
  if (it == uses_.end()) {
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(words_.size()));
      words_.push_back(nullptr);
    }
    it = uses_.emplace(std::string(word), Use{free_.back(), 0}).first;
    free_.pop_back();
    words_[it->second.symbol] = &it->first;
  }
  ++it->second.holders;
  return it->second.symbol;
}

void Symbols::release(uint32_t symbol) {
  if (symbol == 0) return;
  const auto it = uses_.find(*words_[symbol]);
  if (--it->second.holders > 0) return;
  words_[symbol] = nullptr;
  free_.push_back(symbol);
  uses_.erase(it);
}

uint32_t Symbols::find(std::string_view word) const {
  const auto it = uses_.find(word);
  return it == uses_.end() ? 0 : it->second.symbol;
}

}  // namespace mizan::market

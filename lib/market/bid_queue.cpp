#include "market/bid_queue.hpp"

#include "base/ensure.hpp"

namespace mizan::market {

std::string BidQueue::line_of(const Demand& demand) {
  const std::string* chip = demand.query.only_chip();
  return chip == nullptr ? std::string{} : *chip;
}

void BidQueue::add(const OrderId& id, Demand demand) {
  const auto [line, added] = lines_[line_of(demand)].insert({demand.max_rate, demand.sequence, id});
  ensure(added && demands_.emplace(id, std::move(demand)).second, "a bid stands in the queue once");
}

void BidQueue::remove(const OrderId& id) {
  const auto it = demands_.find(id);
  ensure(it != demands_.end(), "only a standing bid is removed");
  const auto line = lines_.find(line_of(it->second));
  line->second.erase({it->second.max_rate, it->second.sequence, id});
  if (line->second.empty()) lines_.erase(line);
  demands_.erase(it);
}

const Demand* BidQueue::find(const OrderId& id) const {
  const auto it = demands_.find(id);
  return it == demands_.end() ? nullptr : &it->second;
}

std::optional<BidQueue::Place> BidQueue::scan(
    const std::string& chip, Rate rate, const std::optional<Place>& after,
    const std::function<bool(const OrderId&, const Demand&)>& visit) const {
  static const Line kNone;
  const auto line = [&](const std::string& name) -> const Line& {
    const auto it = lines_.find(name);
    return it == lines_.end() ? kNone : it->second;
  };
  const Line& named = line(chip);
  const Line& any = line("");
  auto a = after ? named.upper_bound(*after) : named.begin();
  auto b = after ? any.upper_bound(*after) : any.begin();
  while (a != named.end() || b != any.end()) {
    const bool first = b == any.end() || (a != named.end() && *a < *b);
    const Place& place = first ? *a++ : *b++;
    if (place.rate < rate) break;
    if (visit(place.id, demands_.find(place.id)->second)) return place;
  }
  return std::nullopt;
}

}  // namespace mizan::market

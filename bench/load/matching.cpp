// Matching alone: simple orders into a book of 1,000 asks, and bids with clauses against 100,000.
// SPDX-License-Identifier: Apache-2.0
#include "load/ladder.hpp"
#include "load/scopes.hpp"
#include "market/book.hpp"
#include "market_world.hpp"

namespace mizan::bench {
namespace {

constexpr size_t kSimpleBook = 1000;
constexpr size_t kQueries = 4096;

/// One chip, no clauses: of ten orders four are asks, four cancel one, two are bids that match.
class SimpleOrders {
 public:
  SimpleOrders() : world_(2), ask_(world_.ask(1)), demand_(world_.demand("")) {
    ask_.nodes = 1;
    ask_.units_per_node = 8;
    demand_.units = 1;
    for (size_t i = 0; i < kSimpleBook; ++i) refs_.push_back(add());
  }
  void operator()(size_t i) {
    const size_t kind = i % 10;
    if (kind < 4) {
      refs_.push_back(add());
    } else if (kind < 8) {
      market::AskRef& victim = refs_[world_.pick(refs_.size())];
      book_.remove(victim);
      victim = refs_.back();
      refs_.pop_back();
    } else {
      book_.scan(demand_, kNow, [this](market::AskRef ref, const market::Fill& fill) {
        matched_ = ref;
        fill_ = fill;
        return true;
      });
      book_.take(matched_, fill_.nodes, demand_.units);
      book_.give_back(matched_, fill_.nodes, demand_.units);
    }
  }

 private:
  market::AskRef add() {
    ask_.sequence = ++placed_;
    ask_.id = numbered<OrderId>(placed_);
    ask_.rate = Rate{1000 + world_.pick(1000)};
    return book_.add(ask_, true);
  }

  Market world_;
  market::Book book_;
  market::Ask ask_;
  market::Demand demand_;
  uint64_t placed_ = 0;
  std::vector<market::AskRef> refs_;
  market::AskRef matched_ = 0;
  market::Fill fill_;
};

/// Bids of 3 to 5 clauses, each matched and given back.
class ConstrainedBids {
 public:
  explicit ConstrainedBids(uint64_t asks) : world_(1) {
    for (uint64_t n = 1; n <= asks; ++n) book_.add(world_.ask(n), true);
    for (size_t i = 0; i < kQueries; ++i) demands_.push_back(world_.demand(world_.query()));
  }
  void operator()(size_t i) {
    const market::Demand& demand = demands_[i % kQueries];
    bool found = false;
    market::AskRef ref = 0;
    market::Fill fill;
    book_.scan(demand, kNow, [&](market::AskRef at, const market::Fill& one) {
      ref = at;
      fill = one;
      return found = true;
    });
    if (!found) return;
    book_.take(ref, fill.nodes, demand.units);
    book_.give_back(ref, fill.nodes, demand.units);
  }

 private:
  Market world_;
  market::Book book_;
  std::vector<market::Demand> demands_;
};

template <class Orders>
void climb(Orders& orders, const std::vector<double>& rates, double seconds) {
  for (const double rate : rates) {
    OpenLoop loop(rate, seconds);
    loop.begin();
    Time::time_point now = Time::now();
    for (size_t i = 0; i < loop.count(); ++i) {
      while (now < loop.intended(i)) now = Time::now();
      orders(i);
      loop.answered(i, now = Time::now());
    }
    const Rung rung = loop.finish(now);
    print(rung);
    if (!rung.sustained()) return;
  }
}

}  // namespace

void matching_scope(const LoadOptions& options) {
  const auto rates = [&](std::vector<double> own) {
    return options.rates.empty() ? own : options.rates;
  };
  print_head(
      "matching: simple orders (40 % asks, 40 % cancels, 20 % bids matched), a book of 1,000");
  SimpleOrders simple;
  climb(simple, rates({100e3, 250e3, 500e3, 1e6, 2e6, 3e6, 4e6, 6e6, 8e6}), options.seconds / 2);
  print_head("matching: bids of 3 to 5 clauses, " + std::to_string(options.asks) + " live asks");
  ConstrainedBids constrained(options.asks);
  climb(constrained, rates({10e3, 20e3, 40e3, 60e3, 80e3, 100e3, 150e3, 200e3}), options.seconds);
}

}  // namespace mizan::bench

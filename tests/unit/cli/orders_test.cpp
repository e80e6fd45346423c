#include "mizan/orders.hpp"

#include "crypto/random.hpp"

#include <gtest/gtest.h>

#include <set>
#include <sys/wait.h>
#include <unistd.h>

namespace mizan::cli {
namespace {

class Home : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/mizan-home-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    home_ = name;
  }
  void TearDown() override { fs::remove_all(home_); }

  fs::path home_;
};

TEST_F(Home, an_order_is_read_back_as_it_was_written) {
  OrderState state;
  state.order = random_fixed<OrderId>();
  state.name = "job";
  state.bid.max_total = u128{1} << 90;
  state.spec = R"({"job":{}})";
  state.client = "attached";
  state.lease = random_fixed<LeaseId>();
  ASSERT_TRUE(save_order(home_, state));
  const auto back = load_order(home_, state.order);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->bid, state.bid);
  EXPECT_EQ(back->lease, state.lease);
  EXPECT_EQ(back->spec, state.spec);
  // It holds the key to the outputs.
  EXPECT_EQ(fs::status(order_folder(home_, state.order) / "order.json").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(Home, what_a_killed_client_left_is_passed_over) {
  OrderState state;
  state.order.bytes[0] = 1;
  ASSERT_TRUE(save_order(home_, state));
  fs::create_directories(home_ / "jobs" / ("0x" + std::string(64, '2')));  // no order.json yet
  fs::create_directories(home_ / "jobs" / "notes");
  const auto orders = load_orders(home_);
  ASSERT_TRUE(orders);
  EXPECT_EQ(orders->size(), 1U);
}

TEST_F(Home, one_client_holds_an_order_until_it_ends) {
  const OrderId order = random_fixed<OrderId>();
  {
    const auto mine = hold_order(home_, order);
    ASSERT_TRUE(mine && *mine);
    const auto other = hold_order(home_, order);
    ASSERT_TRUE(other);
    EXPECT_FALSE(*other);
  }
  const auto next = hold_order(home_, order);
  ASSERT_TRUE(next);
  EXPECT_TRUE(*next);
}

TEST_F(Home, only_orders_that_a_client_holds_are_looked_through) {
  for (uint8_t i = 1; i <= 3; ++i) {
    OrderState state;
    state.order.bytes[0] = i;
    const auto held = hold_order(home_, state.order);
    ASSERT_TRUE(held && *held);
    ASSERT_TRUE(save_order(home_, state));
    if (i == 2) let_go_of_order(home_, state.order);
  }
  EXPECT_EQ(load_orders(home_)->size(), 3U);
  EXPECT_EQ(load_held_orders(home_)->size(), 2U);
}

TEST_F(Home, nonces_are_taken_once_by_many_processes) {
  constexpr int kProcesses = 4, kEach = 40;
  const Address account = random_fixed<Address>();
  const Hash32 exchange = random_fixed<Hash32>();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  for (int i = 0; i < kProcesses; ++i)
    if (::fork() == 0) {
      for (int k = 0; k < kEach; ++k) {
        const auto first = take_nonces(home_, account, exchange, 3);
        if (!first || ::write(ends[1], &*first, sizeof *first) != sizeof *first) ::_exit(1);
      }
      ::_exit(0);
    }
  ::close(ends[1]);
  std::set<uint64_t> taken;
  uint64_t first = 0;
  int runs = 0;
  for (; ::read(ends[0], &first, sizeof first) == sizeof first; ++runs) {
    EXPECT_LE(first % 256 + 3, 256U) << "a run crosses a word";
    for (uint64_t i = 0; i < 3; ++i) EXPECT_TRUE(taken.insert(first + i).second);
  }
  ::close(ends[0]);
  while (::wait(nullptr) > 0) {
  }
  EXPECT_EQ(runs, kProcesses * kEach);
}

TEST_F(Home, a_lost_home_does_not_repeat_its_nonces) {
  const auto before = take_nonces(home_, Address{}, Hash32{}, 1);
  ::usleep(2000);  // numbers grow by the millisecond
  fs::remove_all(home_ / "nonces");
  const auto after = take_nonces(home_, Address{}, Hash32{}, 1);
  ASSERT_TRUE(before && after);
  EXPECT_GT(*after, *before);
}

}  // namespace
}  // namespace mizan::cli

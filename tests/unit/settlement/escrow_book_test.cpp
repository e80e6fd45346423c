#include "settlement/escrow_book.hpp"

#include <gtest/gtest.h>

namespace mizan::settlement {
namespace {

LeaseId lease(uint8_t number) {
  LeaseId id;
  id.bytes[31] = number;
  return id;
}

Result<void> add_all(EscrowBook& book, std::initializer_list<EscrowEvent> events) {
  for (const EscrowEvent& event : events) MIZAN_CHECK(book.add(event));
  return {};
}

TEST(EscrowBook, SumsWhatIsOwed) {
  EscrowBook book;
  ASSERT_TRUE(
      add_all(book, {Deposited{{}, 1000}, Opened{lease(1), 400}, Opened{lease(2), 100},
                     Claimed{lease(1), 150, 15}, CloseRequested{lease(1), 7, 200},
                     RelayPaid{{}, {}, 3}, Closed{lease(2), 0, 0, 100}, Withdrawn{{}, {}, 250}}));
  EXPECT_EQ(book.owed(), 750U);
  EXPECT_EQ(book.escrow(), 50U);
  EXPECT_EQ(book.balances(), 700U);
  EXPECT_EQ(book.fees(), 15U);
  EXPECT_EQ(book.leases().size(), 1U);
  ASSERT_TRUE(book.add(Closed{lease(1), 20, 2, 30}));
  EXPECT_EQ(book.escrow(), 0U);
  EXPECT_EQ(book.owed(), 750U);
}

TEST(EscrowBook, RefusesWhatContradicts) {
  EscrowBook book;
  ASSERT_TRUE(add_all(book, {Deposited{{}, 100}, Opened{lease(1), 60}}));
  for (const EscrowEvent& event : std::initializer_list<EscrowEvent>{
           Withdrawn{{}, {}, 41}, Opened{lease(1), 1}, Opened{lease(2), 41},
           Claimed{lease(1), 61, 0}, Claimed{lease(2), 1, 0}, CloseRequested{lease(1), 1, 61},
           Closed{lease(1), 20, 0, 39}, Closed{lease(1), ~u128{0}, 0, 2},
           Deposited{{}, ~u128{0}}}) {
    EXPECT_FALSE(book.add(event)) << event.index();
    EXPECT_EQ(book.owed(), 100U);
    EXPECT_EQ(book.escrow(), 60U);
  }
}

}  // namespace
}  // namespace mizan::settlement

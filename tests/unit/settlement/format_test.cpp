// The format of an outbox's journal: its number goes up when its shapes change.
#include "settlement/format.hpp"

#include "crypto/hash.hpp"
#include "settlement/outbox_records.hpp"
#include "support/shape.hpp"

#include <gtest/gtest.h>

namespace mizan::settlement {

TEST(OutboxFormat, IsAnotherWhenShapesChange) {
  // Whoever changes a record or the state raises kOutboxFormat, and puts the new hash here.
  EXPECT_EQ(kOutboxFormat, 1U);
  const std::string shapes = test::shape_of<record::Record>() + test::shape_of<Outbox::State>();
  EXPECT_EQ(hex(keccak256(as_bytes(shapes)).view()),
            "27e137799847e6ab19a110eed98fdd696b185c354aede8e0211e59b1ac46573f");
}

}  // namespace mizan::settlement

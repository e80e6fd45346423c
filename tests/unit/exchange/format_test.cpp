// The format of an exchange's journal: its number goes up when its shapes change.
#include "exchange/format.hpp"

#include "crypto/hash.hpp"
#include "exchange/core.hpp"
#include "support/shape.hpp"

#include <gtest/gtest.h>

namespace mizan::exchange {

TEST(Format, IsAnotherWhenShapesChange) {
  // Whoever changes a command or the state raises kFormat, and puts the new hash here.
  EXPECT_EQ(kFormat, 13U);
  const std::string shapes = test::shape_of<Sequenced>() + test::shape_of<State>();
  EXPECT_EQ(hex(keccak256(as_bytes(shapes)).view()),
            "5a729201f0826df621b8af515cafbb93a62b3cba8d206ddd6fec00c534c7507f");
}

}  // namespace mizan::exchange

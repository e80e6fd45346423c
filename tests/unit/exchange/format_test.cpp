// The format of an exchange's journal: its number goes up when its shapes change.
#include "exchange/format.hpp"

#include "crypto/hash.hpp"
#include "exchange/core.hpp"
#include "support/shape.hpp"

#include <gtest/gtest.h>

namespace mizan::exchange {

TEST(Format, IsAnotherWhenShapesChange) {
  // Whoever changes a command or the state raises kFormat, and puts the new hash here.
  EXPECT_EQ(kFormat, 4U);
  const std::string shapes = test::shape_of<Sequenced>() + test::shape_of<State>();
  EXPECT_EQ(hex(keccak256(as_bytes(shapes)).view()),
            "964fbfaa1989fb471ac9b7f8635afe7f8e9a3034a47a1a401a04b453a0ee4e77");
}

}  // namespace mizan::exchange

// The format of an exchange's journal: its number goes up when its shapes change.
#include "exchange/format.hpp"

#include "crypto/hash.hpp"
#include "exchange/core.hpp"
#include "support/shape.hpp"

#include <gtest/gtest.h>

namespace mizan::exchange {

TEST(Format, IsAnotherWhenShapesChange) {
  // Whoever changes a command or the state raises kFormat, and puts the new hash here.
  EXPECT_EQ(kFormat, 12U);
  const std::string shapes = test::shape_of<Sequenced>() + test::shape_of<State>();
  EXPECT_EQ(hex(keccak256(as_bytes(shapes)).view()),
            "41f0b20eb5cc6a1d68557b50b35749e1aec769a6efc6fc95f28b13dfa639deaa");
}

}  // namespace mizan::exchange

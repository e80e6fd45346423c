// The format of an exchange's journal: its number goes up when its shapes change.
#include "exchange/format.hpp"

#include "crypto/hash.hpp"
#include "exchange/core.hpp"
#include "support/shape.hpp"

#include <gtest/gtest.h>

namespace mizan::exchange {

TEST(Format, IsAnotherWhenShapesChange) {
  // Whoever changes a command or the state raises kFormat, and puts the new hash here.
  EXPECT_EQ(kFormat, 2U);
  const std::string shapes = test::shape_of<Sequenced>() + test::shape_of<State>();
  EXPECT_EQ(hex(keccak256(as_bytes(shapes)).view()),
            "c8d1e513b7b0fb4d020f24c418714698f6a21521e7547b2e61982111d6ed7868");
}

}  // namespace mizan::exchange

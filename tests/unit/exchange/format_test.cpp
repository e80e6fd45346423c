// The format of an exchange's journal: its number goes up when its shapes change.
#include "exchange/format.hpp"

#include "crypto/hash.hpp"
#include "exchange/core.hpp"
#include "support/shape.hpp"

#include <gtest/gtest.h>

namespace mizan::exchange {

TEST(Format, IsAnotherWhenShapesChange) {
  // Whoever changes a command or the state raises kFormat, and puts the new hash here.
  EXPECT_EQ(kFormat, 11U);
  const std::string shapes = test::shape_of<Sequenced>() + test::shape_of<State>();
  EXPECT_EQ(hex(keccak256(as_bytes(shapes)).view()),
            "1e3c19697959a2347ba3bb14ef6a12362d8eb717600581344312a0546b5f4a16");
}

}  // namespace mizan::exchange

// The one context of libsecp256k1 that the room uses.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <secp256k1.h>

namespace mizan {

/// Made once and never changed after, so threads share it. Randomized against side channels.
const secp256k1_context* curve_context();

}  // namespace mizan

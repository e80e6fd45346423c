// The nearest known word; it lives in base, where the market reads it too.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/nearest.hpp"

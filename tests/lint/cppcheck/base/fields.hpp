// What cppcheck reads in place of lib/base/fields.hpp: version 2.10 does not know __VA_OPT__.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#define MIZAN_FIELDS(...)

namespace mizan {

template <class T>
concept HasFields = true;

}  // namespace mizan

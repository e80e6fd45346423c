// UTF-8: the only texts that a spec, which travels as JSON, can hold.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace mizan::job {

/// invalid_argument, with the field, for text that is not UTF-8 (RFC 3629).
Result<void> check_utf8(std::string_view text, const std::string& field);

}  // namespace mizan::job

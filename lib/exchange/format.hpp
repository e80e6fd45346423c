// The format of what an exchange writes into its journal.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace mizan::exchange {

/// Of commands, of the state in a snapshot, and of what the commands do to it. It goes up with
/// every change of one of them, since a journal of another format would be read as damage, or as
/// another history.
inline constexpr uint32_t kFormat = 13;

}  // namespace mizan::exchange

// The journal in memory: for the core's tests and the simulation, where nothing is to be durable.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/journal.hpp"

#include <memory>

namespace mizan::journal {

/// Keeps everything in memory and never fails. The same rules, errors and hashes as on disk.
std::unique_ptr<Journal> make_memory_journal(const Hash32& genesis);

}  // namespace mizan::journal

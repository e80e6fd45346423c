// RocksDB's Env over a FaultDisk.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crash/fault_disk.hpp"

#include <rocksdb/env.h>

namespace mizan::crash {

/// An Env whose files are on `disk`; threads and time are the machine's. File locks are kept in
/// the Env, so that a new one after a crash starts without.
std::unique_ptr<rocksdb::Env> make_fault_env(std::shared_ptr<FaultDisk> disk);

}  // namespace mizan::crash

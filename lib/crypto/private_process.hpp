// A process that holds keys: its memory is for nobody else.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace mizan {

/// No core dump of this process, and no other process of the same user may look into it (ptrace,
/// /proc/PID/mem, /proc/PID/environ); root still may. At the start of a program, before it reads a
/// key. Programs that it starts are not bound by it, except that they begin without core dumps.
void make_process_private();

}  // namespace mizan

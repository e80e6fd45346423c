// How values are put before a person.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/money.hpp"
#include "codec/json.hpp"
#include "mizan/terminal.hpp"

#include <string>

namespace mizan::cli {

/// The first ten hex digits of an id, enough to name it to any command: "0x3f9a21c07b".
std::string short_id(const Hash32& id);
/// "0x12ab…89ef".
std::string short_address(const Address& address);
/// "$0.03 an hour".
std::string usd_hour(Rate rate);
/// "1 h 05 min", "12 s", "3 d 2 h".
std::string duration(uint64_t seconds);
/// "12 s ago"; `now_ms` and `then_ms` since 1970.
std::string ago(uint64_t now_ms, uint64_t then_ms);
/// "2026-11-22 11:41:08 UTC".
std::string utc(uint64_t ms);
/// "4.2 MB".
std::string bytes_text(uint64_t bytes);
/// Green for what is well, yellow for what waits, red for what failed.
Style state_style(const std::string& state);

/// --json's answer: one line on standard output.
void print_json(const json::value& value);

}  // namespace mizan::cli

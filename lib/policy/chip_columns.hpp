// The columns of the chip table, in rule files and in cases.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/fact_json.hpp"

namespace mizan::policy {

/// Reads a chip's columns; a width that is left blank is one that the chip does not offer, any
/// other blank is unknown. A plain value has the evidence `plain`. With `of_case`, "source" may
/// stand where rule files have "citation". The memory, which no rule reads, goes to `memory_GB` if
/// it is asked for. The caller finishes the reader.
Result<ChipFigures> read_chip_columns(ObjectReader& in, Evidence plain, bool of_case,
                                      Fact<Decimal>* memory_GB = nullptr);

/// The names of the figures that a chip's object gives.
std::vector<std::string> given_columns(const json::value& chip);

}  // namespace mizan::policy

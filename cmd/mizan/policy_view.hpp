// Verdicts as a person reads them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "mizan/terminal.hpp"

namespace mizan::cli {

/// Green for what passes, yellow for what waits for a person, red for what is blocked.
Style outcome_style(std::string_view outcome);

/// An answer of `mizan policy check`, whose decimals were quoted: a line a finding.
std::string render_answer(const Terminal& terminal, const json::value& answer);

/// GET /v1/leases/{id}/verdict as text. The exact decimals in it become strings.
Result<json::value> parse_verdict(std::string_view text);
std::string render_verdict(const Terminal& terminal, const json::value& verdict);

}  // namespace mizan::cli

// The spellings of enumerators, and back.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/verdict.hpp"

#include <array>
#include <optional>
#include <span>
#include <string_view>

namespace mizan::policy {

inline constexpr std::array<std::string_view, 4> kEvidenceWords = {"self_declared", "credential",
                                                                   "measured", "proven"};
inline constexpr std::array<std::string_view, 4> kOperationWords = {"lease", "export", "reexport",
                                                                    "transfer"};
inline constexpr std::array<std::string_view, 4> kEndUseWords = {
    "commercial", "military_intelligence", "wmd", "technical_analysis"};
inline constexpr std::array<std::string_view, 9> kRoleWords = {
    "exporter", "provider", "operator", "hardware_owner", "host",
    "investor", "broker",   "buyer",    "end_user"};
inline constexpr std::array<std::string_view, 2> kEffectWords = {"licence", "block"};
inline constexpr std::array<std::string_view, 6> kOutcomeWords = {
    "ALLOW", "NOTIFY", "INSUFFICIENT", "RED_FLAG", "LICENCE", "PROHIBITED"};
inline constexpr std::array<std::string_view, 4> kReviewWords = {"null", "approval_likely",
                                                                 "case_by_case", "denial"};
inline constexpr std::array<std::string_view, kHeads> kHeadWords = {
    "hardware_export", "end_use", "sanctions", "licence_conditions", "cloud_kyc", "pending"};

/// The place of a word in its list.
inline std::optional<size_t> place_of(std::string_view word,
                                      std::span<const std::string_view> words) {
  for (size_t i = 0; i < words.size(); ++i)
    if (words[i] == word) return i;
  return std::nullopt;
}

}  // namespace mizan::policy

// The known word that a misspelt one was probably meant to be.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mizan {

/// The least number of letters to insert, remove, replace or swap with their neighbour; capital
/// and small letters of ASCII are the same, and so are '_' and '-'. Words are cut at 64 letters.
size_t edit_distance(std::string_view a, std::string_view b);

/// The closest candidate (the first of equals), if it is close enough to be worth offering: at most
/// a third of the longer word's letters differ, or one letter. A word over 64 letters has none.
std::optional<std::string> nearest(std::string_view word,
                                   std::span<const std::string_view> candidates);
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

}  // namespace mizan

// A curve drawn with braille characters.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mizan::cli {

/// Points (x, y), x rising, as `height` lines of at most `width` columns: labels of y at the left,
/// the span of x below. `x_max` is where the axis ends, so that a growing curve keeps its scale.
std::string draw_curve(const std::vector<std::pair<double, double>>& points, double x_max,
                       size_t width, size_t height, const std::string& x_name);

}  // namespace mizan::cli

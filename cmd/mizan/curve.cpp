#include "mizan/curve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace mizan::cli {
namespace {

// A canvas of dots, 2 x 4 a character (U+2800 and a bit for each dot).
class Canvas {
 public:
  Canvas(size_t columns, size_t rows)
      : columns_(columns), rows_(rows), cells_(columns * rows, uint8_t{0}) {}

  size_t dots_wide() const { return columns_ * 2; }
  size_t dots_high() const { return rows_ * 4; }

  void dot(size_t x, size_t y) {  // y counts from the top
    static constexpr uint8_t kBits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    if (x < dots_wide() && y < dots_high())
      cells_[(y / 4) * columns_ + x / 2] |= kBits[y % 4][x % 2];
  }

  std::string line(size_t row) const {
    std::string out;
    for (size_t column = 0; column < columns_; ++column) {
      const uint8_t bits = cells_[row * columns_ + column];
      if (bits == 0) {
        out += ' ';
        continue;
      }
      out += '\xe2';
      out += static_cast<char>(0xa0 + (bits >> 6));
      out += static_cast<char>(0x80 + (bits & 0x3f));
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out;
  }

 private:
  size_t columns_;
  size_t rows_;
  std::vector<uint8_t> cells_;
};

}  // namespace

std::string draw_curve(const std::vector<std::pair<double, double>>& points, double x_max,
                       size_t width, size_t height, const std::string& x_name) {
  constexpr size_t kLabel = 8;  // "  4.29 ┤"
  if (points.empty() || width < kLabel + 10 || height < 3) return {};
  const size_t rows = height - 2;
  Canvas canvas(width - kLabel, rows);
  const auto [low, high] = std::minmax_element(
      points.begin(), points.end(), [](auto& a, auto& b) { return a.second < b.second; });
  const double bottom = std::floor(low->second * 2) / 2;
  const double top = std::max(std::ceil(high->second * 2) / 2, bottom + 0.5);
  const double x_min = points.front().first;
  const double x_span = std::max(x_max - x_min, 1.0);
  const auto at = [&](const std::pair<double, double>& point) {
    const double x = (point.first - x_min) / x_span * static_cast<double>(canvas.dots_wide() - 1);
    const double y =
        (top - point.second) / (top - bottom) * static_cast<double>(canvas.dots_high() - 1);
    return std::pair(x, y);
  };
  auto from = at(points.front());
  for (const auto& point : points) {
    const auto to = at(point);
    const double length =
        std::max({std::abs(to.first - from.first), std::abs(to.second - from.second), 1.0});
    for (int step = 0; step <= static_cast<int>(length); ++step) {
      const double x = from.first + (to.first - from.first) * step / length;
      const double y = from.second + (to.second - from.second) * step / length;
      canvas.dot(static_cast<size_t>(std::lround(std::max(x, 0.0))),
                 static_cast<size_t>(std::lround(std::max(y, 0.0))));
    }
    from = to;
  }
  std::string out;
  for (size_t row = 0; row < rows; ++row) {
    const double value =
        top - (top - bottom) * static_cast<double>(row) / static_cast<double>(rows - 1);
    const bool labelled = row % 3 == 0 || row + 1 == rows;
    out += labelled ? fmt::format("{:6.2f} ┤", value) : "       │";
    out += canvas.line(row) + "\n";
  }
  out += "       └";
  for (size_t i = kLabel; i < width; ++i) out += "─";
  const std::string right = fmt::format("{} {:.0f}", x_name, x_max);
  out += fmt::format("\n        {:<{}.0f}{}\n", x_min, width - kLabel - right.size(), right);
  return out;
}

}  // namespace mizan::cli

// The terminal: colours, width, tables, a status line that stays below what scrolls.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace mizan::cli {

enum class Style { plain, bold, dim, red, green, yellow, blue, cyan };

/// One output stream. In a pipe or a file it writes plain text: no colours, no redrawing.
class Terminal {
 public:
  explicit Terminal(std::FILE* stream, bool no_color);

  bool live() const { return live_; }  ///< a person looks at it: redrawing makes sense
  size_t columns() const;              ///< at least 20; 80 where it can't be told
  size_t rows() const;                 ///< at least 5; 24 where it can't be told
  std::string paint(Style style, std::string_view text) const;
  void write(std::string_view text) const;  ///< and flushes
  std::FILE* stream() const { return stream_; }

 private:
  std::FILE* stream_;
  bool live_;
  bool color_;
};

/// Text of strangers (a provider's attributes, a job's name) made harmless: control characters and
/// broken UTF-8 become '?'.
std::string printable(std::string_view text);

/// A job's log made harmless on a terminal: newlines, tabs, carriage returns and colours (ESC [ ...
/// m) stay, every other control sequence goes.
class LogFilter {
 public:
  std::string pass(std::string_view bytes);

 private:
  std::string pending_;  // an escape sequence that is not whole yet
};

/// How many columns `text` takes, one a code point.
size_t display_width(std::string_view text);

struct Cell {
  std::string text;
  Style style = Style::plain;
};

/// Rows under titles. On a terminal: aligned, and narrowed to its width by cutting the widest
/// column; elsewhere: tab-separated lines, the first of them the titles.
class Table {
 public:
  struct Column {
    std::string title;
    bool right = false;  ///< numbers
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<Cell> row);  ///< one cell a column
  bool empty() const { return rows_.empty(); }
  std::string render(const Terminal& terminal) const;

 private:
  std::vector<size_t> widths(size_t columns_max) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

/// "name  value" lines: what `account`, `plan` and `receipt` print. Aligned everywhere.
std::string render_pairs(const Terminal& terminal,
                         const std::vector<std::pair<std::string, Cell>>& pairs);

/// A bar `width` columns wide: "█████▌    ". `done` is clamped to `total`.
std::string bar(uint64_t done, uint64_t total, size_t width);

/// One line at the bottom that is redrawn while text scrolls above it; nothing in a pipe.
class StatusLine {
 public:
  explicit StatusLine(const Terminal& terminal) : terminal_(terminal) {}
  ~StatusLine() { clear(); }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  void set(std::string text);  ///< plain text, cut to the width
  /// Prints above the line, to this terminal or to `to`; `text` may end within a line.
  void scroll(std::string_view text) { scroll(text, terminal_); }
  void scroll(std::string_view text, const Terminal& to);
  void clear();

 private:
  void draw();

  const Terminal& terminal_;
  std::string text_;
  bool drawn_ = false;
  bool line_open_ = false;  // what scrolled last did not end in a newline
};

}  // namespace mizan::cli

#include "mizan/terminal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

namespace mizan::cli {
namespace {

std::string_view style_code(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::bold:
      return "\x1b[1m";
    case Style::dim:
      return "\x1b[2m";
    case Style::red:
      return "\x1b[31m";
    case Style::green:
      return "\x1b[32m";
    case Style::yellow:
      return "\x1b[33m";
    case Style::blue:
      return "\x1b[34m";
    case Style::cyan:
      return "\x1b[36m";
  }
  return "";
}

winsize window_of(std::FILE* stream) {
  winsize size{};
  if (::ioctl(::fileno(stream), TIOCGWINSZ, &size) != 0) size = {};
  return size;
}

// The length of the UTF-8 sequence that starts `text`, or 0 if it is broken or a control character.
size_t sequence_length(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x20 || first == 0x7f) return 0;
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 && first < 0xf5   ? 4
                        : first >= 0xe0 && first < 0xf0 ? 3
                        : first >= 0xc2 && first < 0xe0 ? 2
                                                        : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  // C1 control characters (U+0080 to U+009F) act on some terminals.
  if (first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0) return 0;
  return length;
}

// The first `width` columns, the last of them an ellipsis if something was cut.
std::string cut(const std::string& text, size_t width) {
  if (display_width(text) <= width) return text;
  std::string kept;
  size_t taken = 0;
  for (size_t i = 0; i < text.size() && taken + 1 < width; ++taken) {
    size_t length = sequence_length(std::string_view(text).substr(i));
    if (length == 0) length = 1;
    kept += text.substr(i, length);
    i += length;
  }
  return kept + "…";
}

std::string pad(const std::string& text, size_t width, bool right) {
  const size_t taken = display_width(text);
  const std::string space(width > taken ? width - taken : 0, ' ');
  return right ? space + text : text + space;
}

}  // namespace

Terminal::Terminal(std::FILE* stream, bool no_color) : stream_(stream) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread sets the environment
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  live_ = ::isatty(::fileno(stream)) == 1 && !dumb;
  color_ = live_ && !no_color;
}

size_t Terminal::columns() const {
  const winsize size = window_of(stream_);
  return size.ws_col == 0 ? 80 : std::max<size_t>(size.ws_col, 20);
}

size_t Terminal::rows() const {
  const winsize size = window_of(stream_);
  return size.ws_row == 0 ? 24 : std::max<size_t>(size.ws_row, 5);
}

std::string Terminal::paint(Style style, std::string_view text) const {
  if (!color_ || style == Style::plain) return std::string(text);
  return fmt::format("{}{}\x1b[0m", style_code(style), text);
}

void Terminal::write(std::string_view text) const {
  std::fwrite(text.data(), 1, text.size(), stream_);
  std::fflush(stream_);
}

std::string printable(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t length = sequence_length(text.substr(i));
    out += length == 0 ? std::string_view("?") : text.substr(i, length);
    i += std::max<size_t>(length, 1);
  }
  return out;
}

std::string LogFilter::pass(std::string_view bytes) {
  std::string out;
  for (const char letter : bytes) {
    if (!pending_.empty()) {
      // ESC, then '[', then digits and ';', then 'm': a colour. Anything else is dropped.
      const bool second = pending_.size() == 1;
      const bool goes_on =
          second ? letter == '[' : (letter >= '0' && letter <= '9') || letter == ';';
      pending_ += letter;
      if (!second && letter == 'm') out += pending_;
      if (!goes_on || pending_.size() > 32) pending_.clear();
    } else if (letter == '\x1b') {
      pending_ = letter;
    } else if (letter == '\n' || letter == '\t' || letter == '\r' ||
               static_cast<unsigned char>(letter) >= 0x20) {
      if (letter != '\x7f') out += letter;
    }
  }
  return out;
}

size_t display_width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char letter) {
    return (static_cast<unsigned char>(letter) & 0xc0) != 0x80;
  }));
}

void Table::add(std::vector<Cell> row) {
  row.resize(columns_.size());
  for (Cell& cell : row) cell.text = printable(cell.text);
  rows_.push_back(std::move(row));
}

std::vector<size_t> Table::widths(size_t columns_max) const {
  std::vector<size_t> widths;
  size_t total = 0;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t width = display_width(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i].text));
    widths.push_back(width);
    total += width + 2;
  }
  while (total > columns_max + 2) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= 6) break;
    --*widest;
    --total;
  }
  return widths;
}

std::string Table::render(const Terminal& terminal) const {
  std::string out;
  const auto widths = this->widths(terminal.columns());
  const auto line = [&](auto&& cell_of) {
    for (size_t i = 0; i < columns_.size(); ++i) {
      const Cell& cell = cell_of(i);
      if (!terminal.live()) {
        out += cell.text;
        if (i + 1 < columns_.size()) out += '\t';
        continue;
      }
      const bool last = i + 1 == columns_.size() && !columns_[i].right;
      const std::string text = cut(cell.text, widths[i]);
      out += terminal.paint(cell.style, last ? text : pad(text, widths[i], columns_[i].right));
      if (i + 1 < columns_.size()) out += "  ";
    }
    out += '\n';
  };
  std::vector<Cell> titles;
  for (const Column& column : columns_) titles.push_back({column.title, Style::bold});
  line([&](size_t i) -> const Cell& { return titles[i]; });
  for (const auto& row : rows_) line([&](size_t i) -> const Cell& { return row[i]; });
  return out;
}

std::string render_pairs(const Terminal& terminal,
                         const std::vector<std::pair<std::string, Cell>>& pairs) {
  size_t width = 0;
  for (const auto& [name, cell] : pairs) width = std::max(width, display_width(name));
  std::string out;
  for (const auto& [name, cell] : pairs)
    out += fmt::format("{}  {}\n", terminal.paint(Style::dim, pad(name, width, false)),
                       terminal.paint(cell.style, printable(cell.text)));
  return out;
}

std::string bar(uint64_t done, uint64_t total, size_t width) {
  static constexpr std::string_view kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  if (total == 0) total = 1;
  const auto share = static_cast<double>(std::min(done, total)) / static_cast<double>(total);
  const auto eighths = static_cast<size_t>(share * static_cast<double>(width * 8));
  std::string out;
  for (size_t i = 0; i < eighths / 8; ++i) out += "█";
  out += kEighths[eighths % 8];
  const size_t taken = eighths / 8 + (eighths % 8 == 0 ? 0 : 1);
  return out + std::string(width - taken, ' ');
}

void StatusLine::set(std::string text) {
  if (!terminal_.live() || (drawn_ && text == text_)) return;
  text_ = std::move(text);
  draw();
}

void StatusLine::scroll(std::string_view text, const Terminal& to) {
  if (text.empty()) return;
  if (!terminal_.live() || !to.live()) {
    to.write(text);
    return;
  }
  if (drawn_) {
    terminal_.write("\r\x1b[K");
    drawn_ = false;
  }
  to.write(text);
  line_open_ = text.back() != '\n';
  if (!text_.empty()) draw();
}

void StatusLine::clear() {
  if (drawn_) terminal_.write("\r\x1b[K");
  drawn_ = false;
  text_.clear();
}

void StatusLine::draw() {
  if (line_open_) return;  // the job is within a line: the status waits for its end
  terminal_.write("\r\x1b[K" + cut(text_, terminal_.columns() - 1));
  drawn_ = true;
}

}  // namespace mizan::cli

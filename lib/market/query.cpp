#include "market/query.hpp"

#include "base/nearest.hpp"

#include <algorithm>
#include <array>

namespace mizan::market {
namespace {

constexpr size_t kMostBytes = 4096;
constexpr size_t kMostClauses = 32;
constexpr size_t kMostValues = 64;
constexpr size_t kMostWord = 128;

struct OpName {
  std::string_view text;
  Op op;
};
// Longer spellings first, so that "<=" is not read as "<".
constexpr std::array<OpName, 7> kSymbols = {{{"!=", Op::not_equal},
                                             {"<=", Op::at_most},
                                             {">=", Op::at_least},
                                             {"==", Op::equal},
                                             {"=", Op::equal},
                                             {"<", Op::less},
                                             {">", Op::more}}};

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Query> query() {
    if (text_.size() > kMostBytes)
      return fail(ErrorCode::too_large, "a query has at most 4096 bytes");
    Query out;
    for (skip(); at_ < text_.size(); skip()) {
      if (out.clauses.size() == kMostClauses)
        return fail(ErrorCode::too_large, "a query has at most 32 clauses");
      MIZAN_TRY(next, clause());
      out.clauses.push_back(std::move(next));
    }
    return out;
  }

 private:
  tl::unexpected<Error> bad(size_t at, const std::string& what,
                            ErrorCode code = ErrorCode::invalid_argument) const {
    const std::string position = std::to_string(at + 1);
    return fail(Error{code, "query, position " + position + ": " + what}
                    .with("field", "query")
                    .with("position", position));
  }
  void skip() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string_view name() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  Result<Field> field() {
    const size_t begin = at_;
    const std::string_view word = name();
    if (word.empty()) return bad(begin, "a field is expected, such as chip or memory_gb");
    if (const auto found = find_field(word)) return *found;
    std::string what = "\"" + std::string(word.substr(0, kMostWord)) + "\" is no field";
    const auto near = nearest(word, kFieldNames);
    if (near) what += "; did you mean " + *near + "?";
    Error error = bad(begin, what, ErrorCode::unknown_field).value();
    if (near) error.details["nearest"] = *near;
    return fail(std::move(error));
  }

  Result<Op> op(Field field) {
    const size_t begin = at_;
    for (const OpName& symbol : kSymbols)
      if (text_.substr(at_).starts_with(symbol.text)) {
        at_ += symbol.text.size();
        return symbol.op;
      }
    const std::string_view word = name();
    if (word == "in") return Op::in;
    if (word == "notin") return Op::not_in;
    return bad(begin, "an operator is expected after " + std::string(to_string(field)) +
                          ": one of = != < <= > >= in notin");
  }

  Result<std::string> value() {
    skip();
    const size_t begin = at_;
    std::string out;
    if (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'')) {
      const char quote = text_[at_++];
      const size_t end = text_.find(quote, at_);
      if (end == std::string_view::npos) return bad(begin, "the quote is not closed");
      out = std::string(text_.substr(at_, end - at_));
      at_ = end + 1;
    } else {
      while (at_ < text_.size() && !is_space(text_[at_]) && text_[at_] != ',' && text_[at_] != ']')
        out.push_back(text_[at_++]);
    }
    if (out.empty()) return bad(begin, "a value is expected");
    if (out.size() > kMostWord) return bad(begin, "a value has at most 128 bytes");
    return out;
  }

  Result<void> add(Clause& clause) {
    skip();
    const size_t begin = at_;
    MIZAN_TRY(text, value());
    if (std::max(clause.numbers.size(), clause.words.size()) == kMostValues)
      return bad(begin, "a list has at most 64 values");
    if (!is_number(clause.field)) {
      if (clause.field == Field::measured && text != "true" && text != "false")
        return bad(begin, "measured is true or false");
      clause.words.push_back(std::move(text));
      return {};
    }
    const auto number = parse_milli(text);
    if (!number)
      return bad(begin, std::string(to_string(clause.field)) +
                            " is a number with at most three decimals, not \"" + text + "\"");
    clause.numbers.push_back(*number);
    return {};
  }

  Result<Clause> clause() {
    Clause out;
    const size_t begin = at_;
    MIZAN_TRY(name, field());
    out.field = name;
    skip();
    const size_t op_at = at_;
    MIZAN_TRY(found, op(name));
    out.op = found;
    const bool ordering =
        found != Op::equal && found != Op::not_equal && found != Op::in && found != Op::not_in;
    if (ordering && !is_number(name))
      return bad(op_at, std::string(to_string(name)) + " is compared with = != in notin alone");
    if (found == Op::in || found == Op::not_in) {
      skip();
      const bool bracket = take('[');
      for (bool more = true; more;) {
        MIZAN_CHECK(add(out));
        const size_t end = at_;
        skip();
        more = take(',');
        if (!more && !bracket) at_ = end;  // what follows is the next clause
      }
      if (bracket && !take(']')) return bad(at_, "the list is not closed with ]");
    } else {
      MIZAN_CHECK(add(out));
    }
    if (at_ < text_.size() && !is_space(text_[at_]))
      return bad(at_, "a space is expected after the clause");
    std::sort(out.numbers.begin(), out.numbers.end());
    out.text = std::string(text_.substr(begin, at_ - begin));
    return out;
  }

  std::string_view text_;
  size_t at_ = 0;
};

template <class T, class List>
bool compare(Op op, const T& value, const List& list) {
  switch (op) {
    case Op::equal:
    case Op::in:
      return std::find(list.begin(), list.end(), value) != list.end();
    case Op::not_equal:
    case Op::not_in:
      return std::find(list.begin(), list.end(), value) == list.end();
    case Op::less:
      return value < list.front();
    case Op::at_most:
      return value <= list.front();
    case Op::more:
      return value > list.front();
    case Op::at_least:
      return value >= list.front();
  }
  return false;
}

}  // namespace

std::string_view to_string(Op op) {
  switch (op) {
    case Op::equal:
      return "=";
    case Op::not_equal:
      return "!=";
    case Op::less:
      return "<";
    case Op::at_most:
      return "<=";
    case Op::more:
      return ">";
    case Op::at_least:
      return ">=";
    case Op::in:
      return "in";
    case Op::not_in:
      return "notin";
  }
  return "";
}

const std::string* Query::only_chip() const {
  for (const Clause& clause : clauses)
    if (clause.field == Field::chip && (clause.op == Op::equal || clause.op == Op::in) &&
        clause.words.size() == 1)
      return &clause.words.front();
  return nullptr;
}

Result<Query> parse_query(std::string_view text) {
  return Parser(text).query();
}

bool holds(const Clause& clause, Milli value) {
  return value != kUnknown && compare(clause.op, value, clause.numbers);
}

bool holds(const Clause& clause, std::string_view word) {
  return !word.empty() && compare(clause.op, word, clause.words);
}

bool holds(const Clause& clause, const std::vector<std::string>& list) {
  const bool found = std::any_of(list.begin(), list.end(), [&](const std::string& item) {
    return std::find(clause.words.begin(), clause.words.end(), item) != clause.words.end();
  });
  return found == (clause.op == Op::equal || clause.op == Op::in);
}

Result<std::vector<SortKey>> parse_order(std::string_view text) {
  std::vector<SortKey> keys;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    std::string_view word = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    while (!word.empty() && is_space(word.front())) word.remove_prefix(1);
    while (!word.empty() && is_space(word.back())) word.remove_suffix(1);
    SortKey key;
    key.descending = word.starts_with('-');
    if (key.descending) word.remove_prefix(1);
    const auto field = find_field(word);
    if (!field || *field == Field::cached) {
      Error error{ErrorCode::unknown_field, "order: \"" + std::string(word.substr(0, kMostWord)) +
                                                "\" is no field to sort by"};
      error.details["field"] = "order";
      if (const auto near = nearest(word, kFieldNames)) {
        error.message += "; did you mean " + *near + "?";
        error.details["nearest"] = *near;
      }
      return fail(std::move(error));
    }
    key.field = *field;
    if (keys.size() == kFields) return fail(ErrorCode::too_large, "order: too many fields");
    keys.push_back(key);
  }
  return keys;
}

}  // namespace mizan::market

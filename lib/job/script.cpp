#include "job/script.hpp"

#include "base/nearest.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace mizan::job {
namespace {

struct Option {
  std::string_view name;
  char letter;  ///< 0: it has none
  bool takes_value;
};
constexpr std::array<Option, 9> kOptions = {{{"job-name", 'J', true},
                                             {"nodes", 'N', true},
                                             {"gres", 0, true},
                                             {"cpus-per-task", 'c', true},
                                             {"mem", 0, true},
                                             {"time", 't', true},
                                             {"output", 'o', true},
                                             {"requeue", 0, false},
                                             {"no-requeue", 0, false}}};

tl::unexpected<Error> fault(const std::string& field, size_t line, const std::string& what,
                            ErrorCode code = ErrorCode::invalid_argument) {
  return fail(Error{code, field + " (line " + std::to_string(line) + "): " + what}
                  .with("field", field)
                  .with("line", std::to_string(line)));
}

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Words of a header line; quotes hold one together, "#" starts a comment.
std::vector<std::string> split_words(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  bool open = false;
  for (const char c : line) {
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      open = true;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      if (open) words.push_back(std::move(word));
      word.clear();
      open = false;
    } else if (c == '#' && !open) {
      break;
    } else {
      word += c;
      open = true;
    }
  }
  if (open) words.push_back(std::move(word));
  return words;
}

std::optional<uint64_t> to_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number > 1'000'000'000)
    return std::nullopt;
  return number;
}

/// Slurm's times: M, M:S, H:M:S, D-H, D-H:M, D-H:M:S.
std::optional<uint64_t> slurm_seconds(std::string_view text) {
  uint64_t days = 0;
  const size_t dash = text.find('-');
  if (dash != std::string_view::npos) {
    const auto number = to_number(text.substr(0, dash));
    if (!number) return std::nullopt;
    days = *number;
    text.remove_prefix(dash + 1);
  }
  std::vector<uint64_t> parts;
  while (true) {
    const size_t colon = std::min(text.find(':'), text.size());
    const auto number = to_number(text.substr(0, colon));
    if (!number || parts.size() == 3) return std::nullopt;
    parts.push_back(*number);
    if (colon == text.size()) break;
    text.remove_prefix(colon + 1);
  }
  const bool with_days = dash != std::string_view::npos;
  // One part is hours after a dash, minutes otherwise; two are H:M after a dash, M:S otherwise.
  uint64_t factor = with_days || parts.size() == 3 ? 3600 : 60;
  uint64_t seconds = days * 86'400;
  for (const uint64_t part : parts) {
    seconds += part * factor;
    factor /= 60;
  }
  return seconds;
}

/// Slurm's sizes: megabytes unless a letter says otherwise; rounded up to whole gigabytes.
std::optional<uint64_t> slurm_gigabytes(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const char unit = text.back();
  constexpr uint64_t kGigabyte = 1 << 20;  // in kilobytes
  uint64_t kilobytes = 1024;
  if (unit == 'K') kilobytes = 1;
  if (unit == 'G') kilobytes = kGigabyte;
  if (unit == 'T') kilobytes = 1024ULL * 1024 * 1024;
  if (unit == 'K' || unit == 'M' || unit == 'G' || unit == 'T') text.remove_suffix(1);
  const auto number = to_number(text);
  if (!number) return std::nullopt;
  return (*number * kilobytes + kGigabyte - 1) / kGigabyte;
}

Result<void> take_need(const std::string& name, const std::string& value, size_t line,
                       JobFile& file) {
  if (name == "nodes") {
    if (value != "1" && value != "1-1")
      return fault(name, line, "more than one node is not built yet; use 1",
                   ErrorCode::unsupported_key);
  } else if (name == "gres") {
    if (value != "none")
      return fault(name, line, "is not built yet; jobs run on CPUs for now: use --cpus-per-task",
                   ErrorCode::unsupported_key);
  } else if (name == "cpus-per-task") {
    const auto cores = to_number(value);
    if (!cores || *cores == 0 || *cores > 4096)
      return fault(name, line, "must be a whole number between 1 and 4096");
    file.job.cores = *cores;
  } else if (name == "mem") {
    const auto gb = slurm_gigabytes(value);
    if (!gb || *gb == 0 || *gb > kGigabytesMax)
      return fault(name, line, "\"" + value + "\" is no size; write like 4G or 512M");
    file.job.memory_gb = *gb;
  } else if (name == "time") {
    const auto seconds = slurm_seconds(value);
    if (!seconds || *seconds == 0 || *seconds > kSecondsMax)
      return fault(name, line,
                   "\"" + value + "\" is no time; write like 30, 12:00:00 or 1-00:00:00");
    file.job.max_seconds = *seconds;
  }
  return {};
}

Result<void> take_option(const std::string& name, const std::string& value, size_t line,
                         JobFile& file) {
  if (name == "job-name") {
    if (!check_name(value, name))
      return fault(name, line, "must be 1 to 64 letters, digits, '.', '_' or '-'");
    file.job.name = value;
    return {};
  }
  if (name == "output") {
    if (value.empty() || value.size() > kPathMax) return fault(name, line, "must name a file");
    file.log_file = value;
    return {};
  }
  if (name == "requeue")
    return fault(name, line, "is not built yet; start the job again by hand",
                 ErrorCode::unsupported_key);
  return take_need(name, value, line, file);
}

tl::unexpected<Error> unknown_option(const std::string& word, size_t line) {
  std::vector<std::string_view> names;
  names.reserve(kOptions.size());
  for (const Option& option : kOptions) names.push_back(option.name);
  const auto close = nearest(word, names);
  std::string what = "is no #SBATCH option that Mizan reads";
  if (close) what += "; did you mean \"" + *close + "\"?";
  auto error = fault(word, line, what, ErrorCode::unknown_field);
  if (close) return fail(std::move(error.value()).with("nearest", *close));
  return error;
}

const Option* find_option(const std::string& word) {
  for (const Option& option : kOptions) {
    if (word.starts_with("--") ? word.substr(2) == option.name
                               : word.size() == 2 && word[1] == option.letter)
      return &option;
  }
  return nullptr;
}

Result<void> take_header(std::string_view header, size_t line, JobFile& file) {
  const std::vector<std::string> words = split_words(header);
  for (size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    if (!word.starts_with("-"))
      return fault(word, line, "stands where an option like --time=10 is due");
    std::optional<std::string> value;
    if (word.starts_with("--")) {
      if (const size_t equal = word.find('='); equal != std::string::npos) {
        value = word.substr(equal + 1);
        word.resize(equal);
      }
    } else if (word.size() > 2) {
      value = word.substr(2);
      word.resize(2);
    }
    const Option* option = find_option(word);
    if (option == nullptr) return unknown_option(word.substr(word.starts_with("--") ? 2 : 1), line);
    const std::string name(option->name);
    if (option->takes_value && !value) {
      if (i + 1 == words.size()) return fault(name, line, "needs a value");
      value = words[++i];
    }
    if (!option->takes_value && value) return fault(name, line, "takes no value");
    MIZAN_CHECK(take_option(name, value.value_or(""), line, file));
  }
  return {};
}

/// How to hand `text` to the interpreter that its first line names.
Result<std::string> run_through(std::string_view interpreter, std::string_view text,
                                const std::string& name) {
  const std::vector<std::string> words = split_words(interpreter);
  if (words.empty()) return fault("#!", 1, "names no interpreter");
  const std::string& program = words[0].ends_with("/env") && words.size() > 1 ? words[1] : words[0];
  std::string base = program.substr(program.rfind('/') + 1);  // npos + 1 is 0: no slash
  if (base == "sh" && words.size() == 1) return std::string(text);
  if (base.starts_with("python")) base = "python";
  constexpr std::array<std::string_view, 6> kTakesCode = {"sh",  "bash", "dash",
                                                          "zsh", "ksh",  "python"};
  if (std::find(kTakesCode.begin(), kTakesCode.end(), base) == kTakesCode.end())
    return fault("#!", 1,
                 "names an interpreter that Mizan cannot hand a script to; use a shell or "
                 "python, or a job.yaml");
  std::string command = "exec";
  for (const std::string& word : words) command += " " + shell_quote(word);
  return command + " -c " + shell_quote(text) + (base == "python" ? "" : " " + shell_quote(name));
}

}  // namespace

std::string shell_quote(std::string_view text) {
  constexpr std::string_view kPlain = "-_./=:,+@%";
  const auto plain = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kPlain.find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return std::string(text);
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + "'";
}

Result<JobFile> parse_script(std::string_view text, std::string_view file_name) {
  JobFile file;
  file.job.name = name_of_file(file_name);
  file.job.max_seconds = 3600;
  file.workdir = ".";
  const size_t first_end = std::min(text.find('\n'), text.size());
  std::string_view rest = text;
  for (size_t line = 1; !rest.empty(); ++line) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view content = trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!content.empty() && content[0] != '#') break;  // the first command ends the headers
    if (content.starts_with("#SBATCH") && content.size() > 7 &&
        (content[7] == ' ' || content[7] == '\t'))
      MIZAN_CHECK(take_header(content.substr(7), line, file));
  }
  MIZAN_TRY(run, run_through(trim(text.substr(2, first_end - 2)), text, file.job.name));
  file.job.run = std::move(run);
  MIZAN_CHECK(complete(file));
  return file;
}

Result<JobFile> job_of_command(const std::vector<std::string>& command) {
  if (command.empty() || command[0].empty())
    return fail(Error{ErrorCode::invalid_argument, "run: name a command after \"--\""}.with("field",
                                                                                            "run"));
  JobFile file;
  file.job.name = name_of_file(command[0]);
  file.job.max_seconds = 3600;
  file.job.run = "exec";
  for (const std::string& word : command) file.job.run += " " + shell_quote(word);
  MIZAN_CHECK(complete(file));
  return file;
}

}  // namespace mizan::job

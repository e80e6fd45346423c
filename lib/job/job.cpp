#include "job/job.hpp"

#include "codec/json_fields.hpp"
#include "job/utf8.hpp"

#include <algorithm>
#include <array>
#include <csignal>

namespace mizan::job {
namespace {

tl::unexpected<Error> bad(const std::string& field, const std::string& what,
                          ErrorCode code = ErrorCode::invalid_argument) {
  return fail(Error{code, field + ": " + what}.with("field", field));
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool has_control(const std::string& text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// Letters, digits and ". _ -", starting with a letter or digit.
bool is_word(const std::string& text) {
  return !text.empty() && text.size() <= kNameMax && (is_letter(text[0]) || is_digit(text[0])) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
         });
}

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> parts;
  size_t at = 0;
  while (at <= path.size()) {
    const size_t slash = std::min(path.find('/', at), path.size());
    if (slash > at) parts.push_back(path.substr(at, slash - at));
    at = slash + 1;
  }
  std::erase(parts, ".");
  return parts;
}

struct SignalName {
  const char* name;
  int number;
};
constexpr std::array<SignalName, 7> kSignals = {{{"USR1", SIGUSR1},
                                                 {"USR2", SIGUSR2},
                                                 {"TERM", SIGTERM},
                                                 {"INT", SIGINT},
                                                 {"HUP", SIGHUP},
                                                 {"QUIT", SIGQUIT},
                                                 {"CONT", SIGCONT}}};

Result<void> check_script(const std::string& text, const std::string& field) {
  if (text.size() > kScriptMax)
    return bad(field, "is longer than 60,000 bytes; put it into a file of the workdir",
               ErrorCode::too_large);
  if (text.find('\0') != std::string::npos) return bad(field, "holds a NUL byte");
  return check_utf8(text, field);
}

Result<void> check_most(uint64_t value, uint64_t least, uint64_t most, const std::string& field) {
  if (value >= least && value <= most) return {};
  return bad(field, "must be between " + std::to_string(least) + " and " + std::to_string(most));
}

Result<void> check_checkpoint(const Checkpoint& checkpoint) {
  MIZAN_CHECK(check_path(checkpoint.path, "checkpoint.path"));
  MIZAN_CHECK(check_most(checkpoint.every_seconds, 0, kSecondsMax, "checkpoint.everySeconds"));
  if (!checkpoint.signal.empty()) {
    MIZAN_TRY(name, check_signal(checkpoint.signal, "checkpoint.signal"));
    if (name != checkpoint.signal)
      return bad("checkpoint.signal", "is spelled without \"SIG\" in an order");
  } else if (checkpoint.every_seconds > 0) {
    return bad("checkpoint.signal", "is needed where the job is to checkpoint every so often");
  }
  return {};
}

}  // namespace

Result<void> check_name(const std::string& name, const std::string& field) {
  if (is_word(name)) return {};
  return bad(field,
             "must be 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit");
}

Result<void> check_image(const std::string& image, const std::string& field) {
  if (image == "host") return {};
  if (image.starts_with("oci:") && is_word(image.substr(4))) return {};
  if (image.starts_with("docker:"))
    return bad(field,
               "images from a registry are not built yet; use \"host\" or \"oci:NAME\", a layout "
               "that the provider has",
               ErrorCode::unsupported_key);
  return bad(field, "must be \"host\" or \"oci:NAME\", a layout that the provider has");
}

Result<void> check_env_name(const std::string& name, const std::string& field) {
  const bool good = !name.empty() && name.size() <= 256 && !is_digit(name[0]) &&
                    std::all_of(name.begin(), name.end(),
                                [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
  if (!good) return bad(field, "a variable's name is letters, digits and '_', the first no digit");
  if (name.starts_with("MIZAN_"))
    return bad(field, "names that start with MIZAN_ are set by Mizan");
  return {};
}

Result<void> check_path(const std::string& path, const std::string& field) {
  if (path.empty()) return bad(field, "is empty; name a file or folder");
  if (path.size() > kPathMax) return bad(field, "is longer than 1,000 bytes", ErrorCode::too_large);
  if (has_control(path)) return bad(field, "holds a control character");
  MIZAN_CHECK(check_utf8(path, field));
  const std::vector<std::string> parts = split_path(path);
  if (std::find(parts.begin(), parts.end(), "..") != parts.end())
    return bad(field, "climbs out with \"..\"; give a path inside the workdir or an absolute one");
  if (std::any_of(parts.begin(), parts.end(), [](const auto& part) { return part.size() > 255; }))
    return bad(field, "has a part longer than 255 bytes", ErrorCode::too_large);
  if (path.front() != '/') return {};
  if (parts.empty()) return bad(field, "is the whole file system; name a folder in it");
  if (parts[0] == "proc" || parts[0] == "sys" || parts[0] == "dev")
    return bad(field, "lies beneath /" + parts[0] + ", where nothing can be kept");
  return {};
}

Result<std::string> check_signal(const std::string& name, const std::string& field) {
  const std::string bare = name.starts_with("SIG") ? name.substr(3) : name;
  for (const SignalName& signal : kSignals)
    if (bare == signal.name) return bare;
  return bad(field, "must be one of USR1, USR2, TERM, INT, HUP, QUIT, CONT");
}

int signal_number(const std::string& name) {
  for (const SignalName& signal : kSignals)
    if (name == signal.name) return signal.number;
  return SIGTERM;
}

std::string absolute_path(const std::string& path) {
  std::string whole = path.starts_with('/') ? "" : kWorkFolder;
  for (const std::string& part : split_path(path)) whole += "/" + part;
  return whole;
}

json::value spec_json(const Spec& spec) {
  json::value value = to_json(spec);
  if (!spec.declaration) value.as_object().erase("declaration");
  return value;
}

Result<void> check(const Job& job) {
  MIZAN_CHECK(check_name(job.name, "name"));
  MIZAN_CHECK(check_image(job.image, "image"));
  if (job.run.empty()) return bad("run", "is empty; say what to run");
  MIZAN_CHECK(check_script(job.run, "run"));
  MIZAN_CHECK(check_script(job.setup, "setup"));
  if (job.envs.size() > kEnvsMax)
    return bad("envs", "has more than 256 variables", ErrorCode::too_large);
  for (const auto& [name, value] : job.envs) {
    MIZAN_CHECK(check_env_name(name, "envs." + name));
    MIZAN_CHECK(check_script(value, "envs." + name));
  }
  if (job.outputs.size() > kOutputsMax)
    return bad("outputs", "has more than 64 paths; name a folder", ErrorCode::too_large);
  for (size_t i = 0; i < job.outputs.size(); ++i)
    MIZAN_CHECK(check_path(job.outputs[i], "outputs[" + std::to_string(i) + "]"));
  MIZAN_CHECK(check_most(job.max_seconds, 1, kSecondsMax, "maxSeconds"));
  if (job.checkpoint) MIZAN_CHECK(check_checkpoint(*job.checkpoint));
  MIZAN_CHECK(check_most(job.cores, 1, 4096, "cores"));
  MIZAN_CHECK(check_most(job.memory_gb, 0, kGigabytesMax, "memoryGb"));
  MIZAN_CHECK(check_most(job.disk_gb, 0, kGigabytesMax, "diskGb"));
  if (job.network == "egress")
    return bad("network", "egress is not built yet; use none", ErrorCode::unsupported_key);
  if (job.network != "none") return bad("network", "must be none");
  if (job.output_key.is_zero() && !job.outputs.empty())
    return bad("outputKey", "is missing, and the job has outputs to seal");
  return {};
}

std::vector<std::string> command_line(const Job& job) {
  if (job.setup.empty()) return {"/bin/sh", "-c", job.run};
  return {"/bin/sh", "-c",      "/bin/sh -c \"$1\" || exit $?\nexec /bin/sh -c \"$2\"",
          "sh",      job.setup, job.run};
}

}  // namespace mizan::job

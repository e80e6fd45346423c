#include "job/job_file.hpp"

#include "job/script.hpp"
#include "job/utf8.hpp"
#include "job/yaml_map.hpp"

#include <boost/json/object.hpp>
#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace mizan::job {
namespace {

constexpr uint64_t kDefaultSeconds = 3600;
constexpr uint64_t kCoresMax = 4096;

const std::vector<std::string_view> kTopKeys = {
    "name",  "workdir", "num_nodes",    "resources",      "image",      "network", "envs",
    "setup", "run",     "max_duration", "max_total_cost", "checkpoint", "outputs", "declaration"};
const std::vector<UnbuiltKey> kTopUnbuilt = {{"secrets", "", "pass no secrets to a machine yet"},
                                             {"file_mounts", "", "put the files into the workdir"}};
const std::vector<std::string_view> kResourceKeys = {"cpus", "memory", "disk_size",
                                                     "max_hourly_cost"};
const std::vector<UnbuiltKey> kResourceUnbuilt = {
    {"accelerators", "", "jobs run on CPUs for now: use cpus"},
    {"any_of", "", "name one set of resources"},
    {"use_spot", "false", ""},
    {"job_recovery", "none", ""}};
const std::vector<std::string_view> kDeclared = {"end_use", "training", "country", "end_user"};
const std::vector<std::string_view> kEndUses = {"commercial", "technical_analysis",
                                                "military_intelligence", "wmd", "unknown"};
const std::vector<std::string_view> kCheckpointKeys = {"path", "every", "signal"};

/// Runs a check whose errors lack the line, and adds that of `at`.
template <class T>
Result<T> on_line(Result<T> result, const YAML::Node& at) {
  if (result) return result;
  return fail(with_line(std::move(result).error(), at));
}

Result<uint64_t> parse_count(std::string_view text, uint64_t most, const std::string& field) {
  if (text.ends_with('+')) text.remove_suffix(1);
  uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size() || count == 0 || count > most)
    return fail(Error{ErrorCode::invalid_argument,
                      field + ": must be a whole number between 1 and " + std::to_string(most)}
                    .with("field", field));
  return count;
}

Result<Money> parse_cost(const std::string& text, const std::string& field) {
  auto money = parse_usd(text);
  if (money && money->nano > 0) return *money;
  return fail(Error{ErrorCode::invalid_argument,
                    field + ": must be dollars above zero, with at most nine decimals, like 20.00"}
                  .with("field", field));
}

Result<void> read_resources(const YAML::Node& node, JobFile& file) {
  MIZAN_TRY(map, YamlMap::open(node, "resources"));
  MIZAN_CHECK(map.check_keys(kResourceKeys, kResourceUnbuilt));
  MIZAN_TRY(cpus, map.text("cpus"));
  if (cpus) {
    MIZAN_TRY(cores, on_line(parse_count(*cpus, kCoresMax, "resources.cpus"), map.at("cpus")));
    file.job.cores = cores;
  }
  MIZAN_TRY(memory, map.text("memory"));
  if (memory) {
    MIZAN_TRY(gb, on_line(parse_gigabytes(*memory, "resources.memory"), map.at("memory")));
    file.job.memory_gb = gb;
  }
  MIZAN_TRY(disk, map.text("disk_size"));
  if (disk) {
    MIZAN_TRY(gb, on_line(parse_gigabytes(*disk, "resources.disk_size"), map.at("disk_size")));
    file.job.disk_gb = gb;
  }
  MIZAN_TRY(hourly, map.text("max_hourly_cost"));
  if (hourly) {
    MIZAN_TRY(cost,
              on_line(parse_cost(*hourly, "resources.max_hourly_cost"), map.at("max_hourly_cost")));
    file.max_hourly_cost = cost;
  }
  return {};
}

Result<void> read_checkpoint(const YAML::Node& node, Job& job) {
  MIZAN_TRY(map, YamlMap::open(node, "checkpoint"));
  MIZAN_CHECK(map.check_keys(kCheckpointKeys, {}));
  Checkpoint checkpoint;
  MIZAN_TRY(path, map.text("path"));
  if (!path) return fault_at("checkpoint.path", node, "is missing; name the checkpoints' folder");
  MIZAN_CHECK(on_line(check_path(*path, "checkpoint.path"), map.at("path")));
  checkpoint.path = *path;
  MIZAN_TRY(every, map.text("every"));
  if (every) {
    MIZAN_TRY(seconds, on_line(parse_duration(*every, "checkpoint.every"), map.at("every")));
    checkpoint.every_seconds = seconds;
  }
  MIZAN_TRY(signal, map.text("signal"));
  if (signal) {
    MIZAN_TRY(name, on_line(check_signal(*signal, "checkpoint.signal"), map.at("signal")));
    checkpoint.signal = name;
  } else if (every) {
    return fault_at("checkpoint.every", map.at("every"),
                    "needs checkpoint.signal too, the signal at which the job writes a checkpoint");
  }
  job.checkpoint = checkpoint;
  return {};
}

Result<void> read_envs(const YAML::Node& node, Job& job) {
  MIZAN_TRY(map, YamlMap::open(node, "envs"));
  if (map.members().size() > kEnvsMax)
    return fault_at("envs", node, "has more than 256 variables", ErrorCode::too_large);
  for (const auto& [name, value] : map.members()) {
    MIZAN_CHECK(on_line(check_env_name(name, "envs." + name), value));
    MIZAN_TRY(text, map.text(name));
    job.envs.emplace(name, *text);
  }
  return {};
}

Result<void> read_outputs(const YamlMap& top, Job& job) {
  MIZAN_TRY(outputs, top.list("outputs", kOutputsMax));
  for (size_t i = 0; i < outputs.size(); ++i) {
    const YAML::Node& node = top.at("outputs");
    const YAML::Node at = node.IsSequence() ? node[i] : node;
    MIZAN_CHECK(on_line(check_path(outputs[i], "outputs[" + std::to_string(i) + "]"), at));
  }
  job.outputs = std::move(outputs);
  return {};
}

Result<void> read_limits(const YamlMap& top, JobFile& file) {
  MIZAN_TRY(nodes, top.text("num_nodes"));
  if (nodes && *nodes != "1") {
    MIZAN_CHECK(on_line(parse_count(*nodes, 100'000, "num_nodes"), top.at("num_nodes")));
    return fault_at("num_nodes", top.at("num_nodes"), "more than one node is not built yet; use 1",
                    ErrorCode::unsupported_key);
  }
  MIZAN_TRY(network, top.text("network"));
  if (network && *network == "egress")
    return fault_at("network", top.at("network"), "egress is not built yet; use none",
                    ErrorCode::unsupported_key);
  if (network && *network != "none") return fault_at("network", top.at("network"), "must be none");
  MIZAN_TRY(duration, top.text("max_duration"));
  file.job.max_seconds = kDefaultSeconds;
  if (duration) {
    MIZAN_TRY(seconds, on_line(parse_duration(*duration, "max_duration"), top.at("max_duration")));
    file.job.max_seconds = seconds;
  }
  MIZAN_TRY(total, top.text("max_total_cost"));
  if (total) {
    MIZAN_TRY(cost, on_line(parse_cost(*total, "max_total_cost"), top.at("max_total_cost")));
    file.max_total_cost = cost;
  }
  return {};
}

Result<void> read_names(const YamlMap& top, JobFile& file) {
  MIZAN_TRY(name, top.text("name"));
  if (name) {
    MIZAN_CHECK(on_line(check_name(*name, "name"), top.at("name")));
    file.job.name = *name;
  }
  MIZAN_TRY(workdir, top.text("workdir"));
  if (workdir) {
    if (workdir->empty() || workdir->size() > kPathMax || workdir->find('\0') != std::string::npos)
      return fault_at("workdir", top.at("workdir"), "must name a folder, like \".\"");
    file.workdir = *workdir;
  }
  MIZAN_TRY(image, top.text("image"));
  if (image) {
    MIZAN_CHECK(on_line(check_image(*image, "image"), top.at("image")));
    file.job.image = *image;
  }
  MIZAN_TRY(setup, top.text("setup"));
  file.job.setup = setup.value_or("");
  MIZAN_TRY(run, top.text("run"));
  file.job.run = run.value_or("");
  return {};
}

Result<void> read_declaration(const YAML::Node& node, JobFile& file) {
  MIZAN_TRY(map, YamlMap::open(node, "declaration"));
  MIZAN_CHECK(map.check_keys(kDeclared, {}));
  for (const auto& [key, member] : map.members()) {
    if (key == "end_user" && member.IsMap()) {
      MIZAN_TRY(user, YamlMap::open(member, "declaration.end_user"));
      MIZAN_CHECK(user.check_keys({"country", "hq", "parent_hq"}, {}));
      json::object places;
      for (const auto& [place, ignored] : user.members()) {
        MIZAN_TRY(text, user.text(place));
        MIZAN_CHECK(on_line(check_utf8(*text, user.field(place)), user.at(place)));
        places[place] = *text;
      }
      if (!file.declaration) file.declaration = json::object{};
      file.declaration->as_object()[key] = std::move(places);
      continue;
    }
    MIZAN_TRY(text, map.text(key));
    MIZAN_CHECK(on_line(declare(file.declaration, key, *text), member));
  }
  return {};
}

Result<JobFile> read_document(const YAML::Node& document, std::string_view file_name) {
  MIZAN_TRY(top, YamlMap::open(document, ""));
  MIZAN_CHECK(top.check_keys(kTopKeys, kTopUnbuilt));
  JobFile file;
  file.job.name = name_of_file(file_name);
  MIZAN_CHECK(read_names(top, file));
  if (file.job.run.empty())
    return fault_at("run", document, "is missing; say what to run, like \"run: python3 train.py\"");
  MIZAN_CHECK(read_limits(top, file));
  if (top.has("resources")) MIZAN_CHECK(read_resources(top.at("resources"), file));
  if (top.has("envs")) MIZAN_CHECK(read_envs(top.at("envs"), file.job));
  if (top.has("checkpoint")) MIZAN_CHECK(read_checkpoint(top.at("checkpoint"), file.job));
  MIZAN_CHECK(read_outputs(top, file.job));
  if (top.has("declaration")) MIZAN_CHECK(read_declaration(top.at("declaration"), file));
  MIZAN_CHECK(complete(file));
  return file;
}

}  // namespace

std::optional<Rate> JobFile::max_rate() const {
  if (!max_hourly_cost) return std::nullopt;
  const u128 units = u128{nodes} * units_per_node;
  return Rate{max_hourly_cost->nano / (units * 3600)};
}

Result<void> complete(JobFile& file) {
  file.units_per_node = static_cast<uint32_t>(file.job.cores);
  file.query = "chip=\"cpu\" cores>=" + std::to_string(file.job.cores);
  if (file.job.memory_gb > 0) file.query += " memory_gb>=" + std::to_string(file.job.memory_gb);
  if (file.job.disk_gb > 0) file.query += " disk_gb>=" + std::to_string(file.job.disk_gb);
  if (file.job.image != "host") file.query += " cached=\"" + file.job.image + "\"";
  // The key comes later; what is checked here is all the rest.
  Job whole = file.job;
  whole.output_key.bytes[0] = 1;
  return check(whole);
}

Result<void> declare(std::optional<json::value>& declaration, std::string_view key,
                     std::string_view value) {
  const std::string field = "declaration." + std::string(key);
  const auto bad = [&field](const std::string& what) {
    return fail(Error{ErrorCode::invalid_argument, field + ": " + what}.with("field", field));
  };
  if (std::find(kDeclared.begin(), kDeclared.end(), key) == kDeclared.end())
    return bad("is none of end_use, training, country and end_user");
  json::value said(json::string_view(value.data(), value.size()));
  const auto capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (key == "end_use") {
    if (std::find(kEndUses.begin(), kEndUses.end(), value) == kEndUses.end())
      return bad("must be commercial, technical_analysis, military_intelligence, wmd or unknown");
  } else if (key == "country") {
    if (value.size() != 2 || !capital(value[0]) || !capital(value[1]))
      return bad("must be two capital letters of ISO 3166, like DE");
  } else if (key == "training") {
    if (value != "true" && value != "false") return bad("must be true or false");
    said = value == "true";
  } else if (key == "end_user" && value != "self") {
    return bad("must be self, or in a job file a mapping of country, hq and parent_hq");
  }
  if (!declaration) declaration = json::object{};
  declaration->as_object()[json::string_view(key.data(), key.size())] = std::move(said);
  return {};
}

std::string name_of_file(std::string_view file_name) {
  if (const size_t slash = file_name.rfind('/'); slash != std::string_view::npos)
    file_name.remove_prefix(slash + 1);
  if (const size_t dot = file_name.rfind('.'); dot != std::string_view::npos && dot > 0)
    file_name = file_name.substr(0, dot);
  std::string name(file_name.substr(0, kNameMax));
  return check_name(name, "name") ? name : "job";
}

namespace {

/// Takes no notice of what it is told.
class Unheard final : public YAML::EventHandler {
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

/// Not LoadAll: yaml-cpp 0.7 finds documents without end in some texts, "," for one.
int documents_up_to_two(std::string_view text) {
  std::istringstream in{std::string(text)};
  YAML::Parser parser(in);
  Unheard nobody;
  int count = 0;
  while (count < 2 && parser.HandleNextDocument(nobody)) ++count;
  return count;
}

}  // namespace

Result<JobFile> parse_job_file(std::string_view text, std::string_view file_name) {
  if (text.size() > kJobFileMax)
    return fail(ErrorCode::too_large, "the job file is longer than 256 KiB");
  if (text.starts_with("#!")) return parse_script(text, file_name);
  try {
    const int documents = documents_up_to_two(text);
    if (documents != 1)
      return fail(ErrorCode::invalid_argument,
                  documents == 0 ? "the job file is empty; it needs at least \"run: ...\""
                                 : "the job file holds more than one document; keep one");
    return read_document(YAML::Load(std::string(text)), file_name);
  } catch (const YAML::Exception& error) {
    const std::string line = std::to_string(error.mark.line + 1);
    return fail(Error{ErrorCode::invalid_argument,
                      "the job file is no YAML: line " + line + ": " + error.msg}
                    .with("line", line));
  }
}

}  // namespace mizan::job

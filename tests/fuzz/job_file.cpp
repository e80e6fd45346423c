// Job files, YAML and scripts; and the specs that come of them, as agents read them.
#include "job/job_file.hpp"

#include "codec/json_fields.hpp"
#include "fuzz/fuzz.hpp"
#include "job/environment.hpp"

using namespace mizan;

namespace {

void travel(const job::Spec& spec) {
  const json::value value = job::spec_json(spec);
  const auto text = canonical_json(value);
  ensure(text.has_value(), "a spec has a canonical text");
  const auto parsed = parse_json(*text);
  ensure(parsed && canonical_json(*parsed) == *text, "a spec is read as it is written");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  auto file = job::parse_job_file(text, "job.yaml");
  if (!file) {
    ensure(!file.error().message.empty(), "a refused job file says why");
    return 0;
  }
  file->max_rate();
  // As the client does before it signs.
  const auto checked = job::check(file->job);
  job::command_line(file->job);
  job::environment(file->job, job::Place{});
  for (const std::string& output : file->job.outputs) job::absolute_path(output);
  if (!checked) return 0;
  travel({file->job, file->query, false, true, file->declaration});
  return 0;
}

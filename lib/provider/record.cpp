#include "provider/record.hpp"

#include "codec/json_fields.hpp"

#include <array>

namespace mizan::provider {
namespace {

constexpr std::array<std::string_view, 7> kStages = {"accepted", "funded", "exited", "collected",
                                                     "done",     "failed", "over"};

}  // namespace

std::string_view to_string(Stage stage) {
  return kStages[static_cast<size_t>(stage)];
}

std::string encode(const LeaseRecord& record) {
  json::object object;
  object["stage"] =
      json::string_view(to_string(record.stage).data(), to_string(record.stage).size());
  LeaseRecord::visit_but_stage(record, [&object](const char* name, const auto& field) {
    object.emplace(name, to_json(field));
  });
  return json_text(object);
}

Result<LeaseRecord> decode_record(std::string_view text) {
  MIZAN_TRY(value, parse_json(text, {}, "the lease's record"));
  LeaseRecord record;
  ObjectReader in(value, "record");
  std::string stage;
  in.required("stage", stage);
  LeaseRecord::visit_but_stage(record,
                               [&in](const char* name, auto& field) { in.required(name, field); });
  MIZAN_CHECK(in.finish());
  for (size_t i = 0; i < kStages.size(); ++i) {
    if (stage != kStages[i]) continue;
    record.stage = static_cast<Stage>(i);
    return record;
  }
  return fail(ErrorCode::corrupted, "record.stage: unknown stage \"" + stage + "\"");
}

}  // namespace mizan::provider

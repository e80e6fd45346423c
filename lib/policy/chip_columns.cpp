#include "policy/chip_columns.hpp"

#include <string_view>

namespace mizan::policy {
namespace {

bool is_blank(const json::value* value) {
  return value == nullptr || value->is_null() ||
         (value->is_string() && value->get_string().empty());
}

Result<void> read_figure(ObjectReader& in, const char* column, bool width, Evidence plain,
                         Fact<Decimal>& out) {
  const json::value* value = in.find(column);
  if (is_blank(value)) {
    if (width) out = Fact<Decimal>::not_applicable();
    return {};
  }
  MIZAN_TRY(fact, read_fact<Decimal>(value, in.path(column), read_decimal, plain));
  if (fact.is_known() && fact.value.nano == 0 && !width)
    return bad_field(in.path(column), "is 0; leave an unknown figure out");
  // A width whose value is null in {"value": null, ...} is unknown, not absent.
  out = fact;
  return {};
}

}  // namespace

Result<ChipFigures> read_chip_columns(ObjectReader& in, Evidence plain, bool of_case,
                                      Fact<Decimal>* memory_GB) {
  ChipFigures chip;
  if (const json::value* name = in.find("chip"); !is_blank(name)) {
    MIZAN_TRY(fact, read_fact<std::string>(name, in.path("chip"), read_text, plain));
    chip.name = std::move(fact);
  }
  MIZAN_CHECK(read_figure(in, "dense16", true, plain, chip.dense16));
  MIZAN_CHECK(read_figure(in, "dense8", true, plain, chip.dense8));
  MIZAN_CHECK(read_figure(in, "dense6", true, plain, chip.dense6));
  MIZAN_CHECK(read_figure(in, "dense4", true, plain, chip.dense4));
  MIZAN_CHECK(read_figure(in, "applicable_die_mm2", false, plain, chip.die_mm2));
  MIZAN_CHECK(read_figure(in, "dram_bw_GBps", false, plain, chip.dram_GBps));
  MIZAN_CHECK(read_figure(in, "interconnect_GBps_bidir", false, plain, chip.interconnect_GBps));
  Fact<Decimal> memory;
  MIZAN_CHECK(read_figure(in, "mem_GB", false, plain, memory));
  if (memory_GB != nullptr) *memory_GB = memory;
  if (const json::value* flag = in.find("dc_designed_or_marketed"); !is_blank(flag)) {
    MIZAN_TRY(fact, read_fact<bool>(flag, in.path("dc_designed_or_marketed"), read_yes_no, plain));
    chip.datacenter = fact;
  }
  std::string text;
  for (const char* column : {"vendor", "die_basis", "notes"}) in.optional(column, text);
  if (of_case) in.optional("source", text);
  if (in.failed()) return fail(in.finish().error());
  return chip;
}

std::vector<std::string> given_columns(const json::value& chip) {
  std::vector<std::string> given;
  for (const char* column :
       {"dc_designed_or_marketed", "dense16", "dense8", "dense6", "dense4", "applicable_die_mm2",
        "mem_GB", "dram_bw_GBps", "interconnect_GBps_bidir"})
    if (chip.is_object() && !is_blank(chip.get_object().if_contains(column)))
      given.emplace_back(column);
  return given;
}

}  // namespace mizan::policy

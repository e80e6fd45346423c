#include "provider/inventory.hpp"

#include "codec/json_fields.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <sys/statvfs.h>
#include <thread>

namespace mizan::provider {
namespace {

std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The first whole number in `text`; nothing where there is none ("max", "-1", an absent file).
std::optional<uint64_t> first_number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

uint64_t mem_total(const std::filesystem::path& root) {
  const std::string text = read_text(root / "proc/meminfo");
  constexpr std::string_view kKey = "MemTotal:";
  const size_t at = text.find(kKey);
  if (at == std::string::npos) return 0;
  const size_t digit = text.find_first_of("0123456789", at);
  return digit == std::string::npos ? 0 : first_number(text.substr(digit)).value_or(0) * 1024;
}

/// The folder of this process in the hierarchy of `controller` ("" is version 2's), and all above
/// it: each may limit.
std::vector<std::filesystem::path> cgroup_folders(const std::filesystem::path& root,
                                                  const std::string& controller) {
  std::istringstream lines(read_text(root / "proc/self/cgroup"));
  std::vector<std::filesystem::path> folders;
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool wanted = controller.empty()
                            ? names == ",,"
                            : names.find("," + controller + ",") != std::string::npos;
    if (!wanted) continue;
    const std::filesystem::path base = root / "sys/fs/cgroup" / controller;
    std::filesystem::path below = std::filesystem::path(line.substr(second + 1)).relative_path();
    for (folders.push_back(base / below); !below.empty(); folders.push_back(base / below))
      below = below.parent_path();
  }
  return folders;
}

uint64_t memory_limit(const std::filesystem::path& root, uint64_t most) {
  for (const auto& folder : cgroup_folders(root, ""))
    most = std::min(most, first_number(read_text(folder / "memory.max")).value_or(most));
  for (const auto& folder : cgroup_folders(root, "memory"))
    most = std::min(most, first_number(read_text(folder / "memory.limit_in_bytes")).value_or(most));
  return most;
}

uint32_t cpu_limit(const std::filesystem::path& root, uint32_t most) {
  const auto cut = [&most](const std::string& quota, const std::string& period) {
    const auto numerator = first_number(quota);
    const auto denominator = first_number(period);
    if (numerator && denominator && *denominator > 0)
      most = static_cast<uint32_t>(
          std::clamp<uint64_t>(*numerator / *denominator, 1, std::max(most, 1U)));
  };
  for (const auto& folder : cgroup_folders(root, "")) {
    const std::string text = read_text(folder / "cpu.max");
    const size_t space = text.find(' ');
    if (space != std::string::npos) cut(text.substr(0, space), text.substr(space + 1));
  }
  for (const auto& folder : cgroup_folders(root, "cpu"))
    cut(read_text(folder / "cpu.cfs_quota_us"), read_text(folder / "cpu.cfs_period_us"));
  return most;
}

tl::unexpected<Error> too_much(const std::string& key, uint64_t asked, uint64_t there,
                               const std::string& unit) {
  return fail(Error{ErrorCode::invalid_argument, key + ": " + std::to_string(asked) + unit +
                                                     " are offered, but the machine has " +
                                                     std::to_string(there) + unit}
                  .with("field", key));
}

json::object attribute(json::value value, std::string_view source) {
  return {{"value", std::move(value)}, {"source", json::string_view(source.data(), source.size())}};
}

}  // namespace

Result<Inventory> measure(const std::filesystem::path& state_dir,
                          const std::filesystem::path& root) {
  Inventory found;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  uint32_t cores = std::max(1U, std::thread::hardware_concurrency());
  if (::sched_getaffinity(0, sizeof mask, &mask) == 0)
    cores = static_cast<uint32_t>(CPU_COUNT(&mask));
  found.cores = cpu_limit(root, cores);
  found.memory_bytes = memory_limit(root, mem_total(root));
  if (found.memory_bytes == 0)
    return fail(ErrorCode::io_error, "the size of the memory could not be read from /proc/meminfo");
  struct statvfs file_system {};
  if (::statvfs(state_dir.c_str(), &file_system) != 0)
    return fail(ErrorCode::io_error,
                "state_dir: the free space of " + state_dir.string() + " could not be read");
  found.disk_bytes = uint64_t{file_system.f_bavail} * file_system.f_frsize;
  return found;
}

Result<Capacity> offered(const ProviderConfig& config, const Inventory& inventory) {
  const uint64_t memory = inventory.memory_bytes / kGigabyte;
  const uint64_t disk = inventory.disk_bytes / kGigabyte;
  Capacity capacity;
  capacity.units = config.cores.value_or(inventory.cores);
  capacity.memory_gb = config.memory_gb.value_or(inventory.memory_bytes / 20 * 19 / kGigabyte);
  capacity.disk_gb = config.disk_gb.value_or(inventory.disk_bytes / 10 * 9 / kGigabyte);
  if (capacity.units > inventory.cores)
    return too_much("cores", capacity.units, inventory.cores, " cores");
  if (capacity.memory_gb > memory) return too_much("memory_gb", capacity.memory_gb, memory, " GB");
  if (capacity.disk_gb > disk) return too_much("disk_gb", capacity.disk_gb, disk, " GB");
  if (capacity.units == 0 || capacity.memory_gb == 0 || capacity.disk_gb == 0)
    return fail(ErrorCode::unavailable,
                "the machine has less than a core, a gigabyte of memory or a gigabyte of free disk "
                "to offer");
  return capacity;
}

std::string attributes_json(const ProviderConfig& config, const Capacity& capacity) {
  json::object attributes;
  attributes["cores"] = attribute(capacity.units, "measured");
  attributes["memory_gb"] = attribute(capacity.memory_gb, "measured");
  attributes["disk_gb"] = attribute(capacity.disk_gb, "measured");
  if (!config.country.empty())
    attributes["country"] =
        attribute(json::string_view(config.country.data(), config.country.size()), "self_reported");
  json::array images;
  for (const auto& [name, path] : config.images) images.emplace_back("oci:" + name);
  if (!images.empty()) attributes["cached"] = attribute(std::move(images), "measured");
  json::array payees;
  for (const ConfigPayee& one : config.payees) {
    json::object payee{{"to", to_json(one.payee.to)}, {"bps", one.payee.bps}};
    if (!one.role.empty()) payee["role"] = one.role;
    payees.push_back(std::move(payee));
  }
  if (!payees.empty()) attributes["payees"] = attribute(std::move(payees), "self_reported");
  auto text = canonical_json(attributes);
  ensure(text.has_value(), "attributes hold no fractions");
  return *std::move(text);
}

}  // namespace mizan::provider

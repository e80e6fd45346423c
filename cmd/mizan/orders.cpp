#include "mizan/orders.hpp"

#include "base/time.hpp"
#include "codec/json_fields.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mizan::cli {

fs::path order_folder(const fs::path& home, const OrderId& order) {
  return home / "jobs" / hex0x(order.view());
}

Result<void> save_order(const fs::path& home, const OrderState& state) {
  const fs::path folder = order_folder(home, state.order);
  MIZAN_CHECK(make_private_folder(folder));
  return write_json_file(folder / "order.json", to_json(state));
}

Result<OrderState> load_order(const fs::path& home, const OrderId& order) {
  const fs::path file = order_folder(home, order) / "order.json";
  MIZAN_TRY(value, read_json_file(file));
  return from_json<OrderState>(value, file.string());
}

namespace {

Result<std::vector<OrderState>> load_where(const fs::path& home, bool held) {
  std::vector<OrderState> orders;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(home / "jobs", error)) {
    const auto order = parse_fixed<OrderId>(entry.path().filename().string());
    std::error_code ignored;
    if (!order || (held && !fs::exists(entry.path() / "lock", ignored))) continue;
    // Between the making of the folder and of the file a client may have been killed.
    auto state = load_order(home, *order);
    if (state) orders.push_back(*std::move(state));
  }
  std::sort(orders.begin(), orders.end(), [](const OrderState& a, const OrderState& b) {
    return a.created_at_ms > b.created_at_ms;
  });
  return orders;
}

}  // namespace

Result<std::vector<OrderState>> load_orders(const fs::path& home) {
  return load_where(home, false);
}

Result<std::vector<OrderState>> load_held_orders(const fs::path& home) {
  return load_where(home, true);
}

void let_go_of_order(const fs::path& home, const OrderId& order) {
  std::error_code ignored;
  fs::remove(order_folder(home, order) / "lock", ignored);
}

Result<std::optional<FileLock>> hold_order(const fs::path& home, const OrderId& order) {
  MIZAN_CHECK(make_private_folder(order_folder(home, order)));
  return FileLock::attempt(order_folder(home, order) / "lock");
}

Result<uint64_t> take_nonces(const fs::path& home, const Address& account, const Hash32& exchange,
                             uint32_t count) {
  const fs::path folder = home / "nonces";
  MIZAN_CHECK(make_private_folder(folder));
  const std::string name =
      fmt::format("{}-{}", hex(account.view()), hex(exchange.view()).substr(0, 16));
  MIZAN_TRY(lock, FileLock::wait(folder / (name + ".lock")));
  const fs::path file = folder / (name + ".json");
  // Milliseconds x 256: no home makes orders as fast as that number grows.
  uint64_t next = system_clock().now().ms << 8;
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
    MIZAN_TRY(value, read_json_file(file));
    ObjectReader in(value, file.string());
    in.required("next", next);
    MIZAN_CHECK(in.finish());
  }
  // A run of nonces does not cross a word of 256 bits.
  if (next % 256 + count > 256) next += 256 - next % 256;
  MIZAN_CHECK(write_json_file(file, json::object{{"next", next + count}}));
  return next;
}

}  // namespace mizan::cli

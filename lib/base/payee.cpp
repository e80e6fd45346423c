#include "base/payee.hpp"

#include <algorithm>

namespace mizan {
namespace {

tl::unexpected<Error> bad(const std::string& path, const std::string& what) {
  return fail(Error{ErrorCode::invalid_argument, path + ": " + what}.with("field", path));
}

}  // namespace

Result<void> check_payees(const std::vector<Payee>& payees, std::string_view path) {
  const std::string name(path);
  if (payees.empty() || payees.size() > kMostPayees)
    return bad(name, "names 1 to 8 payees; one account can pass on what it was paid to more");
  uint32_t sum = 0;
  for (size_t i = 0; i < payees.size(); ++i) {
    const std::string at = name + "[" + std::to_string(i) + "]";
    if (payees[i].to.is_zero()) return bad(at + ".to", "is not the zero address");
    const auto same = [&](const Payee& other) { return other.to == payees[i].to; };
    const auto end = payees.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::any_of(payees.begin(), end, same))
      return bad(at + ".to", "is named before: add the two shares up");
    if (payees[i].bps == 0 || payees[i].bps > kWholeBps)
      return bad(at + ".bps", "is 1 to 10000, hundredths of a percent");
    sum += payees[i].bps;
  }
  if (sum == kWholeBps) return {};
  return bad(name, "shares add up to " + std::to_string(sum) +
                       " of 10000: name the provider itself for what it keeps");
}

Money part_of(Money amount, uint32_t bps, uint32_t whole) {
  // Without a product that could wrap.
  return {amount.nano / whole * bps + amount.nano % whole * bps / whole};
}

std::vector<Money> shares_of(Money net, const std::vector<Payee>& payees) {
  std::vector<Money> out;
  uint32_t whole = kWholeBps;
  for (const Payee& payee : payees) {
    out.push_back(part_of(net, payee.bps, whole));
    net -= out.back();
    whole -= payee.bps;
  }
  return out;
}

}  // namespace mizan

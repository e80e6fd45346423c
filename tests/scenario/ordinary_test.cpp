// A thousand ordinary deals: policy stops none and asks a person about few.
#include "support/policy_world.hpp"

#include <map>
#include <sstream>

namespace mizan::test {
namespace {

using namespace exchange;

std::vector<std::vector<std::string>> read_rows(const std::filesystem::path& path) {
  std::istringstream in(read_text(path));
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string> row;
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, ',');) row.push_back(cell);
    rows.push_back(std::move(row));
  }
  rows.erase(rows.begin());
  return rows;
}

Address account(uint64_t n) {
  Address out;
  out.bytes[0] = 0xcc;
  for (size_t i = 0; i < 8; ++i) out.bytes[19 - i] = static_cast<uint8_t>(n >> (8 * i));
  return out;
}

TEST(OrdinaryDeals, AtMostTwoInAHundredWaitForAPerson) {
  PolicyWorld w;
  const auto rows =
      read_rows(std::filesystem::path(MIZAN_SOURCE_DIR) / "tests/scenario/ordinary_deals.csv");
  ASSERT_EQ(rows.size(), 1000u);
  uint64_t held = 0;
  std::map<std::string, uint64_t> notes;
  for (const auto& row : rows) {
    const uint64_t n = std::stoull(row[0]);
    const Address buyer = account(2 * n);
    const Address provider = account(2 * n + 1);
    w.grant(buyer, 1'000'000'000'000);
    auto proven = w.facts({.country = row[1], .hq = row[2], .parent = row[3]});
    proven.person = keccak256("p" + row[0]);
    w.ok(ProveFacts{buyer, proven});
    w.ok(ProveFacts{provider, w.facts({.country = row[4], .hq = row[4]})});
    PlaceAsk ask = w.offer(0, row[6], 8, std::stoull(row[7]), row[5]);
    ask.ask.provider = provider;
    ask.ask.rate = 1;
    const OrderId order = w.ok(ask).order;
    auto bid = w.want(0, static_cast<uint32_t>(std::stoul(row[8])),
                      R"({"end_use":"commercial","end_user":"self","training":)" +
                          std::string(row[10] == "yes" ? "true}" : "false}"));
    bid.bid.buyer = buyer;
    bid.bid.max_seconds = std::stoull(row[9]);
    const Fate fate = w.fate(bid);
    ASSERT_TRUE(fate == Fate::passed || fate == Fate::held)
        << "deal " << row[0] << " was stopped by " << w.rule;
    if (fate == Fate::held) {
      ++held;
      ++notes[w.note()];
    }
    w.ok(CancelAsk{{provider, order}, {}});
  }
  for (const auto& [note, count] : notes) std::cout << count << " x " << note << '\n';
  EXPECT_LE(held, 20u);
  EXPECT_GT(held, 0u) << "some of them are doubtful indeed";
}

}  // namespace
}  // namespace mizan::test

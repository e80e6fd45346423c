#include "base/id_map.hpp"

#include "support/seed.hpp"

#include <map>
#include <vector>

namespace mizan {
namespace {

using Plain = std::map<Hash32, std::string>;
using Trie = IdMap<Hash32, std::string>;

void expect_same(const Trie& trie, const Plain& plain) {
  ASSERT_EQ(trie.size(), plain.size());
  auto it = trie.begin();
  for (const auto& [key, value] : plain) {
    ASSERT_NE(it, trie.end());
    ASSERT_EQ(it->first, key);
    ASSERT_EQ((it++)->second, value);
  }
  ASSERT_EQ(it, trie.end());
}

/// Keys of which many share long beginnings.
Hash32 some_key(std::mt19937_64& random) {
  Hash32 key;
  const size_t from = random() % 32;
  for (size_t i = from; i < 32; i += 1 + random() % 8)
    key.bytes[i] = static_cast<uint8_t>(random() % 3 * 16 + random() % 3);
  return key;
}

}  // namespace

TEST(IdMap, DoesWhatAMapDoes) {
  const uint64_t seed = test::random_seed();
  SCOPED_TRACE(test::seed_note(seed));
  std::mt19937_64 random(seed);
  Plain plain;
  Trie trie;
  std::vector<Hash32> known;
  for (int i = 0; i < 20'000; ++i) {
    if (known.size() < 500 && random() % 2 == 0) known.push_back(some_key(random));
    if (known.empty()) continue;
    const Hash32& key = known[random() % known.size()];
    const std::string value = std::to_string(i);
    switch (random() % 6) {
      case 0:
        ASSERT_EQ(trie.emplace(key, value).second, plain.emplace(key, value).second);
        break;
      case 1:
        trie[key] = plain[key] = value;
        break;
      case 2:
        ASSERT_EQ(trie.insert_or_assign(key, value).second,
                  plain.insert_or_assign(key, value).second);
        break;
      case 3:
        if (const auto it = trie.find(key); it != trie.end()) {
          trie.erase(it);
          ASSERT_EQ(plain.erase(key), 1U);
        }
        break;
      case 4:
        ASSERT_EQ(trie.erase(key), plain.erase(key));
        break;
      default:
        ASSERT_EQ(trie.contains(key), plain.contains(key));
    }
    if (i % 500 == 0) expect_same(trie, plain);
  }
  expect_same(trie, plain);
  for (const Hash32& key : known) {
    ASSERT_EQ(trie.erase(key), plain.erase(key));
    if (plain.size() % 50 == 0) expect_same(trie, plain);
  }
  EXPECT_TRUE(trie.empty());
  EXPECT_EQ(trie.begin(), trie.end());
}

TEST(IdMap, KeepsValuesWhereTheyAre) {
  IdMap<Hash32, int> map;
  std::vector<int*> places;
  Hash32 key;
  for (int i = 0; i < 1000; ++i) {
    key.bytes[31] = static_cast<uint8_t>(i);
    key.bytes[30] = static_cast<uint8_t>(i >> 8);
    places.push_back(&map.emplace(key, i).first->second);
  }
  for (int i = 0; i < 1000; ++i) {
    key.bytes[31] = static_cast<uint8_t>(i);
    key.bytes[30] = static_cast<uint8_t>(i >> 8);
    if (i % 2 == 0) {
      map.erase(key);
    } else {
      ASSERT_EQ(&map.find(key)->second, places[static_cast<size_t>(i)]);
    }
  }
  EXPECT_EQ(map.size(), 500U);
}

TEST(IdMap, IsCopiedMovedAndCompared) {
  IdMap<Address, std::string> one;
  for (uint8_t i = 0; i < 100; ++i) {
    Address key;
    key.bytes[i % 20] = i;
    one.emplace(key, std::to_string(i));
  }
  IdMap<Address, std::string> two = one;
  EXPECT_EQ(one, two);
  two.begin()->second = "other";
  EXPECT_FALSE(one == two);
  two = one;
  EXPECT_EQ(one, two);
  const IdMap<Address, std::string> three = std::move(two);
  EXPECT_EQ(one, three);
  EXPECT_TRUE(two.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(two.find(Address{}), two.end());
}

}  // namespace mizan

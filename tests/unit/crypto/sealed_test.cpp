#include "crypto/sealed.hpp"

#include "support/seed.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace mizan {
namespace {

constexpr size_t kPrelude = 8 + 80 + 24;
constexpr size_t kSealedChunk = 65'536 + 17;

ByteSink into(Bytes& out) {
  return [&out](ByteView bytes) -> Result<void> {
    append(out, bytes);
    return {};
  };
}

Bytes seal(const BoxPublicKey& recipient, ByteView plain, size_t step) {
  Bytes out;
  auto sealer = Sealer::begin(recipient, into(out));
  EXPECT_TRUE(sealer);
  for (size_t at = 0; at < plain.size(); at += step)
    EXPECT_TRUE(sealer->write(plain.subspan(at, std::min(step, plain.size() - at))));
  EXPECT_TRUE(sealer->finish());
  return out;
}

Result<Bytes> open(const BoxKey& key, ByteView sealed, size_t step) {
  Bytes out;
  Opener opener(key, into(out));
  for (size_t at = 0; at < sealed.size(); at += step)
    MIZAN_CHECK(opener.write(sealed.subspan(at, std::min(step, sealed.size() - at))));
  MIZAN_CHECK(opener.finish());
  return out;
}

Bytes sample(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

}  // namespace

TEST(Sealed, ComesBackAtEverySizeAndStep) {
  const BoxKey key = BoxKey::generate();
  for (const size_t size : {0u, 1u, 17u, 65'535u, 65'536u, 65'537u, 131'072u, 200'000u}) {
    const Bytes plain = sample(size, size);
    for (const size_t step : {1'000u, 65'536u, 1'000'000u}) {
      const Bytes sealed = seal(key.public_key(), plain, step);
      const size_t chunks = size == 0 ? 1 : (size + 65'535) / 65'536;
      EXPECT_EQ(sealed.size(), kPrelude + size + chunks * 17);
      const auto back = open(key, sealed, step);
      ASSERT_TRUE(back) << back.error().message;
      EXPECT_EQ(*back, plain);
    }
  }
}

TEST(Sealed, OnlyTheRecipientOpens) {
  const BoxKey key = BoxKey::generate();
  const Bytes sealed = seal(key.public_key(), as_bytes("secret"), 10);
  EXPECT_EQ(open(BoxKey::generate(), sealed, 50).error().code, ErrorCode::forbidden);
  const auto same = BoxKey::from_bytes(key.reveal());
  ASSERT_TRUE(same);
  EXPECT_EQ(same->public_key(), key.public_key());
  EXPECT_EQ(as_text(*open(*same, sealed, 1)), "secret");
  EXPECT_FALSE(BoxKey::from_bytes(Bytes(31)));
}

TEST(Sealed, TruncationAnywhereIsFound) {
  const BoxKey key = BoxKey::generate();
  const Bytes plain = sample(140'000, 1);
  const Bytes sealed = seal(key.public_key(), plain, 70'000);
  std::vector<size_t> sizes;
  for (size_t size = 0; size < 200; ++size) sizes.push_back(size);
  for (size_t chunk = 1; chunk <= 2; ++chunk)
    for (size_t around = 0; around < 40; ++around)
      sizes.push_back(kPrelude + chunk * kSealedChunk - 20 + around);
  for (size_t back = 1; back < 40; ++back) sizes.push_back(sealed.size() - back);
  for (const size_t size : sizes)
    EXPECT_FALSE(open(key, ByteView(sealed).first(size), 50'000)) << size;
}

TEST(Sealed, AnyChangedByteIsFound) {
  const uint64_t seed = test::random_seed();
  SCOPED_TRACE(test::seed_note(seed));
  const BoxKey key = BoxKey::generate();
  const Bytes sealed = seal(key.public_key(), sample(70'000, 2), 70'000);
  std::mt19937_64 random(seed);
  for (size_t i = 0; i < 300; ++i) {
    Bytes changed = sealed;
    const size_t at = i < kPrelude ? i : random() % changed.size();
    changed[at] ^= static_cast<uint8_t>(1u << (random() % 8));
    EXPECT_FALSE(open(key, changed, 100'000)) << at;
  }
}

TEST(Sealed, ChunksMovedDroppedOrAddedAreFound) {
  const BoxKey key = BoxKey::generate();
  const Bytes sealed = seal(key.public_key(), sample(200'000, 3), 70'000);
  const auto chunk = [&](size_t i) {
    return ByteView(sealed).subspan(
        kPrelude + i * kSealedChunk,
        std::min(kSealedChunk, sealed.size() - kPrelude - i * kSealedChunk));
  };
  const auto built = [&](std::vector<size_t> order) {
    Bytes bytes(sealed.begin(), sealed.begin() + kPrelude);
    for (const size_t i : order) append(bytes, chunk(i));
    return bytes;
  };
  EXPECT_TRUE(open(key, built({0, 1, 2, 3}), 100'000));
  EXPECT_FALSE(open(key, built({1, 0, 2, 3}), 100'000));
  EXPECT_FALSE(open(key, built({0, 2, 3}), 100'000));
  EXPECT_FALSE(open(key, built({0, 1, 2}), 100'000));
  EXPECT_FALSE(open(key, built({0, 1, 2, 3, 3}), 100'000));
  EXPECT_FALSE(open(key, built({}), 100'000));
  Bytes longer = sealed;
  longer.push_back(0);
  EXPECT_FALSE(open(key, longer, 100'000));
  EXPECT_FALSE(open(key, longer, 1));
}

TEST(Sealed, AFullLastChunkMayNotBeFollowed) {
  const BoxKey key = BoxKey::generate();
  Bytes sealed = seal(key.public_key(), sample(65'536, 4), 70'000);
  EXPECT_TRUE(open(key, sealed, sealed.size()));
  sealed.push_back(0);
  EXPECT_FALSE(open(key, sealed, sealed.size()));
  EXPECT_FALSE(open(key, sealed, sealed.size() - 1));
}

TEST(Sealed, ASinksErrorStopsTheStream) {
  const BoxKey key = BoxKey::generate();
  const ByteSink full = [](ByteView) -> Result<void> {
    return fail(ErrorCode::io_error, "the disk is full");
  };
  EXPECT_EQ(Sealer::begin(key.public_key(), full).error().code, ErrorCode::io_error);
  const Bytes sealed = seal(key.public_key(), sample(70'000, 5), 70'000);
  Opener opener(key, full);
  EXPECT_EQ(opener.write(sealed).error().code, ErrorCode::io_error);
  EXPECT_FALSE(opener.write(sealed));
  EXPECT_FALSE(opener.finish());
}

TEST(Sealed, RefusesAPublicKeyOfLowOrder) {
  Bytes out;
  EXPECT_EQ(Sealer::begin(BoxPublicKey{}, into(out)).error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(out.empty());
}

}  // namespace mizan

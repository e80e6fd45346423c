// What a key leaves in the memory of its process when it goes: nothing.
#include "crypto/hash.hpp"
#include "crypto/key.hpp"
#include "crypto/keystore.hpp"
#include "crypto/random.hpp"
#include "crypto/sealed.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace mizan {
namespace {

constexpr uint8_t kMask = 0xa5;

// A sanitizer maps terabytes, and keeps what was freed on purpose.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||
                            __has_feature(memory_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

/// A secret whose own bytes stand nowhere: each is kept with its bits changed.
struct Masked {
  explicit Masked(ByteView secret) : bytes(secret.begin(), secret.end()) {
    for (uint8_t& byte : bytes) byte ^= kMask;
  }
  bool is_at(const uint8_t* place, bool backwards) const {
    for (size_t i = 0; i < bytes.size(); ++i)
      if ((place[backwards ? bytes.size() - 1 - i : i] ^ kMask) != bytes[i]) return false;
    return true;
  }
  Bytes bytes;
};

/// How often the secret stands in what this process can write to, also as curve arithmetic keeps
/// numbers: the other way round. Read through the system, so that no gap in a mapping matters.
int count(const Masked& secret) {
  static std::vector<uint8_t> window(size_t{1} << 20);
  const size_t size = secret.bytes.size();
  std::ifstream maps("/proc/self/maps");
  const int memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  EXPECT_GE(memory, 0);
  int found = 0;
  for (std::string line; std::getline(maps, line);) {
    uint64_t begin = 0, end = 0;
    char mode[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, mode) != 3 || mode[1] != 'w')
      continue;
    const auto own = reinterpret_cast<uint64_t>(window.data());
    if (own >= begin && own < end) end = own;  // it is a mapping's last, by its size
    for (uint64_t at = begin; at + size <= end;) {
      const size_t want = std::min<uint64_t>(window.size(), end - at);
      const ssize_t got = ::pread(memory, window.data(), want, static_cast<off_t>(at));
      if (got < static_cast<ssize_t>(size)) break;
      for (size_t i = 0; i + size <= static_cast<size_t>(got); ++i)
        found += secret.is_at(&window[i], false) || secret.is_at(&window[i], true) ? 1 : 0;
      at += static_cast<uint64_t>(got) - size + 1;
    }
  }
  ::close(memory);
  wipe(window);
  return found;
}

/// Does it so far down the stack that `count` does not write over what it leaves there.
template <class Action>
[[gnu::noinline]] void far_below(const Action& action) {
  std::array<uint8_t, size_t{256} << 10> room;
  wipe(room);
  action();
  wipe(room);
}

class Wipe : public testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "not under a sanitizer";
  }
};

}  // namespace

TEST_F(Wipe, AKeyIsInMemoryWhileItIsThereAndNotAfterwards) {
  std::optional<SecretKey> key;
  far_below([&] { key = SecretKey::generate(); });
  const Masked secret(key->reveal());
  EXPECT_EQ(count(secret), 1);
  std::optional<SecretKey> moved = *std::move(key);
  EXPECT_EQ(count(secret), 1);
  std::optional<SecretKey> cloned = moved->clone();
  EXPECT_EQ(count(secret), 2);
  const Hash32 digest = keccak256(as_bytes("digest"));
  far_below([&] { EXPECT_EQ(recover(digest, cloned->sign(digest)), cloned->address()); });
  EXPECT_EQ(count(secret), 2);
  cloned.reset();
  moved.reset();
  EXPECT_EQ(count(secret), 0);
}

TEST_F(Wipe, AKeystoreLeavesNeitherKeyNorPassphrase) {
  std::string passphrase = hex(random_bytes(24));
  const Masked word(as_bytes(passphrase));
  const std::string path =
      std::filesystem::temp_directory_path() / ("mizan-wipe-" + passphrase.substr(0, 8));
  std::optional<SecretKey> key = SecretKey::generate();
  const Masked secret(key->reveal());
  EXPECT_EQ(count(word), 1);
  far_below([&] {
    EXPECT_TRUE(keystore_save(path, *key, passphrase, ScryptCost{.n = 2, .r = 1, .p = 1}));
  });
  key.reset();
  EXPECT_EQ(count(secret), 0);
  Result<SecretKey> opened = fail(ErrorCode::not_found, "");
  far_below([&] { opened = keystore_load(path, passphrase); });
  std::filesystem::remove(path);
  ASSERT_TRUE(opened);
  EXPECT_EQ(count(secret), 1);
  opened = fail(ErrorCode::not_found, "");
  wipe(passphrase);
  EXPECT_EQ(count(secret), 0);
  EXPECT_EQ(count(word), 0);
}

TEST_F(Wipe, AKeyOfSealedStreamsGoes) {
  std::optional<BoxKey> key = BoxKey::generate();
  const Masked secret(key->reveal());
  EXPECT_EQ(count(secret), 1);
  Bytes sealed, plain;
  auto sealer = Sealer::begin(key->public_key(), [&](ByteView bytes) -> Result<void> {
    sealed.insert(sealed.end(), bytes.begin(), bytes.end());
    return {};
  });
  ASSERT_TRUE(sealer && sealer->write(as_bytes("plain")) && sealer->finish());
  {
    Opener opener(*key, [&](ByteView bytes) -> Result<void> {
      plain.insert(plain.end(), bytes.begin(), bytes.end());
      return {};
    });
    ASSERT_TRUE(opener.write(sealed) && opener.finish());
  }
  EXPECT_EQ(as_text(plain), "plain");
  key.reset();
  EXPECT_EQ(count(secret), 0);
}

}  // namespace mizan

#include "crypto/keystore.hpp"

#include "crypto/private_file.hpp"
#include "crypto/random.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace mizan {
namespace {

constexpr ScryptCost kQuick{2, 8, 1};

// The scrypt vector of the Web3 Secret Storage definition.
constexpr std::string_view kVector = R"({"crypto": {"cipher": "aes-128-ctr",
  "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
  "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
  "kdf": "scrypt", "kdfparams": {"dklen": 32, "n": 262144, "p": 8, "r": 1,
    "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},
  "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"},
  "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6", "version": 3})";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("mizan-" + hex(random_bytes(8)))) {
    std::filesystem::create_directory(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const std::string& name) const { return path_ / name; }
  size_t count() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::filesystem::path path_;
};

mode_t mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

}  // namespace

TEST(Keystore, OpensTheStandardsVector) {
  const auto key = keystore_decrypt(kVector, "testpassword");
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(hex(key->reveal()), "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d");
  EXPECT_EQ(keystore_address(kVector).error().code, ErrorCode::not_found);
}

TEST(Keystore, ComesBackWithItsPassphraseAlone) {
  const SecretKey key = SecretKey::generate();
  const auto text = keystore_encrypt(key, "correct horse", kQuick);
  ASSERT_TRUE(text);
  EXPECT_EQ(text->find(hex(key.reveal())), std::string::npos);
  EXPECT_EQ(keystore_address(*text), Result<Address>(key.address()));
  const auto back = keystore_decrypt(*text, "correct horse");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->address(), key.address());
  const auto wrong = keystore_decrypt(*text, "correct house");
  EXPECT_EQ(wrong.error().code, ErrorCode::unauthenticated);
  EXPECT_EQ(wrong.error().message, "the passphrase is wrong, or the keystore file is damaged");
}

TEST(Keystore, RefusesDamageAndExcess) {
  const SecretKey key = SecretKey::generate();
  const std::string text = *keystore_encrypt(key, "p", kQuick);
  const auto refused = [](const std::string& changed) {
    const auto result = keystore_decrypt(changed, "p");
    return result ? std::string() : result.error().message;
  };
  EXPECT_NE(refused(replaced(text, "\"version\":3", "\"version\":4")), "");
  EXPECT_NE(refused(replaced(text, "aes-128-ctr", "aes-256-ctr")), "");
  EXPECT_NE(refused(replaced(text, "\"scrypt\"", "\"pbkdf2\"")), "");
  EXPECT_NE(refused(replaced(text, "\"n\":2,", "\"n\":3,")), "");
  EXPECT_NE(refused(replaced(text, "\"n\":2,", "\"n\":0,")), "");
  EXPECT_NE(refused(replaced(text, "\"n\":2,", "\"n\":-2,")), "");
  EXPECT_NE(refused(replaced(text, "\"n\":2,", "")), "");
  EXPECT_NE(refused(replaced(text, "\"r\":8", "\"r\":9223372036854775807")), "");
  EXPECT_NE(refused(replaced(text, "\"dklen\":32", "\"dklen\":16")), "");
  EXPECT_NE(refused(replaced(text, "\"iv\":\"", "\"iv\":\"00")), "");
  EXPECT_NE(refused(replaced(text, hex(key.address().view()), std::string(40, '1'))), "");
  EXPECT_NE(refused(text.substr(0, text.size() - 1)), "");
  EXPECT_NE(refused(""), "");
  EXPECT_NE(refused("[]"), "");
  EXPECT_NE(refused(std::string(70'000, ' ')), "");
  EXPECT_NE(refused(std::string(60'000, '[')), "");
  // Sixteen GiB of memory are not asked for.
  EXPECT_NE(refused(replaced(replaced(text, "\"n\":2,", "\"n\":4194304,"), "\"r\":8", "\"r\":32"))
                .find("more work"),
            std::string::npos);
  EXPECT_FALSE(keystore_encrypt(key, "p", {3, 8, 1}));
}

TEST(Keystore, FileIsPrivateAndReplacedWhole) {
  const Folder folder;
  const std::string path = folder.file("key.json");
  const SecretKey first = SecretKey::generate();
  const SecretKey second = SecretKey::generate();
  ASSERT_TRUE(keystore_save(path, first, "p", kQuick));
  ASSERT_TRUE(keystore_save(path, second, "p", kQuick));
  EXPECT_EQ(mode_of(path), 0600u);
  EXPECT_EQ(folder.count(), 1u);
  EXPECT_EQ(keystore_load(path, "p")->address(), second.address());
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  EXPECT_EQ(keystore_load(path, "p").error().code, ErrorCode::forbidden);
  EXPECT_EQ(keystore_load(folder.file("absent"), "p").error().code, ErrorCode::not_found);
}

TEST(PrivateFile, RefusesWhatIsNoPrivateFile) {
  const Folder folder;
  EXPECT_FALSE(write_private_file(folder.file("no/such/folder"), as_bytes("x")));
  EXPECT_EQ(folder.count(), 0u);
  const std::string path = folder.file("secret");
  ASSERT_TRUE(write_private_file(path, as_bytes("12345")));
  EXPECT_EQ(read_private_file(path), Result<std::string>("12345"));
  EXPECT_EQ(read_private_file(path, 4).error().code, ErrorCode::too_large);
  EXPECT_FALSE(read_private_file(folder.file("")));
  const std::string pipe = folder.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_FALSE(read_private_file(pipe));
}

}  // namespace mizan

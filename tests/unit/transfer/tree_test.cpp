#include "transfer/tree.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace mizan::transfer {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "mizan-transfer-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}
std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A ustar header by hand: what no honest tool would write.
struct Header {
  std::string name;
  char type = '0';
  std::string content{};
  std::string link{};
  unsigned mode = 0644;
  uint64_t claimed = UINT64_MAX;  ///< another size than the content's
};

std::string octal(uint64_t value, size_t width) {
  std::string text(width, '0');
  for (size_t i = width; i-- > 0; value >>= 3) text[i] = static_cast<char>('0' + (value & 7));
  return text;
}

std::string tar_entry(const Header& header) {
  std::string block(512, '\0');
  const auto put = [&](size_t at, const std::string& text) {
    block.replace(at, text.size(), text);
  };
  put(0, header.name.substr(0, 100));
  put(100, octal(header.mode, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(header.claimed == UINT64_MAX ? header.content.size() : header.claimed, 11));
  put(136, octal(0, 11));
  put(148, std::string(8, ' '));
  block[156] = header.type;
  put(157, header.link.substr(0, 100));
  put(257, std::string("ustar\0"
                       "00",
                       8));
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(148, octal(sum, 6) + std::string("\0 ", 2));
  block += header.content;
  block.append((512 - header.content.size() % 512) % 512, '\0');
  return block;
}

std::string tar(const std::vector<Header>& headers) {
  std::string all;
  for (const Header& header : headers) all += tar_entry(header);
  return all + std::string(1024, '\0');
}

/// Gives the text in pieces of a few bytes: a stream may break anywhere.
ByteSource source_of(std::string text) {
  return [text = std::move(text), at = size_t{0}]() mutable -> Result<ByteView> {
    const size_t n = std::min<size_t>(777, text.size() - at);
    at += n;
    return as_bytes(text).subspan(at - n, n);
  };
}

std::string pack(const fs::path& folder, const ArchiveLimits& limits = {}) {
  std::string bytes;
  const auto result = pack_tree(
      folder,
      [&](ByteView piece) -> Result<void> {
        bytes += as_text(piece);
        return {};
      },
      limits);
  EXPECT_TRUE(result) << result.error().message;
  return bytes;
}

TEST(Tree, ComesBackAsItWas) {
  const Folder a;
  const Folder b;
  write(a / "train.py", "print(1)\n");
  write(a / "empty", "");
  write(a / "deep/er/data.bin", std::string(700'000, 'x'));
  write(a / ("long/" + std::string(200, 'n') + "/" + std::string(180, 'm')), "long");
  write(a / "Üml\xC3\xA4ut", "name");
  fs::create_directories(a / "hollow");
  fs::permissions(a / "train.py", fs::perms::owner_all);
  fs::create_symlink("../train.py", a / "deep/link");
  const auto summary = unpack_tree(source_of(pack(a.path())), b.path());
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary->bytes, 9U + 700'000U + 4U + 4U);
  EXPECT_EQ(read(b / "train.py"), "print(1)\n");
  EXPECT_EQ(read(b / "deep/er/data.bin"), std::string(700'000, 'x'));
  EXPECT_EQ(read(b / ("long/" + std::string(200, 'n') + "/" + std::string(180, 'm'))), "long");
  EXPECT_EQ(read(b / "Üml\xC3\xA4ut"), "name");
  EXPECT_EQ(read(b / "deep/link"), "print(1)\n");
  EXPECT_TRUE(fs::is_directory(b / "hollow"));
  EXPECT_NE(fs::status(b / "train.py").permissions() & fs::perms::owner_exec, fs::perms::none);
  EXPECT_EQ(pack(b.path()), pack(a.path()));
}

TEST(Tree, SameTreeGivesTheSameBytesWhateverItsDates) {
  const Folder a;
  const Folder b;
  for (const char* name : {"b", "a", "c/d"}) write(a / name, name);
  for (const char* name : {"c/d", "a", "b"}) write(b / name, name);
  fs::last_write_time(b / "a", fs::file_time_type::clock::now() - std::chrono::hours(99));
  EXPECT_EQ(pack(a.path()), pack(b.path()));
  write(b / "a", "other");
  EXPECT_NE(pack(a.path()), pack(b.path()));
}

TEST(Tree, ToFileNamesTheBytesByTheirHash) {
  const Folder a;
  const Folder b;
  write(a / "x", "1");
  const auto digest = pack_tree_to_file(a.path(), b / "t.tar");
  ASSERT_TRUE(digest);
  EXPECT_EQ(digest->sha256, sha256(read(b / "t.tar")));
  EXPECT_EQ(digest->bytes, fs::file_size(b / "t.tar"));
  EXPECT_EQ(digest_of_file(b / "t.tar")->sha256, digest->sha256);
  EXPECT_TRUE(unpack_tree_from_file(b / "t.tar", b / "out"));
  EXPECT_EQ(read(b / "out/x"), "1");
}

TEST(Pack, RefusesWhatCannotTravel) {
  const auto refused = [](const auto& prepare, const std::string& message) {
    const Folder a;
    const Folder out;
    prepare(a);
    const auto digest = pack_tree_to_file(a.path(), out / "t.tar");
    ASSERT_FALSE(digest);
    EXPECT_EQ(digest.error().message, message);
    EXPECT_FALSE(fs::exists(out / "t.tar"));
  };
  refused([](const Folder& f) { fs::create_symlink("/etc/passwd", f / "l"); },
          "\"l\": a link to an absolute path");
  refused([](const Folder& f) { fs::create_symlink("../x", f / "l"); },
          "\"l\": a link that leads out of the tree");
  refused([](const Folder& f) { ::mkfifo((f / "p").c_str(), 0600); },
          "\"p\" is a socket, fifo or device, which cannot be sent; remove it");
  refused(
      [](const Folder& f) {
        sockaddr_un address{AF_UNIX, {}};
        (f / "s").string().copy(address.sun_path, sizeof address.sun_path - 1);
        const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
        ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
        ::close(fd);
      },
      "\"s\" is a socket, fifo or device, which cannot be sent; remove it");
}

TEST(Pack, KeepsToItsLimits) {
  const Folder a;
  for (int i = 0; i < 5; ++i) write(a / std::to_string(i), std::string(100, 'x'));
  const auto ignore = [](ByteView) -> Result<void> { return {}; };
  EXPECT_TRUE(pack_tree(a.path(), ignore, {.bytes_max = 500, .entries_max = 5}));
  EXPECT_EQ(pack_tree(a.path(), ignore, {.bytes_max = 499}).error().code, ErrorCode::too_large);
  EXPECT_EQ(pack_tree(a.path(), ignore, {.entries_max = 4}).error().code, ErrorCode::too_large);
  write(a / "x/y/z", "");
  EXPECT_FALSE(pack_tree(a.path(), ignore, {.depth_max = 2}));
  EXPECT_TRUE(pack_tree(a.path(), ignore, {.depth_max = 3}));
  const auto full = pack_tree(
      a.path(), [](ByteView) -> Result<void> { return fail(ErrorCode::io_error, "disk full"); });
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().message, "disk full");
  EXPECT_EQ(pack_tree(a / "none", ignore).error().code, ErrorCode::not_found);
}

struct Hostile {
  const char* what;
  std::vector<Header> headers;
  const char* message;
};

TEST(Unpack, RefusesHostileArchives) {
  const std::vector<Hostile> table = {
      {"climbs",
       {{"../evil"}},
       "the archive is refused: \"../evil\": a name that climbs out with \"..\""},
      {"climbs later",
       {{"a/../../evil"}},
       "the archive is refused: \"a/../../evil\": a name that climbs out with \"..\""},
      {"climbs as a folder",
       {{"../", '5'}},
       "the archive is refused: \"..\": a name that climbs out with \"..\""},
      {"absolute",
       {{"/tmp/evil"}},
       "the archive is refused: \"/tmp/evil\": an absolute name; archives hold relative ones"},
      {"empty part",
       {{"a//b"}},
       "the archive is refused: \"a//b\": a name with an empty or \".\" part"},
      {"control character",
       {{"a\033[2J"}},
       "the archive is refused: \"\": a name with a control character"},
      {"absolute link",
       {{"l", '2', "", "/etc/shadow"}},
       "the archive is refused: \"l\" is a link that leads out of the tree"},
      {"climbing link",
       {{"d/l", '2', "", "../../x"}},
       "the archive is refused: \"d/l\" is a link that leads out of the tree"},
      {"link that climbs behind a link",
       {{"a", '2', "", "."}, {"b", '2', "", "a/.."}},
       "the archive is refused: \"b\" is a link that leads out of the tree"},
      {"file through a link",
       {{"d", '2', "", "e"}, {"e", '5'}, {"d/f"}},
       "the archive is refused: \"d\" lies beneath something that is no folder"},
      {"file beneath a file",
       {{"d"}, {"d/f"}},
       "the archive is refused: \"d\" lies beneath something that is no folder"},
      {"file over a link",
       {{"d", '2', "", "e"}, {"d"}},
       "the archive is refused: \"d\" stands there twice"},
      {"twice", {{"a"}, {"a"}}, "the archive is refused: \"a\" stands there twice"},
      {"hard link", {{"a"}, {"b", '1', "", "a"}}, "the archive is refused: \"b\" is a hard link"},
      {"hard link out",
       {{"b", '1', "", "/etc/shadow"}},
       "the archive is refused: \"b\" is a hard link"},
      {"character device",
       {{"dev", '3'}},
       "the archive is refused: \"dev\" is a device, fifo or socket"},
      {"block device",
       {{"dev", '4'}},
       "the archive is refused: \"dev\" is a device, fifo or socket"},
      {"fifo", {{"p", '6'}}, "the archive is refused: \"p\" is a device, fifo or socket"},
      {"set-uid",
       {{"s", '0', "x", "", 04755}},
       "the archive is refused: \"s\" has a set-user, set-group or sticky bit"},
      {"set-gid folder",
       {{"s", '5', "", "", 02755}},
       "the archive is refused: \"s\" has a set-user, set-group or sticky bit"},
  };
  for (const Hostile& row : table) {
    const Folder outer;
    const auto result = unpack_tree(source_of(tar(row.headers)), outer / "in");
    ASSERT_FALSE(result) << row.what;
    EXPECT_EQ(result.error().message, row.message) << row.what;
    EXPECT_FALSE(fs::exists(outer / "evil")) << row.what;
  }
}

TEST(Unpack, RefusesDamage) {
  const Folder out;
  const std::string good = tar({{"a", '0', std::string(5000, 'x')}, {"b", '0', "y"}});
  ASSERT_TRUE(unpack_tree(source_of(good), out / "good"));
  EXPECT_FALSE(unpack_tree(source_of(good.substr(0, 3000)), out / "cut"));
  EXPECT_FALSE(unpack_tree(source_of(std::string(2000, 'z')), out / "noise"));
  EXPECT_FALSE(unpack_tree(source_of("\x1f\x8b\x08 gzip"), out / "gzip"));
  std::string flipped = good;
  flipped[10] ^= 1;  // the header's sum no longer fits
  EXPECT_FALSE(unpack_tree(source_of(flipped), out / "flipped"));
  const auto broken = unpack_tree(
      []() -> Result<ByteView> { return fail(ErrorCode::corrupted, "chunk 3 is forged"); },
      out / "broken");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().message, "chunk 3 is forged");
}

TEST(Unpack, KeepsToItsLimits) {
  const Folder out;
  const std::string archive = tar({{"a", '0', std::string(300, 'x')}, {"b", '0', "y"}});
  EXPECT_TRUE(unpack_tree(source_of(archive), out / "1", {.bytes_max = 301, .entries_max = 2}));
  EXPECT_EQ(unpack_tree(source_of(archive), out / "2", {.bytes_max = 300}).error().code,
            ErrorCode::too_large);
  EXPECT_EQ(unpack_tree(source_of(archive), out / "3", {.entries_max = 1}).error().code,
            ErrorCode::too_large);
  // A claim alone is refused before a byte of it is written.
  const auto claim = unpack_tree(source_of(tar({{"big", '0', "", "", 0644, uint64_t{4} << 30}})),
                                 out / "4", {.bytes_max = 1000});
  ASSERT_FALSE(claim);
  EXPECT_EQ(claim.error().code, ErrorCode::too_large);
  // One name of a file makes many folders: they count too.
  EXPECT_EQ(
      unpack_tree(source_of(tar({{"a/b/c/d/e/f"}})), out / "5", {.entries_max = 4}).error().code,
      ErrorCode::too_large);
  EXPECT_FALSE(unpack_tree(source_of(tar({{"a/b/c/d"}})), out / "6", {.depth_max = 3}));
}

TEST(Names, AreCheckedByThemselves) {
  for (const std::string& good :
       {std::string("a"), std::string("a/b.c/d e"), std::string("..a/b..")})
    EXPECT_TRUE(check_entry_name(good)) << good;
  for (const std::string& bad :
       {std::string(), std::string("a/"), std::string("./a"), std::string(1001, 'a'),
        std::string(256, 'a'), std::string("a\n"), std::string("..")})
    EXPECT_FALSE(check_entry_name(bad)) << bad;
  EXPECT_TRUE(check_link("a/b", "../c"));
  EXPECT_TRUE(check_link("a/b", "c/./d"));
  EXPECT_FALSE(check_link("b", "../c"));
  EXPECT_FALSE(check_link("a/b", "c/../d"));
  EXPECT_FALSE(check_link("b", ""));
}

}  // namespace
}  // namespace mizan::transfer

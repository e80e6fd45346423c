// Jobs from OCI layout folders: what runs, and what a hostile layer tries.
// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"
#include "sandbox/sha256.hpp"
#include "sandbox/sys.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>

#include <fstream>
#include <optional>
#include <sys/stat.h>

namespace mizan::sandbox::testing {

namespace {

struct TarEntry {
  std::string path;
  char type = 'f';     ///< f file, d folder, l link, h hard link, c device, p fifo
  std::string text{};  ///< contents, or a link's target
  mode_t mode = 0644;
  int uid = 0;
};

std::string make_tar(const std::vector<TarEntry>& entries, bool gzip) {
  std::string out(64 << 20, '\0');
  size_t used = 0;
  archive* tar = archive_write_new();
  archive_write_set_format_pax_restricted(tar);
  if (gzip) archive_write_add_filter_gzip(tar);
  archive_write_open_memory(tar, out.data(), out.size(), &used);
  for (const auto& item : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, item.path.c_str());
    archive_entry_set_perm(entry, item.mode);
    archive_entry_set_uid(entry, item.uid);
    archive_entry_set_gid(entry, item.uid);
    switch (item.type) {
      case 'd':
        archive_entry_set_filetype(entry, AE_IFDIR);
        break;
      case 'c':
        archive_entry_set_filetype(entry, AE_IFCHR);
        archive_entry_set_rdev(entry, 0x103);
        break;
      case 'p':
        archive_entry_set_filetype(entry, AE_IFIFO);
        break;
      case 'l':
        archive_entry_set_filetype(entry, AE_IFLNK);
        archive_entry_set_symlink(entry, item.text.c_str());
        break;
      case 'h':
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_hardlink(entry, item.text.c_str());
        break;
      default:
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_size(entry, static_cast<la_int64_t>(item.text.size()));
    }
    archive_write_header(tar, entry);
    if (item.type == 'f') archive_write_data(tar, item.text.data(), item.text.size());
    archive_entry_free(entry);
  }
  archive_write_close(tar);
  archive_write_free(tar);
  out.resize(used);
  return out;
}

std::string digest_of(const std::string& text) {
  Sha256 hash;
  hash.add(text.data(), text.size());
  return hash.finish();
}

/// Writes an OCI layout with one image of these layers.
class Layout {
 public:
  explicit Layout(std::filesystem::path folder) : path(std::move(folder)) {
    write_whole(path / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  }
  std::string blob(const std::string& text) {
    auto digest = digest_of(text);
    write_whole(path / "blobs/sha256" / digest, text);
    return digest;
  }
  void layer(const std::vector<TarEntry>& entries, bool gzip = true) {
    tars_ +=
        (tars_.empty() ? "" : ",") + ("\"sha256:" + digest_of(make_tar(entries, false)) + "\"");
    auto text = make_tar(entries, gzip);
    last_blob = blob(text);
    layers_ += (layers_.empty() ? "" : ",") +
               (R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:)" +
                last_blob + "\",\"size\":" + std::to_string(text.size()) + "}");
  }
  void finish(const std::string& settings = "{}") {
    auto config = blob(R"({"architecture":"amd64","os":"linux","config":)" + settings +
                       R"(,"rootfs":{"type":"layers","diff_ids":[)" + tars_ + "]}}");
    auto manifest = blob(R"({"schemaVersion":2,"config":{"digest":"sha256:)" + config +
                         R"("},"layers":[)" + layers_ + "]}");
    write_whole(
        path / "index.json",
        R"({"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:)" +
            manifest + R"(","annotations":{"org.opencontainers.image.ref.name":"latest"}}]})");
  }
  const std::filesystem::path path;
  std::string last_blob;

 private:
  std::string layers_, tars_;
};

}  // namespace

class ImageTest : public SandboxTest {
 protected:
  /// A root with one static shell, as entries.
  static std::vector<TarEntry> base() {
    std::string busybox = read_whole("/usr/bin/busybox");
    return {{"bin", 'd', "", 0755},
            {"bin/busybox", 'f', busybox, 0755},
            {"bin/sh", 'l', "busybox"},
            {"etc", 'd', "", 0755},
            {"etc/passwd", 'f', "root:x:0:0::/root:/bin/sh\napp:x:1234:1234::/home/app:/bin/sh\n"},
            {"home", 'd', "", 0755},
            {"home/app", 'd', "", 0700, 1234},
            {"home/app/own", 'f', "of app\n", 0600, 1234},
            {"tmp", 'd', "", 01777}};
  }
  void SetUp() override {
    SandboxTest::SetUp();
    if (!IsSkipped() && !std::filesystem::exists("/usr/bin/busybox"))
      GTEST_SKIP() << "needs busybox-static";
  }
  Spec in(const Layout& layout, const std::string& script) {
    auto job = spec({"/bin/sh", "-c", script});
    job.image = layout.path.string() + ":latest";
    return job;
  }
  std::optional<Error> refusal(const Layout& layout) {
    auto job = in(layout, "true");
    auto prepared = box().prepare(job);
    for (const auto& name : names_in(options().state_folder / "images"))
      EXPECT_FALSE(name.starts_with(".")) << name;
    if (prepared) {
      EXPECT_TRUE(box().destroy(job.id));
      return std::nullopt;
    }
    EXPECT_TRUE(names_in(options().state_folder / "jobs").empty());
    return prepared.error();
  }
};

TEST_F(ImageTest, RunsAsTheImageSays) {
  Layout layout(folder_->path / "image");
  layout.layer(base());
  layout.layer({{"home/app/.wh.own", 'f'}, {"home/app/new", 'f', "second layer\n", 0644, 1234}});
  layout.finish(R"({"User":"app","Env":["GREETING=hello","PATH=/bin"]})");
  auto job =
      in(layout,
         "busybox id; echo $GREETING $HOME; busybox ls -n /home/app; busybox cat /home/app/new;"
         "busybox touch /home/app/mine && echo mine=ok; busybox touch /bin/x || echo bin=no;"
         "busybox ls /usr /sys; busybox cat /etc/hosts");
  auto outcome = run(job);
  EXPECT_NE(outcome.out.find("uid=1234(app) gid=1234"), std::string::npos)
      << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find("hello /home/app"), std::string::npos);
  EXPECT_NE(outcome.out.find("second layer"), std::string::npos);
  EXPECT_EQ(outcome.out.find(" own"), std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.value("mine"), "ok");
  EXPECT_EQ(outcome.value("bin"), "no");
  EXPECT_NE(outcome.out.find("127.0.0.1 localhost job"), std::string::npos);
  // The same image again, and what the first job wrote is not there.
  ASSERT_TRUE(box().destroy(job.id));
  EXPECT_EQ(run(in(layout, "busybox ls /home/app")).out, "new\n");
}

TEST_F(ImageTest, RootOfTheImageIsNobodyOutside) {
  Layout layout(folder_->path / "image");
  auto entries = base();
  entries.push_back({"bin/setuid", 'f', "x", 06755});
  layout.layer(entries, false);
  layout.finish();
  auto outcome = run(
      in(layout,
         "busybox id -u; busybox grep Cap /proc/self/status; busybox touch /bin/new && echo new=ok;"
         "busybox chown 5 /bin/new || echo chown=no; busybox mknod /tmp/n c 1 3 || echo mknod=no;"
         "busybox mount -t tmpfs x /tmp || echo mount=no; busybox ls -l /bin/setuid"));
  EXPECT_TRUE(outcome.out.starts_with("0\n")) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.out.find("0000003"), std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.value("new"), "ok");
  EXPECT_EQ(outcome.value("chown"), "no");
  EXPECT_EQ(outcome.value("mknod"), "no");
  EXPECT_EQ(outcome.value("mount"), "no");
  EXPECT_NE(outcome.out.find("-rwxr-xr-x"), std::string::npos) << outcome.out;
}

TEST_F(ImageTest, HostileLayersStayInside) {
  auto canary = folder_->path / "canary";
  write_whole(canary, "untouched");
  Layout layout(folder_->path / "image");
  auto up = canary.string();
  layout.layer(base());
  layout.layer({{folder_->path.string() + "/inside", 'f', "the image has this folder, too"},
                {"abs", 'l', folder_->path.string()},
                {"abs/canary", 'f', "through an absolute link"},
                {"rel", 'l', "../../../../../../../../" + folder_->path.string()},
                {"rel/planted", 'f', "through a relative link"},
                {"dev", 'd', "", 0755},
                {"dev/mem", 'c'},
                {"pipe", 'p'},
                {"/rooted", 'f', "x"},
                {"hard", 'h', "etc/passwd"},
                {"target", 'l', canary.string()},
                {"target", 'f', "replaces the link"}});
  layout.finish();
  auto outcome = run(in(layout, "busybox ls /; busybox cat /target /rooted; busybox ls /dev"));
  EXPECT_EQ(outcome.state.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out.find("pipe"), std::string::npos);
  EXPECT_EQ(outcome.out.find("mem"), std::string::npos);
  EXPECT_NE(outcome.out.find("replaces the link"), std::string::npos);
  EXPECT_EQ(read_whole(canary), "untouched");
  EXPECT_FALSE(std::filesystem::exists(folder_->path / "planted"));
}

TEST_F(ImageTest, WhatClimbsOutIsRefused) {
  int number = 0;
  for (const auto& bad :
       std::vector<std::vector<TarEntry>>{{{"../planted", 'f', "x"}},
                                          {{"a/../../planted", 'f', "x"}},
                                          {{"hard", 'h', "../../../etc/passwd"}},
                                          {{"hard", 'h', "not/there"}},
                                          {{"folder", 'd', "", 0755}, {"hard", 'h', "folder"}},
                                          {{"lost", 'l', "/not/there"}, {"lost/file", 'f', "x"}},
                                          {{"a/.wh.", 'f'}},
                                          {{"a/.wh...", 'f'}}}) {
    Layout layout(folder_->path / ("image" + std::to_string(number++)));
    layout.layer(bad);
    layout.finish();
    auto error = refusal(layout);
    ASSERT_TRUE(error) << number;
    EXPECT_EQ(error->code, ErrorCode::corrupted) << error->message;
  }
}

TEST_F(ImageTest, TamperedBlobsAreRefused) {
  Layout layout(folder_->path / "image");
  layout.layer({{"a", 'f', "contents"}});
  layout.finish();
  auto blob = layout.path / "blobs/sha256" / layout.last_blob;
  auto good = read_whole(blob);
  write_whole(blob, make_tar({{"a", 'f', "other"}}, true));
  auto error = refusal(layout);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::corrupted) << error->message;
  write_whole(blob, good + "trailing");
  EXPECT_TRUE(refusal(layout));
  write_whole(blob, good.substr(0, good.size() / 2));
  EXPECT_TRUE(refusal(layout));
  std::filesystem::remove(blob);
  EXPECT_TRUE(refusal(layout));
  write_whole(blob, good);
  EXPECT_FALSE(refusal(layout));
}

TEST_F(ImageTest, ABombIsTooLarge) {
  Layout layout(folder_->path / "image");
  layout.layer({{"zeros", 'f', std::string(32 << 20, '\0')}});
  layout.finish();
  box_.reset();
  auto settings = options();
  settings.image_bytes_max = 8 << 20;
  auto opened = Sandbox::open(settings);
  ASSERT_TRUE(opened);
  box_ = std::make_unique<Sandbox>(std::move(*opened));
  auto error = refusal(layout);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::too_large) << error->message;
}

TEST_F(ImageTest, OpaqueFoldersHideWhatWasBefore) {
  Layout layout(folder_->path / "image");
  auto entries = base();
  entries.push_back({"data/old/deep", 'f', "x"});
  entries.push_back({"data/old2", 'f', "x"});
  layout.layer(entries);
  layout.layer({{"data", 'd', "", 0755},
                {"data/new", 'f', "y"},
                {"data/old", 'd', "", 0755},
                {"data/old/kept", 'f', "y"},
                {"data/.wh..wh..opq", 'f'}});
  layout.finish();
  EXPECT_EQ(run(in(layout, "busybox find /data | busybox sort")).out,
            "/data\n/data/new\n/data/old\n/data/old/kept\n");
}

TEST_F(ImageTest, SaysWhatIsWrongWithAReference) {
  auto job = shell("true");
  job.image = "/nonexistent/layout";
  auto prepared = box().prepare(job);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().details["field"], "image");
  Layout layout(folder_->path / "image");
  layout.layer({{"a", 'f', "x"}});
  layout.finish();
  job.image = layout.path.string() + ":other";
  prepared = box().prepare(job);
  ASSERT_FALSE(prepared);
  EXPECT_THAT(prepared.error().message, ::testing::HasSubstr("\"other\""));
}

}  // namespace mizan::sandbox::testing

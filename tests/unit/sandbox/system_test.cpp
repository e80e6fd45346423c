// Programs, files and claims: the small parts.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/claims.hpp"
#include "sandbox/job_files.hpp"
#include "sandbox/process.hpp"
#include "sandbox/sys.hpp"
#include "sandbox/tree_writer.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <fstream>
#include <signal.h>
#include <sys/stat.h>

namespace mizan::sandbox {

namespace {

TEST(ProcessTest, GivesOutputAndSaysWhyItFailed) {
  auto output = run_tool({"/bin/sh", "-c", "echo one; echo two >&2"});
  ASSERT_TRUE(output);
  EXPECT_EQ(*output, "one\ntwo");
  auto failed = run_tool({"/bin/sh", "-c", "echo reason; exit 3"});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "sh failed: reason");
  EXPECT_FALSE(run_tool({"/nonexistent"}));
}

TEST(ProcessTest, IsBoundedInTimeAndOutput) {
  auto late = run_tool({"/bin/sh", "-c", "sleep 1000"}, 50);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::unavailable);
  auto flood = run_tool({"/bin/sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x"});
  ASSERT_TRUE(flood);
  EXPECT_LE(flood->size(), 16U * 1024);
}

TEST(ProcessTest, InheritsNothingButWhatItIsGiven) {
  ASSERT_EQ(::setenv("MIZAN_SECRET", "x", 1), 0);
  UniqueFd leaky(::open("/dev/null", O_RDONLY));  // without close-on-exec
  ::signal(SIGUSR1, SIG_IGN);
  auto output = run_tool({"/bin/sh", "-c",
                          "ls /proc/self/fd | wc -w; env | grep -c MIZAN; "
                          "grep -c 'SigIgn:.*0000000$' /proc/self/status; [ $(ps -o sid= -p $$) = "
                          "$$ ] && echo session"});
  ::signal(SIGUSR1, SIG_DFL);
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(*output, "4\n0\n1\nsession");  // the fourth is ls's own
}

TEST(ProcessTest, AProcessIsNotMistakenForALaterOne) {
  auto self = identify(::getpid());
  ASSERT_TRUE(self);
  EXPECT_TRUE(open_process(*self));
  auto other = *self;
  other.start_ticks += 1;
  EXPECT_FALSE(open_process(other));
  EXPECT_FALSE(open_process({}));
  EXPECT_FALSE(identify(0x3fffffff));
}

TEST(FilesTest, WritesWholeOrNotAtAll) {
  TemporaryFolder folder;
  auto path = folder.path / "file";
  ASSERT_TRUE(write_file(path, "one"));
  ASSERT_TRUE(write_file(path, "two"));
  EXPECT_EQ(*read_file(path), "two");
  EXPECT_EQ(names_in(folder.path), std::vector<std::string>{"file"});
  EXPECT_EQ(read_file(path, 2).error().code, ErrorCode::too_large);
  EXPECT_EQ(read_file(folder.path / "none").error().code, ErrorCode::not_found);
}

TEST(FilesTest, RemovesTreesWithoutFollowingLinks) {
  TemporaryFolder folder, other;
  ASSERT_TRUE(write_file(other.path / "kept", "x"));
  ASSERT_TRUE(make_folder(folder.path / "tree/a/b", 0700));
  ASSERT_TRUE(write_file(folder.path / "tree/a/file", "x"));
  ASSERT_EQ(::symlink(other.path.c_str(), (folder.path / "tree/link").c_str()), 0);
  ASSERT_TRUE(remove_tree(folder.path / "tree"));
  EXPECT_TRUE(names_in(folder.path).empty());
  EXPECT_TRUE(std::filesystem::exists(other.path / "kept"));
  EXPECT_TRUE(remove_tree(folder.path / "tree"));
  EXPECT_TRUE(remove_tree(folder.path / "not/there"));
}

TEST(FilesTest, TellHowLongAJobRan) {
  TemporaryFolder folder;
  const JobFiles files(folder.path / "kept", folder.path / "run", "job");
  ASSERT_TRUE(make_folder(files.run, 0700));
  EXPECT_EQ(files.ran_ms(true), 0U);
  ASSERT_TRUE(write_file(files.started(), "1000"));
  ASSERT_TRUE(write_file(files.ended(), "12.07 20.00\n"));
  EXPECT_EQ(files.ran_ms(true), 11'070U);
  ASSERT_TRUE(write_file(files.lost(), "4000"));
  for (const char* torn : {"12", "12.", "x.07", ""}) {
    ASSERT_TRUE(write_file(files.ended(), torn));
    EXPECT_EQ(files.ran_ms(true), 3000U) << torn;
  }
}

TEST(ClaimsTest, EachIsHeldOnceUntilItsOwnerIsGone) {
  TemporaryFolder folder;
  auto one = folder.path / "one", two = folder.path / "two";
  ASSERT_TRUE(make_folder(one, 0700));
  ASSERT_TRUE(make_folder(two, 0700));
  Claims claims(folder.path / "claims"), others(folder.path / "claims");
  EXPECT_EQ(*claims.claim_ids(one), 0U);
  EXPECT_EQ(*others.claim_ids(two), 1U);
  auto cpus = claims.claim_cpus(one, 1);
  ASSERT_TRUE(cpus);
  ASSERT_EQ(cpus->size(), 1U);
  auto rest = others.claim_cpus(two, static_cast<uint32_t>(::sysconf(_SC_NPROCESSORS_ONLN)));
  ASSERT_TRUE(rest);
  EXPECT_TRUE(rest->empty());  // not that many are left, so none is taken
  ASSERT_TRUE(claims.release(one));
  EXPECT_EQ(*others.claim_ids(two), 0U);
  ASSERT_TRUE(remove_tree(two));  // its agent died and its job was removed
  EXPECT_EQ(*claims.claim_ids(one), 0U);
  EXPECT_EQ(*claims.claim_ids(one), 1U);
}

TEST(TreeWriterTest, NeverLeavesItsRoot) {
  TemporaryFolder folder, other;
  auto writer = TreeWriter::open(folder.path);
  ASSERT_TRUE(writer);
  Owner me{::geteuid(), ::getegid()};
  ASSERT_EQ(::symlink(other.path.c_str(), (folder.path / "link").c_str()), 0);
  EXPECT_FALSE(writer->file("/link/planted", "x", me));
  EXPECT_FALSE(writer->folder("/link/planted", me));
  EXPECT_FALSE(writer->file("/link", "x", me));
  EXPECT_TRUE(names_in(other.path).empty());
  EXPECT_TRUE(writer->file("/a/b/c", "text", me, 0640));
  EXPECT_EQ(*read_file(folder.path / "a/b/c"), "text");
}

TEST(TreeWriterTest, CopiesTreesAndRefusesWhatIsNoFile) {
  TemporaryFolder from, to;
  ASSERT_TRUE(make_folder(from.path / "tree/sub", 0750));
  ASSERT_TRUE(write_file(from.path / "tree/sub/file", "text", 0600));
  ASSERT_EQ(::chmod((from.path / "tree/sub/file").c_str(), 06755), 0);
  ASSERT_EQ(::symlink("/etc/shadow", (from.path / "tree/link").c_str()), 0);
  auto writer = TreeWriter::open(to.path);
  ASSERT_TRUE(writer);
  Owner me{::geteuid(), ::getegid()};
  ASSERT_TRUE(writer->copy(from.path / "tree", "/into/here", me));
  EXPECT_EQ(*read_file(to.path / "into/here/sub/file"), "text");
  struct stat st {};
  ASSERT_EQ(::stat((to.path / "into/here/sub/file").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0755U);
  EXPECT_TRUE(std::filesystem::is_symlink(to.path / "into/here/link"));
  ASSERT_EQ(::mkfifo((from.path / "tree/fifo").c_str(), 0600), 0);
  auto refused = writer->copy(from.path / "tree", "/again", me);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_FALSE(writer->copy(from.path / "missing", "/x", me));
}

}  // namespace

}  // namespace mizan::sandbox

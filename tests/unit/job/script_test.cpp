#include "job/job_file.hpp"

#include <gtest/gtest.h>

#include <cstdio>

namespace mizan::job {
namespace {

/// What /bin/sh prints for `command`: the check that quoting holds where it is used.
std::string shell(const std::string& command) {
  std::string out;
  FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 4096> buffer;
  while (size_t n = fread(buffer.data(), 1, buffer.size(), pipe)) out.append(buffer.data(), n);
  pclose(pipe);
  return out;
}

TEST(Script, ReadsSbatchHeaders) {
  const auto file = parse_job_file(
      "#!/bin/bash\n"
      "# a comment\n"
      "#SBATCH --job-name=train --nodes 1\n"
      "#SBATCH -c 4   # cores\n"
      "#SBATCH --mem=3500\n"
      "#SBATCH -t1-02:03:04\n"
      "#SBATCH --output=\"log of %x\"\n"
      "#SBATCH --no-requeue --gres=none\n"
      "##SBATCH --partition=x\n"
      "\n"
      "echo 'it'\"'\"'s' ${BASH_VERSION:+bash}\n"
      "#SBATCH --nonsense\n",
      "t.sh");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->job.name, "train");
  EXPECT_EQ(file->job.cores, 4U);
  EXPECT_EQ(file->job.memory_gb, 4U);
  EXPECT_EQ(file->job.max_seconds, 93'784U);
  EXPECT_EQ(file->log_file, "log of %x");
  EXPECT_EQ(file->query, "chip=\"cpu\" cores>=4 memory_gb>=4");
  EXPECT_EQ(shell(file->job.run), "it's bash\n");
}

TEST(Script, ReadsSlurmsTimes) {
  const std::map<std::string, uint64_t> good = {{"30", 1800},         {"5:30", 330},
                                                {"12:00:00", 43'200}, {"1-0", 86'400},
                                                {"1-1:30", 91'800},   {"2-00:00:10", 172'810}};
  for (const auto& [text, seconds] : good) {
    const auto file = parse_job_file("#!/bin/sh\n#SBATCH --time=" + text + "\n", "f");
    ASSERT_TRUE(file) << text;
    EXPECT_EQ(file->job.max_seconds, seconds) << text;
  }
}

TEST(Script, RefusesByName) {
  const std::map<std::string, std::string> bad = {
      {"--nodes=2", "nodes (line 2): more than one node is not built yet; use 1"},
      {"--gres=gpu:2",
       "gres (line 2): is not built yet; jobs run on CPUs for now: use --cpus-per-task"},
      {"--requeue", "requeue (line 2): is not built yet; start the job again by hand"},
      {"--job-nam=x",
       "job-nam (line 2): is no #SBATCH option that Mizan reads; did you mean \"job-name\"?"},
      {"--partition=x", "partition (line 2): is no #SBATCH option that Mizan reads"},
      {"-p x", "p (line 2): is no #SBATCH option that Mizan reads"},
      {"--time", "time (line 2): needs a value"},
      {"--time=1:2:3:4",
       "time (line 2): \"1:2:3:4\" is no time; write like 30, 12:00:00 or "
       "1-00:00:00"},
      {"--mem=lots", "mem (line 2): \"lots\" is no size; write like 4G or 512M"},
      {"hello", "hello (line 2): stands where an option like --time=10 is due"},
  };
  for (const auto& [option, message] : bad) {
    const auto file = parse_job_file("#!/bin/sh\n#SBATCH " + option + "\n", "f");
    ASSERT_FALSE(file) << option;
    EXPECT_EQ(file.error().message, message);
  }
  EXPECT_FALSE(parse_job_file("#!/usr/bin/perl\nprint 1;", "f"));
  EXPECT_FALSE(parse_job_file("#!\n", "f"));
}

TEST(Command, ReachesTheProgramAsItIs) {
  const auto file = job_of_command({"printf", "%s|", "a b", "it's", "$HOME", "", "*"});
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(shell(file->job.run), "a b|it's|$HOME||*|");
  EXPECT_EQ(file->job.name, "printf");
  EXPECT_FALSE(job_of_command({}));
}

TEST(CommandLine, RunsSetupFirstAndGivesItsFailure) {
  const auto code = [](const std::string& setup, const std::string& run) {
    Job job;
    job.setup = setup;
    job.run = run;
    std::string command;
    for (const std::string& word : command_line(job)) {
      std::string quoted = "'";
      for (char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
      command += quoted + "' ";
    }
    return shell(command + "; echo \" $?\"");
  };
  EXPECT_EQ(code("", "printf a; exit 3"), "a 3\n");
  EXPECT_EQ(code("printf s", "printf a; exit 3"), "sa 3\n");
  EXPECT_EQ(code("printf s; exit 7", "printf a"), "s 7\n");
}

}  // namespace
}  // namespace mizan::job

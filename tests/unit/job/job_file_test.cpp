#include "job/job_file.hpp"

#include "codec/json_fields.hpp"

#include <gtest/gtest.h>

namespace mizan::job {
namespace {

TEST(JobFile, ReadsEveryKeyThatIsBuilt) {
  const auto file = parse_job_file(R"(
name: train-lm
workdir: .
num_nodes: 1
resources:
  cpus: 16+
  memory: 64+
  disk_size: 200
  use_spot: false
  max_hourly_cost: 20.00
image: oci:train
network: none
envs: {EPOCHS: "3", ANSWER: no, RATE: 1.10}
setup: pip install -r requirements.txt
run: |
  python train.py
max_duration: 12h
max_total_cost: 150
checkpoint: {path: /checkpoints, every: 10m, signal: SIGUSR1}
outputs: [model.pt, /logs]
)",
                                   "jobs/x.yaml");
  ASSERT_TRUE(file) << file.error().message;
  const Job& job = file->job;
  EXPECT_EQ(job.name, "train-lm");
  EXPECT_EQ(file->workdir, ".");
  EXPECT_EQ(job.image, "oci:train");
  EXPECT_EQ(job.cores, 16U);
  EXPECT_EQ(file->units_per_node, 16U);
  EXPECT_EQ(job.memory_gb, 64U);
  EXPECT_EQ(job.disk_gb, 200U);
  EXPECT_EQ(job.envs, (std::map<std::string, std::string>{
                          {"ANSWER", "no"}, {"EPOCHS", "3"}, {"RATE", "1.10"}}));
  EXPECT_EQ(job.setup, "pip install -r requirements.txt");
  EXPECT_EQ(job.run, "python train.py\n");
  EXPECT_EQ(job.max_seconds, 12U * 3600);
  EXPECT_EQ(job.checkpoint, (Checkpoint{"/checkpoints", 600, "USR1"}));
  EXPECT_EQ(job.outputs, (std::vector<std::string>{"model.pt", "/logs"}));
  EXPECT_EQ(file->query, "chip=\"cpu\" cores>=16 memory_gb>=64 disk_gb>=200 cached=\"oci:train\"");
  EXPECT_EQ(to_string(*file->max_total_cost), "150000000000");
  // 20 USD an hour over 16 units: 20e9 / 57600, rounded down.
  EXPECT_EQ(to_string(*file->max_rate()), "347222");
}

TEST(JobFile, HasDefaults) {
  const auto file = parse_job_file("run: echo hi", "some/dir/hello.yaml");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->job.name, "hello");
  EXPECT_EQ(file->job.image, "host");
  EXPECT_EQ(file->job.cores, 1U);
  EXPECT_EQ(file->job.max_seconds, 3600U);
  EXPECT_EQ(file->query, "chip=\"cpu\" cores>=1");
  EXPECT_FALSE(file->workdir || file->max_hourly_cost || file->max_total_cost);
  EXPECT_EQ(parse_job_file("run: x", "sp ace")->job.name, "job");
}

TEST(JobFile, TakesUtf8Alone) {
  for (const char* good : {"é", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(parse_job_file("run: echo " + std::string(good), "x.yaml")) << good;
  // A stray byte, Latin-1, an overlong slash, a surrogate, above U+10FFFF, cut short.
  for (const char* bad : {"\x80", "caf\xe9 x", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
    const auto file = parse_job_file("#!/bin/sh\necho " + std::string(bad), "x.sh");
    ASSERT_FALSE(file) << bad;
    EXPECT_EQ(file.error().message, "run: is not UTF-8 text; save the file as UTF-8");
  }
  const auto user = parse_job_file("run: x\ndeclaration: {end_user: {country: D\xcd}}\n", "x.yaml");
  ASSERT_FALSE(user);
  EXPECT_EQ(user.error().details.at("field"), "declaration.end_user.country");
}

TEST(JobFile, HoldsOneDocument) {
  // yaml-cpp's LoadAll would never end with the last two.
  for (const char* text :
       {"run: x\n---\nrun: y\n", ",", ",\n  end_user: {countr: -1\nde {e: c}}"}) {
    const auto file = parse_job_file(text, "x.yaml");
    ASSERT_FALSE(file) << text;
    EXPECT_EQ(file.error().code, ErrorCode::invalid_argument);
  }
  EXPECT_EQ(parse_job_file("", "x.yaml").error().message,
            "the job file is empty; it needs at least \"run: ...\"");
}

struct Bad {
  const char* text;
  ErrorCode code;
  const char* message;
};

void expect_refused(const std::vector<Bad>& table) {
  for (const Bad& row : table) {
    const auto file = parse_job_file(row.text, "job.yaml");
    ASSERT_FALSE(file) << row.text;
    EXPECT_EQ(file.error().message, row.message) << row.text;
    EXPECT_EQ(to_string(file.error().code), to_string(row.code)) << row.text;
  }
}

TEST(JobFile, ReadsWhatTheBuyerDeclares) {
  const auto file = parse_job_file(
      "run: x\ndeclaration: {end_use: commercial, training: true, country: SG,\n"
      "  end_user: {country: DE, parent_hq: n/a}}\n",
      "x.yaml");
  ASSERT_TRUE(file) << file.error().message;
  Spec spec{.job = file->job, .query = file->query, .declaration = file->declaration};
  const json::value written = spec_json(spec);
  EXPECT_EQ(written.at("declaration"),
            *parse_json(R"({"end_use":"commercial","training":true,"country":"SG",)"
                        R"("end_user":{"country":"DE","parent_hq":"n/a"}})"));
  auto read = from_json<Spec>(written, "spec");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, spec);
  spec.declaration.reset();
  EXPECT_FALSE(spec_json(spec).as_object().contains("declaration"));
  for (const char* bad : {"end_use: fun", "training: maybe", "country: Germany", "end_user: them",
                          "purpose: x", "end_user: {city: x}"}) {
    const auto refused =
        parse_job_file(std::string("run: x\ndeclaration: {") + bad + "}\n", "x.yaml");
    ASSERT_FALSE(refused) << bad;
    EXPECT_TRUE(refused.error().details.at("field").starts_with("declaration.")) << bad;
    EXPECT_TRUE(refused.error().details.contains("line")) << bad;
  }
}

TEST(JobFile, NamesUnknownKeysAndTheNearestKnown) {
  expect_refused({
      {"run: x\nenv: {A: 1}", ErrorCode::unknown_field,
       "env (line 2): is no known key; did you mean \"envs\"?"},
      {"run: x\nresources:\n  cpu: 4", ErrorCode::unknown_field,
       "resources.cpu (line 3): is no known key; did you mean \"cpus\"?"},
      {"run: x\nqqqqqqqq: 4", ErrorCode::unknown_field, "qqqqqqqq (line 2): is no known key"},
      {"run: x\ncheckpoint: {path: /c, evry: 1m}", ErrorCode::unknown_field,
       "checkpoint.evry (line 2): is no known key; did you mean \"every\"?"},
  });
  const auto file = parse_job_file("run: x\nmax_duratoin: 1h", "f");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().details.at("nearest"), "max_duration");
  EXPECT_EQ(file.error().details.at("field"), "max_duratoin");
  EXPECT_EQ(file.error().details.at("line"), "2");
}

TEST(JobFile, NeverIgnoresWhatIsNotBuilt) {
  expect_refused({
      {"run: x\nsecrets: [HF_TOKEN]", ErrorCode::unsupported_key,
       "secrets (line 2): is not built yet; pass no secrets to a machine yet"},
      {"run: x\nfile_mounts: {/data: s3://b/s}", ErrorCode::unsupported_key,
       "file_mounts (line 2): is not built yet; put the files into the workdir"},
      {"run: x\nnum_nodes: 2", ErrorCode::unsupported_key,
       "num_nodes (line 2): more than one node is not built yet; use 1"},
      {"run: x\nnetwork: egress", ErrorCode::unsupported_key,
       "network (line 2): egress is not built yet; use none"},
      {"run: x\nimage: docker:reg.example/a@sha256:00", ErrorCode::unsupported_key,
       "image (line 2): images from a registry are not built yet; use \"host\" or \"oci:NAME\", a "
       "layout that the provider has"},
      {"run: x\nresources:\n  accelerators: {H100: 8}", ErrorCode::unsupported_key,
       "resources.accelerators (line 3): is not built yet; jobs run on CPUs for now: use cpus"},
      {"run: x\nresources:\n  any_of: [{cpus: 1}]", ErrorCode::unsupported_key,
       "resources.any_of (line 3): is not built yet; name one set of resources"},
      {"run: x\nresources: {use_spot: true}", ErrorCode::unsupported_key,
       "resources.use_spot (line 2): is not built yet"},
      {"run: x\nresources: {job_recovery: {max_restarts_on_errors: 3}}", ErrorCode::unsupported_key,
       "resources.job_recovery (line 2): is not built yet"},
  });
}

TEST(JobFile, RefusesBadValues) {
  expect_refused({
      {"", ErrorCode::invalid_argument, "the job file is empty; it needs at least \"run: ...\""},
      {"- a\n- b", ErrorCode::invalid_argument,
       "the file (line 1): must be a mapping, lines of \"key: value\""},
      {"run: x\n---\nrun: y", ErrorCode::invalid_argument,
       "the job file holds more than one document; keep one"},
      {"run: x\nrun: y", ErrorCode::invalid_argument, "run (line 2): stands there twice; keep one"},
      {"name: a", ErrorCode::invalid_argument,
       "run (line 1): is missing; say what to run, like \"run: python3 train.py\""},
      {"run: [a]", ErrorCode::invalid_argument,
       "run (line 1): must be one value, not a list or mapping"},
      {"run: x\nname: ../x", ErrorCode::invalid_argument,
       "name (line 2): must be 1 to 64 letters, digits, '.', '_' or '-', the first a letter or "
       "digit"},
      {"run: x\nresources: {cpus: 0}", ErrorCode::invalid_argument,
       "resources.cpus (line 2): must be a whole number between 1 and 4096"},
      {"run: x\nresources: {cpus: 1.5}", ErrorCode::invalid_argument,
       "resources.cpus (line 2): must be a whole number between 1 and 4096"},
      {"run: x\nresources: {memory: -4}", ErrorCode::invalid_argument,
       "resources.memory (line 2): \"-4\" is no size; write whole gigabytes, like 64 or 64+"},
      {"run: x\nresources: {max_hourly_cost: free}", ErrorCode::invalid_argument,
       "resources.max_hourly_cost (line 2): must be dollars above zero, with at most nine "
       "decimals, like 20.00"},
      {"run: x\nmax_duration: 12 parsecs", ErrorCode::invalid_argument,
       "max_duration (line 2): \"12 parsecs\" is no duration; write seconds, or like 90s, 10m, "
       "12h, "
       "2d"},
      {"run: x\nmax_duration: 999999999d", ErrorCode::invalid_argument,
       "max_duration (line 2): must be between one second and 366 days"},
      {"run: x\nimage: alpine", ErrorCode::invalid_argument,
       "image (line 2): must be \"host\" or \"oci:NAME\", a layout that the provider has"},
      {"run: x\nenvs: {1A: x}", ErrorCode::invalid_argument,
       "envs.1A (line 2): a variable's name is letters, digits and '_', the first no digit"},
      {"run: x\nenvs: {MIZAN_LEASE: x}", ErrorCode::invalid_argument,
       "envs.MIZAN_LEASE (line 2): names that start with MIZAN_ are set by Mizan"},
      {"run: x\noutputs: [a, ../b]", ErrorCode::invalid_argument,
       "outputs[1] (line 2): climbs out with \"..\"; give a path inside the workdir or an absolute "
       "one"},
      {"run: x\noutputs: [/]", ErrorCode::invalid_argument,
       "outputs[0] (line 2): is the whole file system; name a folder in it"},
      {"run: x\noutputs: /proc/self/mem", ErrorCode::invalid_argument,
       "outputs[0] (line 2): lies beneath /proc, where nothing can be kept"},
      {"run: x\ncheckpoint: {every: 1m}", ErrorCode::invalid_argument,
       "checkpoint.path (line 2): is missing; name the checkpoints' folder"},
      {"run: x\ncheckpoint: {path: /c, every: 1m}", ErrorCode::invalid_argument,
       "checkpoint.every (line 2): needs checkpoint.signal too, the signal at which the job writes "
       "a checkpoint"},
      {"run: x\ncheckpoint: {path: /c, signal: KILL}", ErrorCode::invalid_argument,
       "checkpoint.signal (line 2): must be one of USR1, USR2, TERM, INT, HUP, QUIT, CONT"},
  });
}

TEST(JobFile, StandsUpToHostileYaml) {
  EXPECT_EQ(parse_job_file(std::string(300'000, 'a'), "f").error().code, ErrorCode::too_large);
  EXPECT_FALSE(parse_job_file(std::string(100'000, '['), "f"));
  EXPECT_FALSE(parse_job_file(std::string(50'000, '{') + std::string(50'000, '}'), "f"));
  EXPECT_FALSE(parse_job_file("run: \"\\xZZ\"", "f"));
  EXPECT_FALSE(parse_job_file("run: x\nenvs: &a {A: *a}", "f"));
  EXPECT_FALSE(parse_job_file("*a : b", "f"));
  std::string bomb = "run: x\nenvs: &a0 [x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += "k" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) bomb += "*a" + std::to_string(i - 1) + ",";
    bomb += "]\n";
  }
  EXPECT_FALSE(parse_job_file(bomb, "f"));
  EXPECT_EQ(parse_job_file("run: " + std::string(60'001, 'a'), "f").error().code,
            ErrorCode::too_large);
}

TEST(Durations, AreSecondsOrHaveUnits) {
  const std::map<std::string, uint64_t> good = {{"90", 90},     {"90s", 90},     {"10m", 600},
                                                {"12h", 43200}, {"1h30m", 5400}, {"2d", 172800},
                                                {"1w", 604800}};
  for (const auto& [text, seconds] : good) EXPECT_EQ(parse_duration(text, "f").value(), seconds);
  for (const char* text : {"", "0", "-1", "1.5h", "h", "10x", "1h 5m", "99999999999999999999"})
    EXPECT_FALSE(parse_duration(text, "f")) << text;
}

TEST(Gigabytes, AreWholeWithOrWithoutUnit) {
  const std::map<std::string, uint64_t> good = {
      {"64", 64}, {"64+", 64}, {"64GB", 64}, {"64Gi+", 64}, {"2TB", 2048}};
  for (const auto& [text, gb] : good) EXPECT_EQ(parse_gigabytes(text, "f").value(), gb);
  for (const char* text : {"", "0", "+", "64MB", "1.5", "64 GB", "9999999T"})
    EXPECT_FALSE(parse_gigabytes(text, "f")) << text;
}

TEST(JobJson, GoesThereAndBack) {
  Job job = parse_job_file("run: x\nenvs: {A: b}\noutputs: [o]\ncheckpoint: {path: c}", "n")->job;
  job.output_key.bytes[3] = 7;
  EXPECT_EQ(*from_json<Job>(to_json(job), "job"), job);
  job.workdir = Hash32{};
  EXPECT_EQ(*from_json<Job>(to_json(job), "job"), job);
  EXPECT_TRUE(check(job));
  json::value value = to_json(job);
  value.as_object()["netwrok"] = "none";
  EXPECT_EQ(from_json<Job>(value, "job").error().code, ErrorCode::unknown_field);
}

TEST(JobCheck, RefusesWhatNoJobFileWouldGive) {
  Job good = parse_job_file("run: x\noutputs: [o]", "n")->job;
  good.output_key.bytes[0] = 1;
  ASSERT_TRUE(check(good));
  const auto refused = [&](const char* field, auto change) {
    Job job = good;
    change(job);
    const auto result = check(job);
    ASSERT_FALSE(result) << field;
    EXPECT_EQ(result.error().details.at("field"), field);
  };
  refused("outputs[0]", [](Job& job) { job.outputs[0] = "a/../../b"; });
  refused("outputs[0]", [](Job& job) { job.outputs[0] = std::string("a\0b", 3); });
  refused("outputs[0]", [](Job& job) { job.outputs[0] = "/sys/kernel"; });
  refused("outputs", [](Job& job) { job.outputs.assign(65, "a"); });
  refused("run", [](Job& job) { job.run.clear(); });
  refused("setup", [](Job& job) { job.setup = std::string("\0", 1); });
  refused("envs.A=B", [](Job& job) { job.envs["A=B"] = ""; });
  refused("image", [](Job& job) { job.image = "oci:../../etc"; });
  refused("maxSeconds", [](Job& job) { job.max_seconds = 0; });
  refused("cores", [](Job& job) { job.cores = 0; });
  refused("network", [](Job& job) { job.network = "host"; });
  refused("outputKey", [](Job& job) { job.output_key = {}; });
  refused("checkpoint.signal", [](Job& job) { job.checkpoint = Checkpoint{"/c", 5, ""}; });
  refused("checkpoint.signal", [](Job& job) { job.checkpoint = Checkpoint{"/c", 5, "KILL"}; });
}

TEST(Paths, BecomeAbsolute) {
  EXPECT_EQ(absolute_path("model.pt"), "/workdir/model.pt");
  EXPECT_EQ(absolute_path("./a//b/."), "/workdir/a/b");
  EXPECT_EQ(absolute_path("/logs/"), "/logs");
}

}  // namespace
}  // namespace mizan::job

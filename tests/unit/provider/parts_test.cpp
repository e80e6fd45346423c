// Configuration, inventory, store, records and workers, each by itself.
#include "base/utf8.hpp"
#include "codec/json_fields.hpp"
#include "crypto/hash.hpp"
#include "provider/config.hpp"
#include "provider/exchange_facts.hpp"
#include "provider/inventory.hpp"
#include "provider/keyed_workers.hpp"
#include "provider/outputs.hpp"
#include "provider/record.hpp"
#include "provider/store.hpp"
#include "provider/wire.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

namespace mizan::provider {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "mizan-provider-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

constexpr const char* kGood =
    "exchange: http://127.0.0.1:1\nkey: k.json\nstate_dir: s\nrate: 0.05\n";

TEST(Config, ReadsAllKeys) {
  const auto config =
      parse_config(std::string(kGood) +
                       "passphrase_file: /p\ncores: 8\nmemory_gb: 32\ndisk_gb: 200\n"
                       "country: DE\nmin_lease: 10s\nmax_lease: 12h\n"
                       "images: {train: images/train}\n"
                       "pool: {disks: 4, disk_gb: 2}\nruntime: /usr/sbin/runc\n"
                       "payees:\n- {to: 0x5FbDB2315678afecb367f032d93F642f64180aa3, share: 12.5%, "
                       "role: host}\n- {to: 0x70997970C51812dc3A010C7d01b50e0d17dc79C8, share: "
                       "87.50%}\n",
                   "/etc/mizan");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->key, "/etc/mizan/k.json");
  EXPECT_EQ(config->state_dir, "/etc/mizan/s");
  EXPECT_EQ(config->passphrase_file, "/p");
  EXPECT_EQ(to_string(config->rate), "13888");
  EXPECT_EQ(config->cores, 8U);
  EXPECT_EQ(config->min_seconds, 10U);
  EXPECT_EQ(config->max_seconds, 43'200U);
  EXPECT_EQ(config->images.at("train"), "/etc/mizan/images/train");
  EXPECT_EQ(config->pool_disks, 4U);
  ASSERT_EQ(config->payees.size(), 2U);
  EXPECT_EQ(config->payees[0].payee.bps, 1250);
  EXPECT_EQ(config->payees[0].role, "host");
  EXPECT_EQ(config->payees[1].payee.bps, 8750);
  EXPECT_EQ(config->payees[1].role, "");
  EXPECT_TRUE(parse_config(kGood, "/"));
}

TEST(Config, NamesWhatIsWrongWithPayees) {
  const std::string one = "{to: 0x5FbDB2315678afecb367f032d93F642f64180aa3, share: 50%}";
  const auto fault = [](const std::string& list) {
    const auto config = parse_config(kGood + ("payees: " + list), "/");
    return config ? "" : config.error().message;
  };
  EXPECT_EQ(fault("12"),
            "payees (line 5): must be a list: write like \"- {to: 0x..., share: 25%}\"");
  EXPECT_EQ(fault("[" + one + "]"),
            "payees (line 5): shares add up to 5000 of 10000: name the provider itself for what it "
            "keeps");
  EXPECT_EQ(fault("[" + one + ", " + one + "]"),
            "payees[1].to (line 5): is named before: add the two shares up");
  EXPECT_EQ(fault("[{to: 0x0000000000000000000000000000000000000000, share: 100%}]"),
            "payees[0].to (line 5): is not the zero address");
  EXPECT_EQ(fault("[{share: 100%}]"), "payees[0].to (line 5): is missing: who is paid, an address");
  for (const char* share : {"25", "0%", "100.01%", "1.234%", ".5%", "5.%", "-1%", "1000%"})
    EXPECT_EQ(fault("[{to: 0x5FbDB2315678afecb367f032d93F642f64180aa3, share: " +
                    std::string(share) + "}]"),
              "payees[0].share (line 5): must be above 0% and at most 100%, with at most two "
              "decimals, like 12.5%")
        << share;
  EXPECT_EQ(fault("[{to: 0x5FbDB2315678afecb367f032d93F642f64180aa3, share: 100%, role: buyer}]"),
            "payees[0].role (line 5): must be operator, hardware_owner, host, investor or broker");
  std::string many = "[";
  for (int i = 0; i < 9; ++i)
    many +=
        "{to: 0x000000000000000000000000000000000000000" + std::to_string(i + 1) + ", share: 1%},";
  EXPECT_EQ(fault(many + "]"),
            "payees (line 5): names 1 to 8 payees; one account can pass on what it was paid to "
            "more");
}

TEST(Config, NamesWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"key: k\n", "exchange (line 1): is missing; write like \"exchange: http://127.0.0.1:8080\""},
      {std::string(kGood) + "coers: 2", "coers (line 5): is no known key; did you mean \"cores\"?"},
      {std::string(kGood) + "cores: many",
       "cores (line 5): must be a whole number between 1 and 4096"},
      {std::string(kGood) + "country: Germany",
       "country (line 5): must be two capital letters of ISO 3166, like DE"},
      {std::string(kGood) + "max_lease: never",
       "max_lease (line 5): \"never\" is no duration; write seconds, or like 90s, 10m, 12h, 2d"},
      {std::string(kGood) + "min_lease: 2d", "min_lease (line 5): is longer than max_lease"},
      {std::string(kGood) + "images: {../x: y}",
       "images.../x (line 5): must be 1 to 64 letters, digits, '.', '_' or '-', the first a letter "
       "or digit"},
      {"exchange: e\nkey: k\nstate_dir: s\nrate: cheap",
       "rate (line 4): must be US dollars a unit-hour with at most nine decimals, like 0.05"},
  };
  for (const auto& [text, message] : table) {
    const auto config = parse_config(text, "/");
    ASSERT_FALSE(config) << text;
    EXPECT_EQ(config.error().message, message);
  }
}

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

TEST(Inventory, IsCutToTheCgroup) {
  const Folder root;
  write(root.path / "proc/meminfo", "MemTotal:       16777216 kB\nMemFree: 1 kB\n");
  const auto plain = measure(root.path, root.path);
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->memory_bytes, 16ULL << 30);
  EXPECT_GE(plain->cores, 1U);
  EXPECT_GT(plain->disk_bytes, 0U);
  // Version 2: a folder above ours limits too.
  write(root.path / "proc/self/cgroup", "0::/a/b\n");
  write(root.path / "sys/fs/cgroup/a/b/memory.max", "max\n");
  write(root.path / "sys/fs/cgroup/a/memory.max", "4294967296\n");
  write(root.path / "sys/fs/cgroup/a/b/cpu.max", "100000 100000\n");
  EXPECT_EQ(measure(root.path, root.path)->memory_bytes, 4ULL << 30);
  EXPECT_EQ(measure(root.path, root.path)->cores, 1U);
  // Version 1.
  write(root.path / "proc/self/cgroup", "5:memory:/m\n3:cpu,cpuacct:/c\n");
  write(root.path / "sys/fs/cgroup/memory/m/memory.limit_in_bytes", "2147483648\n");
  write(root.path / "sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(measure(root.path, root.path)->memory_bytes, 2ULL << 30);
  EXPECT_EQ(measure(root.path, root.path)->cores, plain->cores);
  EXPECT_FALSE(measure(root.path, root.path / "none"));
}

TEST(Inventory, OffersNoMoreThanThereIs) {
  const Inventory there{4, 16ULL << 30, 100ULL << 30};
  ProviderConfig config;
  EXPECT_EQ(offered(config, there)->units, 4U);
  EXPECT_EQ(offered(config, there)->memory_gb, 15U);
  EXPECT_EQ(offered(config, there)->disk_gb, 90U);
  config.cores = 5;
  EXPECT_EQ(offered(config, there).error().message,
            "cores: 5 cores are offered, but the machine has 4 cores");
  config.cores = 2;
  config.memory_gb = 17;
  EXPECT_FALSE(offered(config, there));
  config.memory_gb = 8;
  config.country = "DE";
  config.images["train"] = "/x";
  EXPECT_EQ(attributes_json(config, *offered(config, there)),
            R"({"cached":{"source":"measured","value":["oci:train"]},)"
            R"("cores":{"source":"measured","value":2},)"
            R"("country":{"source":"self_reported","value":"DE"},)"
            R"("disk_gb":{"source":"measured","value":90},)"
            R"("memory_gb":{"source":"measured","value":8}})");
}

TEST(FileStore, KeepsValuesAndItsFolderToItself) {
  const Folder folder;
  {
    const auto store = FileStore::open(folder.path / "agent");
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_FALSE((*store)->get("a")->has_value());
    EXPECT_TRUE((*store)->put("a", "1", Durability::process));
    EXPECT_TRUE((*store)->put("a", "2", Durability::machine));
    EXPECT_TRUE((*store)->put("b", std::string(100'000, 'x'), Durability::process));
    EXPECT_EQ((*store)->names(), (std::vector<std::string>{"a", "b"}));
    EXPECT_TRUE((*store)->remove("b"));
    EXPECT_TRUE((*store)->remove("b"));
    // Another process is refused.
    const auto open_elsewhere = [&] {
      const auto second = FileStore::open(folder.path / "agent");
      if (!second) std::cerr << second.error().message;
      std::_Exit(second ? 0 : 1);
    };
    EXPECT_EXIT(open_elsewhere(), ::testing::ExitedWithCode(1), "held by another agent");
    EXPECT_EQ(fs::status(folder.path / "agent/a").permissions(),
              fs::perms::owner_read | fs::perms::owner_write);
  }
  const auto again = FileStore::open(folder.path / "agent");
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->get("a")->value(), "2");
  std::ofstream(folder.path / "agent/.a.new") << "half";  // died before the rename
  EXPECT_EQ((*again)->names(), std::vector<std::string>{"a"});
}

/// What an agent had just forked when it was killed lives on for a moment, with all its files.
TEST(FileStore, AChildOfADeadAgentDoesNotHoldTheFolder) {
  const Folder folder;
  auto store = FileStore::open(folder.path / "agent");
  ASSERT_TRUE(store) << store.error().message;
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[1]);
    char byte = 0;
    std::_Exit(static_cast<int>(::read(ends[0], &byte, 1)));
  }
  store->reset();
  EXPECT_TRUE(FileStore::open(folder.path / "agent"));
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST(Record, GoesThereAndBackAndShowsDamage) {
  LeaseRecord record;
  record.lease = sha256("l");
  record.stage = Stage::collected;
  record.job.name = "x";
  record.ran_most_ms = 7;
  record.clearance = eip712::Clearance{};
  record.vouchered = u128{1} << 100;
  const std::string text = encode(record);
  const auto back = decode_record(text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(encode(*back), text);
  EXPECT_FALSE(decode_record(""));
  EXPECT_FALSE(decode_record(text.substr(0, text.size() / 2)));
  EXPECT_FALSE(decode_record("{\"stage\":\"done\"}"));
}

TEST(ExchangeFacts, MustFitTogether) {
  json::object answer{{"id", "0x" + std::string(64, '1')},
                      {"identity", "0x" + std::string(40, '2')},
                      {"meter", "0x" + std::string(40, '3')},
                      {"clearance", "0x" + std::string(40, '4')},
                      {"feeBps", 100},
                      {"voucherIntervalSeconds", 10},
                      {"readinessSeconds", 60},
                      {"more", true}};
  EXPECT_EQ(parse_exchange(json_text(answer)).error().code, ErrorCode::unauthenticated);
  Bytes named;
  for (const char c : std::string("mizan-exchange")) named.push_back(static_cast<uint8_t>(c));
  named.insert(named.end(), 20, 0x22);
  answer["id"] = hex0x(keccak256(named).view());
  const auto facts = parse_exchange(json_text(answer));
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->voucher_interval_s, 10U);
  answer.erase("meter");
  EXPECT_FALSE(parse_exchange(json_text(answer)));
}

TEST(Wire, AReasonIsCutBetweenCharacters) {
  const Error why{ErrorCode::conflict, std::string(499, 'x') + "\u00e9\u00e9", {}};
  EXPECT_TRUE(parse_json(reject_message(1, LeaseId{}, why)));
  EXPECT_TRUE(is_utf8(reject_message(1, LeaseId{}, why)));
}

TEST(Outputs, AreNamedAsTheBuyerNamesThem) {
  EXPECT_EQ(archive_name("/workdir/model.pt"), "model.pt");
  EXPECT_EQ(archive_name("/workdir"), "");
  EXPECT_EQ(archive_name("/logs/a"), "logs/a");
  EXPECT_EQ(archive_name("/workdirs/a"), "workdirs/a");
}

TEST(KeyedWorkers, KeepTheOrderOfEachKeyAndWaitForNoOther) {
  std::mutex mutex;
  std::map<LeaseId, std::vector<int>> seen;
  std::atomic<int> done = 0;
  std::mutex gate;
  std::condition_variable opened;
  bool open = false;
  constexpr int kEach = 200;
  KeyedWorkers workers(4);
  const LeaseId blocked = sha256("blocked");
  workers.post(blocked, [&] {
    std::unique_lock lock(gate);
    opened.wait(lock, [&] { return open; });
    ++done;
  });
  for (int i = 0; i < kEach; ++i) {
    for (const char* name : {"a", "b", "c"}) {
      const LeaseId key = sha256(name);
      workers.post(key, [&, key, i] {
        {
          const std::lock_guard lock(mutex);
          seen[key].push_back(i);
        }
        if (++done == 3 * kEach) {
          const std::lock_guard lock(gate);
          open = true;
          opened.notify_all();
        }
      });
    }
  }
  std::unique_lock lock(gate);
  ASSERT_TRUE(opened.wait_for(lock, std::chrono::seconds(60), [&] { return open; }));
  const std::lock_guard seen_lock(mutex);
  for (const auto& [key, order] : seen) {
    ASSERT_EQ(order.size(), static_cast<size_t>(kEach));
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  }
}

}  // namespace
}  // namespace mizan::provider

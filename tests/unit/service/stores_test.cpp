#include "crypto/hash.hpp"
#include "service/artifact_store.hpp"
#include "service/keys.hpp"
#include "service/log_store.hpp"
#include "service/policy_world.hpp"
#include "service/program.hpp"
#include "service/spare_clearance.hpp"

#include <fstream>

namespace mizan::service {
namespace {

namespace fs = std::filesystem;

constexpr Address kOne{{1}};
constexpr Address kTwo{{2}};
constexpr auto unowned = [](const LeaseId&) { return Address{}; };

TEST(LogStore, FindsItsSizeAgain) {
  const TemporaryFolder folder;
  const LeaseId lease{{1}};
  {
    LogStore logs(folder.path, 100, 1000, unowned);
    EXPECT_EQ(logs.append(kOne, lease, 0, "abc").value(), 3U);
    EXPECT_EQ(logs.append(kOne, lease, 1, "bcde").value(), 5U);
    EXPECT_EQ(logs.append(kOne, lease, 0, "ab").value(), 5U);
    EXPECT_EQ(logs.append(kOne, lease, 6, "x").error().code, ErrorCode::conflict);
    EXPECT_EQ(logs.append(kOne, lease, 5, std::string(96, 'x')).error().code, ErrorCode::too_large);
    EXPECT_TRUE(logs.sync(lease));
    EXPECT_TRUE(logs.sync(LeaseId{{2}}));
  }
  LogStore logs(folder.path, 100, 10, [](const LeaseId&) { return kOne; });
  EXPECT_EQ(logs.size(lease), 5U);
  EXPECT_EQ(logs.read(lease, 1, 3).value(), "bcd");
  EXPECT_EQ(logs.read(lease, 5, 3).value(), "");
  EXPECT_EQ(logs.read(LeaseId{{2}}, 0, 3).value(), "");
  EXPECT_EQ(logs.append(kOne, LeaseId{{2}}, 0, "x").error().code, ErrorCode::limit_exceeded);
  EXPECT_EQ(logs.append(kTwo, LeaseId{{2}}, 0, "xyz").error().code, ErrorCode::limit_exceeded);
  EXPECT_TRUE(logs.append(kTwo, LeaseId{{2}}, 0, "xy"));
  const auto none = [](const LeaseId&) { return false; };
  logs.expire(1, none);
  logs.expire(UINT32_MAX, [&](const LeaseId& id) { return id == lease; });
  EXPECT_TRUE(fs::exists(logs.file(lease)));
  logs.expire(UINT32_MAX, none);
  EXPECT_FALSE(fs::exists(logs.file(lease)));
  EXPECT_EQ(logs.size(lease), 0U);
  EXPECT_TRUE(logs.append(kOne, LeaseId{{2}}, 0, "12345")) << "there is room again";
}

TEST(LogStore, AFloodOfAProviderTakesAsMuchAsItLeavesFree) {
  const TemporaryFolder folder;
  std::map<LeaseId, Address> owners;
  const auto owner = [&](const LeaseId& id) { return owners.at(id); };
  const std::string chunk(100, 'x');
  const auto flood = [&](LogStore& logs, uint8_t provider) {
    uint64_t stored = 0;
    for (uint8_t lease = 1; lease <= 5; ++lease) {  // more leases of it get it no more
      const LeaseId id{{provider, lease}};
      owners[id] = Address{{provider}};
      while (logs.append(owners[id], id, logs.size(id), chunk)) stored += chunk.size();
    }
    return stored;
  };
  {
    LogStore logs(folder.path, 10'000, 12'000, owner);
    EXPECT_EQ(flood(logs, 1), 6000U);
    EXPECT_EQ(flood(logs, 2), 3000U);
    // An honest job's log is kept whole beside them, as they go on.
    const LeaseId honest{{9, 9}};
    owners[honest] = Address{{9}};
    for (uint64_t at = 0; at < 1500; at += chunk.size()) {
      EXPECT_TRUE(logs.append(Address{{9}}, honest, at, chunk)) << at;
      EXPECT_EQ(flood(logs, 1) + flood(logs, 2), 0U);
    }
    EXPECT_EQ(logs.read(honest, 0, 9999)->size(), 1500U);
  }
  LogStore again(folder.path, 10'000, 12'000, owner);
  EXPECT_EQ(flood(again, 1) + flood(again, 2), 0U) << "whose they are is known after a restart";
  EXPECT_EQ(flood(again, 3), 700U);
}

TEST(LogStore, WhatCouldNotBeWrittenTakesNoRoom) {
  const TemporaryFolder folder;
  LogStore logs(folder.path / "gone", 100, 100, unowned);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(logs.append(kOne, LeaseId{{1}}, 0, std::string(50, 'x')).error().code,
              ErrorCode::io_error);
}

TEST(LogStore, WantsALogAgainThatItsDiskMayHaveLost) {
  const TemporaryFolder folder;
  const LeaseId lease{{1}};
  LogStore logs(folder.path, 100, 1000, unowned);
  fs::create_symlink("/dev/null", logs.file(lease));  // which can be written, and not synced
  EXPECT_EQ(logs.append(kOne, lease, 0, "abc").value(), 3U);
  const auto synced = logs.sync(lease);
  ASSERT_FALSE(synced);
  EXPECT_EQ(synced.error().code, ErrorCode::io_error);
  EXPECT_EQ(synced.error().details.at("size"), "0");
  EXPECT_EQ(logs.size(lease), 0U);
  fs::remove(logs.file(lease));
  EXPECT_EQ(logs.append(kOne, lease, 0, "abc").value(), 3U);
  EXPECT_TRUE(logs.sync(lease));
}

class ArtifactStoreTest : public testing::Test {
 protected:
  void open() {
    auto opened = ArtifactStore::open(folder_.path / "a", limits_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = *std::move(opened);
  }
  Result<void> put(const std::string& bytes, const Address& owner, uint64_t at_s = 1000) {
    MIZAN_TRY(upload, store_->begin(sha256(bytes), owner, bytes.size()));
    MIZAN_CHECK(upload->write(as_bytes(bytes)));
    return upload->commit(UnixMs{at_s * 1000});
  }
  const TemporaryFolder folder_;
  ArtifactLimits limits_{
      .each_bytes = 100, .account_bytes = 150, .total_bytes = 250, .keep_seconds = 60};
  std::unique_ptr<ArtifactStore> store_;
  const Address a_{{1}}, b_{{2}};
};

TEST_F(ArtifactStoreTest, HoldsItsQuotas) {
  open();
  EXPECT_TRUE(put(std::string(100, 'a'), a_));
  EXPECT_EQ(put(std::string(101, 'b'), a_).error().code, ErrorCode::too_large);
  EXPECT_EQ(put(std::string(60, 'b'), a_).error().code, ErrorCode::limit_exceeded);
  EXPECT_TRUE(put(std::string(50, 'b'), a_));
  EXPECT_TRUE(put(std::string(100, 'c'), b_));
  EXPECT_EQ(put("d", Address{{3}}).error().code, ErrorCode::limit_exceeded);
  EXPECT_EQ(store_->total_bytes(), 250U);
  // What is on its way counts, and what broke off does not.
  store_->expire(UnixMs{2'000'000});
  EXPECT_EQ(store_->total_bytes(), 0U);
  {
    const auto one = store_->begin(Hash32{{1}}, a_, 100);
    EXPECT_EQ(store_->begin(Hash32{{2}}, a_, 100).error().code, ErrorCode::limit_exceeded);
  }
  EXPECT_TRUE(store_->begin(Hash32{{2}}, a_, 100));
  EXPECT_EQ(store_->total_bytes(), 0U);
}

TEST_F(ArtifactStoreTest, RemembersOwnersAndForgetsWhatBrokeOff) {
  open();
  ASSERT_TRUE(put("shared", a_));
  ASSERT_TRUE(put("shared", b_));
  std::ofstream(folder_.path / "a" / "7.part") << "half";
  std::ofstream(folder_.path / "a" / "7.owners.1f.tmp") << "half";
  store_.reset();
  open();
  EXPECT_TRUE(store_->uploaded_by(sha256("shared"), a_));
  EXPECT_TRUE(store_->uploaded_by(sha256("shared"), b_));
  EXPECT_FALSE(store_->uploaded_by(sha256("shared"), Address{{3}}));
  EXPECT_FALSE(fs::exists(folder_.path / "a" / "7.part"));
  EXPECT_FALSE(fs::exists(folder_.path / "a" / "7.owners.1f.tmp"));
  EXPECT_EQ(store_->total_bytes(), 6U);
  EXPECT_FALSE(store_->open_file(sha256("other")));
}

TEST_F(ArtifactStoreTest, RefusesMoreThanWasAnnounced) {
  open();
  const auto upload = store_->begin(sha256("abc"), a_, 2).value();
  EXPECT_TRUE(upload->write(as_bytes("ab")));
  EXPECT_EQ(upload->write(as_bytes("c")).error().code, ErrorCode::too_large);
}

TEST(Keys, AreMadeOnceAndFoundAgain) {
  const TemporaryFolder folder;
  const ScryptCost cheap{.n = 2};
  const auto made = open_keys(folder.path, {}, cheap);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(open_keys(folder.path, {}, cheap)->exchange_id(), made->exchange_id());
  // Another clearance key comes beside the first, and then in its place.
  EXPECT_EQ(use_spare_clearance(folder.path, {}).error().code, ErrorCode::not_found);
  const auto spare = make_spare_clearance(folder.path, {}, cheap);
  ASSERT_TRUE(spare);
  EXPECT_EQ(make_spare_clearance(folder.path, {}, cheap), spare) << "until it is used";
  EXPECT_EQ(open_keys(folder.path, {}, cheap)->clearance.address(), made->clearance.address());
  EXPECT_EQ(use_spare_clearance(folder.path, {}), spare);
  EXPECT_EQ(open_keys(folder.path, {}, cheap)->clearance.address(), *spare);
  EXPECT_EQ(open_keys(folder.path, {}, cheap)->exchange_id(), made->exchange_id());
  EXPECT_TRUE(fs::exists(folder.path / "keys" /
                         ("clearance-" + hex0x(made->clearance.address().view()) + ".json")));
  EXPECT_FALSE(use_spare_clearance(folder.path, {}));
  EXPECT_NE(make_spare_clearance(folder.path, {}, cheap), spare);
  fs::remove(folder.path / "keys" / "meter.json");
  EXPECT_EQ(open_keys(folder.path, {}, cheap).error().code, ErrorCode::corrupted);
}

TEST(Keys, NeedTheirPassphraseInAFileOfTheirOwn) {
  const TemporaryFolder folder;
  const ScryptCost cheap{.n = 2};
  const fs::path file = folder.path / "secret";
  EXPECT_EQ(open_keys(folder.path, file, cheap).error().code, ErrorCode::not_found);
  std::ofstream(file) << "correct horse\n";
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  ASSERT_TRUE(open_keys(folder.path, file, cheap));
  std::ofstream(file) << "wrong horse\n";
  const auto wrong = open_keys(folder.path, file, cheap);
  EXPECT_EQ(wrong.error().code, ErrorCode::unauthenticated);
  EXPECT_THAT(wrong.error().message, testing::Not(testing::HasSubstr("horse")));
  fs::permissions(file, fs::perms::group_read, fs::perm_options::add);
  EXPECT_EQ(open_keys(folder.path, file, cheap).error().code, ErrorCode::forbidden);
}

TEST(Config, ReadsItsKeys) {
  const std::string text =
      "listen: 0.0.0.0:9000\nstate_dir: state\noperator: "
      "\"0x00000000000000000000000000000000000000aa\"\nfee_bps: 25\nvoucher_interval: "
      "5s\nreadiness: 1m\nlog_mb: 3\nprune: true\nrules: [policy, /own]\ndevelopment_issuer: "
      "issuer.jwk\n"
      "status_lists: lists\n";
  const auto config = parse_exchange_config(text, "/etc/mizan");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server.address, "0.0.0.0");
  EXPECT_EQ(config->server.port, 9000);
  EXPECT_EQ(config->service.state, "/etc/mizan/state");
  EXPECT_EQ(config->service.fee_bps, 25);
  EXPECT_EQ(config->service.voucher_interval_s, 5U);
  EXPECT_EQ(config->service.readiness_s, 60U);
  EXPECT_EQ(config->service.log_bytes_max, 3U << 20);
  EXPECT_TRUE(config->service.sequencer.prune);
  EXPECT_EQ(config->rules, (std::vector<std::filesystem::path>{"/etc/mizan/policy", "/own"}));
  EXPECT_EQ(config->development_issuer, "/etc/mizan/issuer.jwk");
  EXPECT_EQ(config->service.status_lists, "/etc/mizan/lists");
}

TEST(Config, ReadsRulesOfSeveralFolders) {
  const TemporaryFolder folder;
  const auto shipped = std::filesystem::path(MIZAN_SOURCE_DIR) / "policy";
  const auto alone = load_rules({shipped});
  ASSERT_TRUE(alone) << alone.error().message;
  const auto write = [&](const std::string& text) {
    std::ofstream(folder.path / "own.json") << text;
  };
  write(files_with(R"({"fact":"units","above":1})", "RED_FLAG").at("own.json"));
  const auto both = load_rules({shipped, folder.path});
  ASSERT_TRUE(both) << both.error().message;
  EXPECT_EQ((*both)->rules().size(), (*alone)->rules().size() + 1);
  write(R"({"format":"mizan.policy.1","rules":[{}]})");
  const auto bad = load_rules({shipped, folder.path});
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, testing::HasSubstr("own.json"));
  for (const auto& nowhere : {folder.path / "nowhere", folder.path / "own.json"}) {
    const auto none = load_rules({nowhere});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(none.error().details.at("field"), "rules");
  }
}
TEST(Config, ReadsTheIssuerOfADemonstration) {
  const TemporaryFolder folder;
  const std::string jwk =
      json_text(credential::to_jwk(credential::IssuerKey::generate().public_key()));
  std::ofstream(folder.path / "issuer.jwk") << jwk << "\n";
  const auto given = read_development_issuer(jwk);
  ASSERT_TRUE(given) << given.error().message;
  EXPECT_EQ(read_development_issuer((folder.path / "issuer.jwk").string()), given);
  EXPECT_TRUE(given->contains(std::string(kDevelopmentIssuer)));
  EXPECT_FALSE(read_development_issuer(R"({"kty":"EC"})"));
  EXPECT_FALSE(read_development_issuer((folder.path / "nowhere").string()));
  const std::string holder =
      json_text(credential::to_jwk(public_key(SecretKey::generate())));  // of secp256k1
  EXPECT_FALSE(read_development_issuer(holder));
}
TEST(Config, NamesTheKeyAtFault) {
  const std::string good =
      "state_dir: s\noperator: \"0x00000000000000000000000000000000000000aa\"\n";
  ASSERT_TRUE(parse_exchange_config(good, "/"));
  const auto refused = [&](const std::string& more, const char* field) {
    const auto config = parse_exchange_config(good + more, "/");
    ASSERT_FALSE(config) << more;
    EXPECT_EQ(config.error().details.at("field"), field) << config.error().message;
  };
  refused("fee_bps: 10001\n", "fee_bps");
  refused("fee_bp: 1\n", "fee_bp");
  refused("listen: here\n", "listen");
  refused("listen: 1.2.3.4:70000\n", "listen");
  refused("voucher_interval: 0s\n", "voucher_interval");
  refused("prune: perhaps\n", "prune");
  refused("settlement: gold\n", "settlement");
  refused("settlement: evm\n", "chain");
  const std::string contract = "0x00000000000000000000000000000000000000cc";
  refused("chain: {node: \"http://h:1\", chain_id: 1, contract: \"" + contract + "\"}\n", "chain");
  refused("settlement: evm\nchain: {node: \"http://h:1\", chain_id: 1}\n", "chain.contract");
  refused("settlement: evm\nchain: {node: n, chain_id: 1, contract: me}\n", "chain.contract");
  refused("settlement: evm\nchain: {nod: 1}\n", "chain.nod");
  refused("settlement: evm\nchain: {node: n, chain_id: 1, contract: \"" + contract +
              "\", least_escrow: much}\n",
          "chain.least_escrow");
  const auto evm = parse_exchange_config(
      good + "settlement: evm\nchain:\n  node: http://h:1\n  chain_id: 5\n  contract: \"" +
          contract + "\"\n  depth: 3\n  from_block: 7\n  least_gas: 9\n  least_escrow: 0.05\n",
      "/");
  ASSERT_TRUE(evm) << evm.error().message;
  EXPECT_EQ(evm->service.chain->chain_id, 5U);
  EXPECT_EQ(evm->service.chain->depth, 3U);
  EXPECT_EQ(evm->service.chain->from_block, 7U);
  EXPECT_EQ(evm->service.chain->least_gas, 9U);
  EXPECT_EQ(evm->service.chain->least_escrow.nano, 50'000'000U);
  EXPECT_EQ(evm->service.chain->contract.bytes[19], 0xcc);
  EXPECT_FALSE(parse_exchange_config("operator: x\n", "/"));
  EXPECT_FALSE(parse_exchange_config("{", "/"));
  EXPECT_FALSE(parse_exchange_config("", "/"));
}

TEST(Program, AMistakeInSettlementLeavesNothingBehind) {
  const TemporaryFolder folder;
  ExchangeConfig config;
  config.service.state = folder.path / "state";
  config.service.operator_.bytes[19] = 1;
  config.server.port = 0;
  config.service.chain = ChainConfig{"ftp://somewhere:21", 31'337, {}, 2, 0};
  const auto refused = [&](const char* field) {
    const auto start = run_exchange(
        config, [](const std::string&) {}, [](const Ready&) {});
    const auto keys = make_exchange_keys(config);
    for (const Error* error : {start ? nullptr : &start.error(), keys ? nullptr : &keys.error()}) {
      ASSERT_NE(error, nullptr);
      EXPECT_EQ(error->details.at("field"), field) << error->message;
    }
    EXPECT_FALSE(std::filesystem::exists(config.service.state));
  };
  refused("chain.node");
  config.service.chain->node = "http://node.example:8545";  // in clear, to another machine
  refused("chain.node");
  config.service.chain = ChainConfig{"http://127.0.0.1:1", 5, {}, 2, 0};
  refused("rules");
}

TEST(Log, KeepsALineALine) {
  ManualClock clock;
  std::vector<std::string> lines;
  const Log log(clock, [&](const std::string& line) { lines.push_back(line); });
  log.info("x", {{"a", "b c\n\"d\""}, {"e", ""}, {"f", std::string(300, 'y')}});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], testing::HasSubstr("time=2027-01-15T08:00:00.000Z level=info event=x "
                                           "a=\"b c\\x0a\\\"d\\\"\" e=\"\" f=\"yyy"));
  EXPECT_LT(lines[0].size(), 400U);
}

TEST(Service, RefusesAnotherConfigurationThanItsJournals) {
  World world;
  world.service.reset();
  ServiceConfig config;
  config.operator_ = world.operator_key.address();
  config.fee_bps = 300;
  config.state = world.folder.path;
  const auto opened =
      Service::open(config, {world.clock, *world.pool, *world.journal, world.keys, world.log});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().details.at("field"), "fee_bps");
}

}  // namespace
}  // namespace mizan::service

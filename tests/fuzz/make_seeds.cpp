// Writes seeds that only the real encoders can make: `make_seeds tests/fuzz/corpus`.
#include "codec/binary.hpp"
#include "codec/json_fields.hpp"
#include "credential/sd_jwt.hpp"
#include "credential/status_list.hpp"
#include "crypto/hash.hpp"
#include "crypto/payees_hash.hpp"
#include "fuzz/credential_world.hpp"
#include "journal/frame.hpp"
#include "policy/case_files.hpp"
#include "property/core_driver.hpp"
#include "property/core_model.hpp"
#include "provider/record.hpp"
#include "settlement/outbox_records.hpp"
#include "transfer/tree.hpp"

#include <fmt/format.h>

#include <random>
#include <set>

namespace {

using namespace mizan;
namespace fs = std::filesystem;

fs::path corpus;

void put(const std::string& target, const std::string& name, ByteView bytes) {
  fs::create_directories(corpus / target);
  std::ofstream(corpus / target / name, std::ios::binary) << as_text(bytes);
}
void put(const std::string& target, const std::string& name, std::string_view text) {
  put(target, name, as_bytes(text));
}

Bytes tagged(uint8_t tag, ByteView bytes) {
  Bytes out{tag};
  append(out, bytes);
  return out;
}

/// Something in every field.
struct Fill {
  template <class Field>
  void operator()(const char*, Field& field) const {
    if constexpr (std::same_as<Field, std::string>) {
      field = "licence";
    } else if constexpr (std::same_as<Field, bool>) {
      field = true;
    } else if constexpr (shape::Integer<Field> || std::same_as<Field, u128>) {
      field = static_cast<Field>(7);
    } else if constexpr (shape::Fixed<Field>) {
      field.bytes.fill(0x11);
    } else if constexpr (shape::Vector<Field>) {
      field.resize(2);
      for (auto& element : field) (*this)("", element);
    } else if constexpr (HasFields<Field>) {
      Field::visit_fields(field, *this);
    }
  }
};

template <class... Messages>
void messages(const std::tuple<Messages...>*) {
  uint8_t which = 0;
  const auto one = [&](auto message) {
    Fill()("", message);
    const std::string name(decltype(message)::kName);
    put("messages", name + ".bytes", tagged(which, encode(message)));
    const std::string text = json_text(to_json(message));
    put("messages", name + ".json", tagged(static_cast<uint8_t>(which | 0x80), as_bytes(text)));
    ++which;
  };
  (one(Messages{}), ...);
}

/// Commands of every kind, snapshots on the way, and groups of them as the journal keeps them.
void exchange_seeds() {
  test::CoreDriver driver(1);
  test::CoreModel model;
  exchange::Exchange core(driver.rules());
  exchange::Sequenced command{1, {1'800'000'000'000}, {}, driver.genesis()};
  std::map<size_t, int> kinds;
  std::vector<Bytes> group;
  Bytes row;
  journal::Head head;
  for (uint64_t step = 1; step <= 2000; ++step) {
    const Bytes bytes = encode(command);
    int& seen = kinds[command.command.index() * 2 + (command.idempotency ? 1 : 0)];
    if (++seen <= 2)
      put("exchange_command", fmt::format("{:02}-{}", command.command.index(), step), bytes);
    if (step >= 2 && step <= 150) {  // the target begins with Genesis itself
      Writer length;
      length.put(static_cast<uint16_t>(bytes.size()));
      append(row, length.bytes());
      append(row, bytes);
      if (step % 50 == 0) put("core", fmt::format("row-{}", step), row);
    }
    if (step <= 12) {
      group.push_back(bytes);
      if (step % 4 == 0) {
        const std::vector<ByteView> views(group.begin(), group.end());
        const Bytes frame = journal::encode_frame(head, views).value();
        put("journal", fmt::format("frame-{}", step), tagged(0, frame));
        put("journal", fmt::format("unhashed-{}", step),
            tagged(1, ByteView(frame).first(frame.size() - 32)));
        head = journal::decode_frame(head, frame).value().end();
        group.clear();
      }
    }
    const exchange::Outcome outcome = core.apply(command);
    model.follow(core, outcome.events);
    driver.heard(command, outcome);
    if (step == 1 || step == 30 || step == 120)
      put("exchange_state", fmt::format("step-{:04}", step), core.encode());
    command = driver.next(core, model.live);
  }
}

void policy_seeds() {
  for (const auto& [name, text] : test::shipped_files()) put("policy_rules", name, text);
  std::set<std::string> bases;  // one case of each shape: its rules and what was set
  for (const test::FileCase& one : test::read_cases())
    if (one.expect.contains("rule") &&
        bases.insert(std::string(one.expect.at("rule").as_string())).second)
      put("policy_case", one.id, json_text(one.facts));
}

void credential_seeds() {
  const fuzz::CredentialWorld world;
  put("credential", "shown", "p" + world.present({"country", "parent_hq"}));
  put("credential", "all", "p" + world.present({"country", "parent_hq", "lists", "person_id"}));
  put("credential", "issued", "p" + world.issued());
  using namespace std::string_literals;
  put("credential", "claims",
      R"(c{"vct":"https://mizan.example/eligibility/1","status":{"status_list":{"idx":13,"uri":)"
      R"("https://issuer.example/status/1"}},"nested":{"list":[{"...":"x"}]}})"
      "\0[\"salt\",\"country\",\"SG\"]\0[\"salt\",\"lists\",[]]"s);
  put("credential", "list.payload",
      R"(l{"exp":1900000000,"iat":1,"status_list":{"bits":1,"lst":"eNpjYGBgAAAABAAB"}})");
  put("credential", "list", "s" + world.status_list({3, 13, 999}));
  put("credential", "p256.jwk",
      "k" + json_text(credential::to_jwk(fuzz::CredentialWorld::issuer().public_key())));
  put("credential", "secp256k1.jwk",
      "k" + json_text(credential::to_jwk(public_key(fuzz::CredentialWorld::holder()))));
}

void text_seeds() {
  const auto put_text = [](uint8_t tag, const std::string& name, std::string_view text) {
    put("exchange_texts", name, tagged(tag, as_bytes(text)));
  };
  put_text(
      0, "attributes",
      R"({"cached":{"source":"attested","value":["oci:train"]},"certifications":{"source":)"
      R"("attested","value":"n/a"},"cores":{"source":"measured","value":16},"country":)"
      R"({"source":"self_reported","value":"SG"},"datacenter_marketed":{"source":)"
      R"("self_reported","value":true},"device_memory_gb":{"source":"measured","value":80},)"
      R"("licence_conditions":{"source":"self_reported","value":["no_hq:CN"]},"maker":)"
      R"({"source":"measured","value":"NVIDIA"},"origin":{"source":"attested","value":"US"}})");
  put_text(1, "spec",
           R"({"declaration":{"country":"SG","end_use":"commercial","end_user":{"country":"DE",)"
           R"("hq":"DE","parent_hq":"n/a"},"training":true},"immediate_or_cancel":false,"job":{},)"
           R"("query":"chip=cpu memory_gb>=4","split":false})");
  put_text(2, "options",
           R"({"developmentIssuers":false,"issuers":{"https://issuer.example":{"kty":"EC"}},)"
           R"("officers":["0xbb000000000000000000000000000000000003ed"],"signersNeeded":2,)"
           R"("stricter":{"NOTIFY":"RED_FLAG","RED_FLAG":"PROHIBITED"}})");
}

/// Rows of choices mean something whatever they are.
void choice_seeds() {
  std::mt19937_64 random(1);
  for (const char* target : {"market_book", "ledger"})
    for (int i = 0; i < 6; ++i) {
      Bytes bytes(static_cast<size_t>(200 + i * 250));
      for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
      if (i == 0) bytes[0] = 0;  // market_book: standing bids
      put(target, fmt::format("random-{}", i), bytes);
    }
}

void seal_seeds() {
  Writer seal;
  seal.raw(as_bytes("MIZANHD1"));
  seal.put(uint64_t{7});
  seal.put(sha256("head"));
  put("journal", "seal", tagged(3, seal.bytes()));
  Writer snapshot;
  snapshot.raw(as_bytes("MIZANSN1"));
  snapshot.put(uint64_t{7});
  snapshot.put(sha256("head"));
  snapshot.put(uint64_t{5});
  snapshot.raw(as_bytes("state"));
  put("journal", "snapshot", tagged(5, snapshot.bytes()));
}

template <class Message>
Message filled() {
  Message message;
  Fill()("", message);
  return message;
}

/// What an exchange tells an agent, each kind once, and the agent's own files.
void agent_seeds() {
  const std::string lease = hex0x(filled<eip712::Voucher>().lease.view());
  const json::value signature = to_json(Signature{});
  job::Job job;
  job.name = "t";
  job.run = "true";
  job.max_seconds = 60;
  job.outputs = {"model.pt"};
  job.checkpoint = job::Checkpoint{"/checkpoints", 60, "USR1"};
  const job::Spec spec{job, "chip=cpu", false, true, json::value{{"end_use", "commercial"}}};
  const auto tell = [&](const char* type, json::object fields) {
    fields["type"] = type;
    put("agent_message", type, tagged(0, as_bytes(json_text(fields))));
  };
  tell("welcome", {{"timeMs", 1},
                   {"leases", json::array{json::object{
                                  {"lease", lease}, {"state", "running"}, {"logBytes", 7}}}}});
  tell("match", {{"lease", lease},
                 {"terms", to_json(filled<eip712::Terms>())},
                 {"bid", to_json(filled<eip712::Bid>())},
                 {"bidSignature", signature},
                 {"spec", job::spec_json(spec)},
                 {"acceptByMs", 9}});
  tell("funded", {{"lease", lease},
                  {"clearance", to_json(filled<eip712::Clearance>())},
                  {"signature", signature}});
  tell("log_ok", {{"lease", lease}, {"size", 7}});
  tell("voucher", {{"voucher", to_json(filled<eip712::Voucher>())}, {"signature", signature}});
  tell("stop", {{"lease", lease}, {"reason", "buyer_stopped"}});
  tell("closed", {{"lease", lease},
                  {"receipt", to_json(filled<eip712::Receipt>())},
                  {"signature", signature}});
  tell("policy", {{"ask", lease},
                  {"order", lease},
                  {"held", true},
                  {"rule", "us.x"},
                  {"head", "end_use"},
                  {"outcome", "RED_FLAG"},
                  {"sentence", "Because."},
                  {"missing", "lists"}});
  tell("ask_ended", {{"ask", lease}, {"reason", "displaced"}});
  tell("reply", {{"id", 3}, {"acknowledgement", to_json(filled<eip712::Acknowledgement>())}});
  tell("error",
       {{"id", 3}, {"code", "conflict"}, {"message", "no"}, {"details", {{"field", "x"}}}});
  provider::LeaseRecord record;
  record.job = job;
  record.ran_most_ms = 5;
  put("agent_message", "record", tagged(1, as_bytes(provider::encode(record))));
  const Address identity = filled<eip712::Ask>().provider;
  Bytes named(as_bytes("mizan-exchange").begin(), as_bytes("mizan-exchange").end());
  append(named, identity.view());
  put("agent_message", "exchange",
      tagged(2, as_bytes(json_text(json::object{{"id", to_json(keccak256(named))},
                                                {"identity", to_json(identity)},
                                                {"meter", to_json(identity)},
                                                {"clearance", to_json(identity)},
                                                {"feeBps", 200},
                                                {"voucherIntervalSeconds", 10},
                                                {"readinessSeconds", 60},
                                                {"timeMs", 5}}))));
  put("agent_message", "provider.yaml",
      tagged(3, as_bytes("exchange: http://127.0.0.1:8080\nkey: ~/.mizan/keys/provider.json\n"
                         "passphrase_file: /etc/mizan/passphrase\nstate_dir: state\nrate: 0.05\n"
                         "cores: 8\nmemory_gb: 32\ndisk_gb: 200\ncountry: DE\nmin_lease: 1s\n"
                         "max_lease: 24h\nimages: {train: /srv/images/train}\n"
                         "pool: {disks: 2, disk_gb: 1}\nruntime: /usr/sbin/runc\n")));
}

void settlement_seeds() {
  using namespace settlement;
  Writer deposited;
  deposited.put(uint8_t{2});
  deposited.put(keccak256("Deposited(address,uint256)"));
  deposited.raw(AbiTuple().word(Address{}).word(u128{7}).encode());
  put("settlement", "deposited", tagged(0, deposited.bytes()));
  put("settlement", "words",
      tagged(1, AbiTuple().word(Address{}).word(u128{7}).word(Hash32{}).word(u128{1}).encode()));
  Writer row;
  const auto add = [&row](const record::Record& one) {
    const Bytes bytes = encode(one);
    row.put(static_cast<uint16_t>(bytes.size()));
    row.raw(bytes);
  };
  add(record::Begun{31'337, filled<eip712::Ask>().provider});
  add(record::Genesis{keccak256("genesis")});
  add(record::Submitted{"lease-1", {}});
  add(record::Signed{1, 0, 21'000, {{10, 1}, keccak256("tx")}});
  add(record::Ended{1, SendState::done, keccak256("tx"), 9, ""});
  add(record::Forgotten{1});
  put("settlement", "records", tagged(2, row.bytes()));
}

/// A whole lease: whoever changes a seed's terms has all its other messages refused.
void operator_seeds() {
  const auto domain = eip712::Domain::credits(Hash32{});
  const std::string signature = "0x" + std::string(130, '3');
  const std::vector<Payee> payees = {{filled<eip712::Ask>().provider, kWholeBps}};
  for (const bool shared : {false, true}) {
    auto terms = filled<eip712::Terms>();
    terms.payees_hash = shared ? payees_hash(payees) : Hash32{};
    const LeaseId lease = eip712::digest(domain, terms);
    const auto about = [&lease](auto message) {
      message.lease = lease;
      return to_json(message);
    };
    json::object file{{"terms", to_json(terms)},
                      {"clearance", about(filled<eip712::Clearance>())},
                      {"voucher", about(filled<eip712::Voucher>())},
                      {"close", about(filled<eip712::Close>())},
                      {"requestClose", about(filled<eip712::RequestClose>())},
                      {"stopAt", 9}};
    for (const char* name : {"terms", "clearance", "voucher", "close", "requestClose"})
      file[std::string(name) + "Signature"] = signature;
    if (shared) file["payees"] = to_json(payees);
    put("operator_files", shared ? "whole_lease_with_payees" : "whole_lease",
        tagged(2, as_bytes(json_text(file))));
  }
  put("operator_files", "config.json",
      tagged(4,
             as_bytes(R"({"exchange": "http://127.0.0.1:8080", "key": "buyer", "ca": "a.pem"})")));
  put("operator_files", "exchange_on_a_chain.yaml", tagged(0, as_bytes(R"(listen: "[::1]:8080"
operator: "0x1111111111111111111111111111111111111111"
tls: {certificate: c.pem, key: k.pem}
rules: [policy, own]
status_lists: lists
voucher_interval: 10s
settlement: evm
chain: {node: "http://h:1", chain_id: 1, contract: "0x2222222222222222222222222222222222222222", depth: 2}
)")));
}

void image_seeds() {
  // Choices: flag, config (u16 length), number of layers, each a tar (u16 length).
  const std::string config = R"({"User":"job:users","Env":["PATH=/bin","A=b"]})";
  std::ifstream tar(corpus / "archive/tree.tar", std::ios::binary);
  const std::string layer{std::istreambuf_iterator<char>(tar), {}};
  Writer image;
  image.put(uint8_t{1});
  image.put(static_cast<uint16_t>(config.size()));
  image.raw(as_bytes(config));
  image.put(uint8_t{1});
  image.put(static_cast<uint16_t>(layer.size()));
  image.raw(as_bytes(layer));
  put("image", "one-layer", image.bytes());
}

void archive_seeds() {
  std::string pattern = (fs::temp_directory_path() / "mizan_seeds_XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  fs::create_directories(folder / "a/b");
  std::ofstream(folder / "a/b/data.bin") << std::string(700, 'x');
  std::ofstream(folder / "run.sh") << "#!/bin/sh\n";
  fs::permissions(folder / "run.sh", fs::perms::owner_all);
  fs::create_symlink("../run.sh", folder / "a/link");
  std::ofstream(folder / std::string(180, 'n')) << "long";
  Bytes out;
  const auto packed = transfer::pack_tree(folder, [&](ByteView bytes) -> Result<void> {
    append(out, bytes);
    return {};
  });
  if (packed) put("archive", "tree.tar", out);
  fs::remove_all(folder);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  corpus = argv[1];
  messages(static_cast<eip712::AllMessages*>(nullptr));
  exchange_seeds();
  policy_seeds();
  credential_seeds();
  text_seeds();
  choice_seeds();
  seal_seeds();
  archive_seeds();
  agent_seeds();
  settlement_seeds();
  operator_seeds();
  image_seeds();
  return 0;
}

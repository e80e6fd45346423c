// Writes seeds that only the real encoders can make: `make_seeds tests/fuzz/corpus`.
#include "codec/binary.hpp"
#include "codec/json_fields.hpp"
#include "credential/sd_jwt.hpp"
#include "credential/status_list.hpp"
#include "crypto/hash.hpp"
#include "fuzz/credential_world.hpp"
#include "journal/frame.hpp"
#include "policy/case_files.hpp"
#include "property/core_driver.hpp"
#include "property/core_model.hpp"
#include "transfer/tree.hpp"

#include <fmt/format.h>

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
    Bytes bytes{which};
    append(bytes, encode(message));
    put("messages", name + ".bytes", bytes);
    Bytes text{static_cast<uint8_t>(which | 0x80)};
    append(text, as_bytes(json_text(to_json(message))));
    put("messages", name + ".json", text);
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
  journal::Head head;
  for (uint64_t step = 1; step <= 2000; ++step) {
    const Bytes bytes = encode(command);
    int& seen = kinds[command.command.index() * 2 + (command.idempotency ? 1 : 0)];
    if (++seen <= 2)
      put("exchange_command", fmt::format("{:02}-{}", command.command.index(), step), bytes);
    if (step <= 12) {
      group.push_back(bytes);
      if (step % 4 == 0) {
        const std::vector<ByteView> views(group.begin(), group.end());
        const Bytes frame = journal::encode_frame(head, views).value();
        put("journal", fmt::format("frame-{}", step), frame);
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
  put("credential", "list", "s" + world.status_list({3, 13, 999}));
  put("credential", "p256.jwk",
      "k" + json_text(credential::to_jwk(fuzz::CredentialWorld::issuer().public_key())));
  put("credential", "secp256k1.jwk",
      "k" + json_text(credential::to_jwk(public_key(fuzz::CredentialWorld::holder()))));
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
  archive_seeds();
  return 0;
}

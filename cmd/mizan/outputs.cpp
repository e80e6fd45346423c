#include "mizan/outputs.hpp"

#include "crypto/sealed.hpp"
#include "mizan/order_keys.hpp"
#include "mizan/print.hpp"
#include "transfer/tree.hpp"

#include <fmt/format.h>

#include <unistd.h>

namespace mizan::cli {
namespace {

constexpr uint64_t kOutputsBytesMax = 11ULL << 30;

// Files that must not stay behind, whatever happens.
class Scratch {
 public:
  explicit Scratch(fs::path path) : path_(std::move(path)) { remove(); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { remove(); }
  const fs::path& path() const { return path_; }

 private:
  void remove() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  fs::path path_;
};

Result<void> open_sealed(const fs::path& sealed, const fs::path& plain, const BoxKey& key) {
  MIZAN_TRY(source, transfer::file_source(sealed));
  MIZAN_TRY(sink, transfer::FileSink::create(plain));
  Opener opener(key, [&sink](ByteView bytes) { return sink.write(bytes); });
  while (true) {
    MIZAN_TRY(bytes, source());
    if (bytes.empty()) break;
    MIZAN_CHECK(opener.write(bytes));
  }
  MIZAN_CHECK(opener.finish());
  MIZAN_CHECK(sink.finish());
  return {};
}

}  // namespace

fs::path default_outputs_folder(const fs::path& base, const std::string& name,
                                const OrderId& order) {
  std::string safe;
  for (const char letter : name) safe += letter == '/' ? '-' : letter;
  return base / fmt::format("mizan-{}-{}", safe, hex(order.view()).substr(0, 8));
}

Result<FetchedOutputs> fetch_outputs(const Context& context, Session& session,
                                     const OrderState& order, const Hash32& outputs,
                                     const fs::path& folder, StatusLine* status) {
  std::error_code ignored;
  if (fs::exists(folder, ignored))
    return fail(ErrorCode::already_exists,
                fmt::format("{} is there already: give another folder with --to", folder.string()));
  const fs::path home = order_folder(context.home, order.order);
  const Scratch sealed(home / "outputs.sealed"), plain(home / "outputs.tar");
  const auto progress = [&](uint64_t done, uint64_t total) {
    if (status != nullptr)
      status->set(fmt::format("fetching outputs {} {} of {}", bar(done, total, 20),
                              bytes_text(done), bytes_text(total)));
  };
  auto answer = session.client().get_file("/v1/artifacts/" + hex0x(outputs.view()), sealed.path(),
                                          kOutputsBytesMax, progress);
  if (status != nullptr) status->clear();
  if (!answer) return fail(std::move(answer).error());
  MIZAN_TRY(digest, transfer::digest_of_file(sealed.path()));
  if (digest.sha256 != outputs)
    return fail(ErrorCode::corrupted,
                "the outputs are not those of the receipt: their hash differs");
  MIZAN_CHECK(open_sealed(sealed.path(), plain.path(),
                          output_key_of(session.key(), order.exchange_id, order.bid.nonce)));
  const Scratch part(folder.string() + ".part");
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), ignored);
  MIZAN_TRY(summary, transfer::unpack_tree_from_file(plain.path(), part.path()));
  if (std::error_code error; fs::rename(part.path(), folder, error), error)
    return fail(ErrorCode::io_error,
                fmt::format("can't make {}: {}", folder.string(), error.message()));
  return FetchedOutputs{folder, summary.entries, summary.bytes};
}

Result<json::value> fetch_receipt(const Context& context, Session& session, const LeaseId& lease,
                                  const OrderState* order) {
  MIZAN_TRY(receipt, session.get("/v1/leases/" + hex0x(lease.view()) + "/receipt"));
  if (order != nullptr)
    MIZAN_CHECK(
        write_json_file(order_folder(context.home, order->order) / "receipt.json", receipt));
  return receipt;
}

}  // namespace mizan::cli

#include "mizan/demo_chain.hpp"

#include "crypto/address.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <thread>

namespace mizan::cli {
namespace {

constexpr auto kPause = std::chrono::milliseconds(20);
constexpr int kStartTries = 1500;
constexpr std::string_view kListening = "Listening on ";

Result<fs::path> find_anvil(const Context& context) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread sets the environment
  if (const char* named = std::getenv("MIZAN_ANVIL")) return fs::path(named);
  std::error_code ignored;
  // Without their install scripts the packages have no launcher; and what npx starts lives on when
  // npx is killed. So the native program is called itself.
  const fs::path place = "contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil";
  for (const fs::path& folder :
       {fs::current_path(ignored), context.program.parent_path() / ".." / ".."})
    if (fs::exists(folder / place, ignored)) return fs::canonical(folder / place, ignored);
  return fail(ErrorCode::not_found,
              "anvil, the development node, was not found: start scripts/demo.sh --settlement evm, "
              "which installs it, or name it by MIZAN_ANVIL");
}

}  // namespace

Result<DemoChain> DemoChain::start(const Context& context, const fs::path& log) {
  MIZAN_TRY(anvil, find_anvil(context));
  // Through a shell, so that what it says goes to a file: a pipe that nobody reads would stop it.
  MIZAN_TRY(child, Child::start({"/bin/sh", "-c", "exec \"$0\" --port 0 > \"$1\" 2>&1",
                                 anvil.string(), log.string()},
                                {}));
  for (int tries = 0; tries < kStartTries && child.running(); ++tries) {
    const std::string said = read_small_file(log, 1 << 20).value_or("");
    const size_t at = said.find(kListening);
    const size_t end = at == std::string::npos ? at : said.find('\n', at);
    if (end != std::string::npos) {
      const size_t from = at + kListening.size();
      std::string url = "http://" + said.substr(from, end - from);
      MIZAN_TRY(reader, ChainReader::open(url, kChainId));
      MIZAN_TRY(rpc, settlement::JsonRpc::open(url));
      return DemoChain(std::move(child), std::move(url), std::move(reader), std::move(rpc));
    }
    std::this_thread::sleep_for(kPause);
  }
  return fail(
      ErrorCode::unavailable,
      "anvil did not come up: " + read_small_file(log, 1 << 20).value_or("it said nothing"));
}

Result<void> DemoChain::begin_blocks() {
  MIZAN_CHECK(rpc_.call("evm_setAutomine", {false}));
  MIZAN_CHECK(rpc_.call("evm_setIntervalMining", {1}));
  return {};
}

Result<void> DemoChain::bury() {
  MIZAN_CHECK(rpc_.call("anvil_mine", {"0x" + std::to_string(kDepth)}));
  return {};
}

Result<void> DemoChain::give_ether(const Address& to) {
  constexpr const char* kTenEther = "0x8ac7230489e80000";
  MIZAN_CHECK(rpc_.call("anvil_setBalance", {hex0x(to.view()), kTenEther}));
  return {};
}

Result<ChainFigures> DemoChain::figures(const Address& contract, const LeaseId& lease,
                                        const Address& sender) {
  MIZAN_TRY(head, reader_.node().head());
  MIZAN_TRY(logs, reader_.node().logs(contract, 0, head.number));
  ChainFigures figures;
  for (const settlement::Log& log : logs) {
    MIZAN_TRY(event, settlement::read_event(log));
    uint64_t* gas = nullptr;
    if (const auto* opened = std::get_if<settlement::Opened>(&event);
        opened != nullptr && opened->lease == lease)
      gas = &figures.open_gas;
    if (const auto* closed = std::get_if<settlement::Closed>(&event);
        closed != nullptr && closed->lease == lease)
      gas = &figures.close_gas;
    if (gas == nullptr) continue;
    MIZAN_TRY(receipt, reader_.node().receipt(log.transaction));
    if (receipt) *gas = receipt->gas_used;
  }
  MIZAN_TRY(count, reader_.node().latest_nonce(sender));
  figures.tx_count = count;
  return figures;
}

}  // namespace mizan::cli

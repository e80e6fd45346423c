#include "load/exchange_process.hpp"

#include "codec/json.hpp"
#include "crypto/address.hpp"
#include "load/parts.hpp"
#include "service/program.hpp"

#include <boost/json/object.hpp>
#include <fmt/core.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace mizan::bench {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

uint64_t status_bytes(pid_t pid, const std::string& name) {
  const std::string status = text_of(fmt::format("/proc/{}/status", pid));
  const size_t at = status.find(name);
  return at == std::string::npos ? 0 : std::stoull(status.substr(at + name.size())) * 1024;
}

}  // namespace

int run_as_exchange(const char* config_file) {
  auto config = must(service::parse_exchange_config(
      text_of(config_file), std::filesystem::absolute(config_file).parent_path()));
  must(service::run_exchange(config, service::stderr_sink(), [](const service::Ready& ready) {
    fmt::print("{{\"url\":\"{}\",\"id\":\"{}\"}}\n", ready.url, hex0x(ready.id.view()));
    std::fflush(stdout);
  }));
  return 0;
}

ExchangeProcess::ExchangeProcess(const LoadOptions& options, const Address& operator_address)
    : state_(options.folder + "/load_bench.state"), operator_(operator_address) {
  const std::string config = options.folder + "/load_bench.yaml";
  std::ofstream(config) << fmt::format(
      "listen: 127.0.0.1:0\nstate_dir: {}\noperator: \"{}\"\nrules: [none]\nsnapshot_every: {}\n"
      "commands_per_second: 1000000\nmax_connections: 100000\n"
      "max_connections_per_address: 100000\n",
      std::filesystem::absolute(state_).string(), to_checksum(operator_address),
      options.snapshot_every);
  int ends[2];
  if (::pipe(ends) != 0) std::exit(1);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(ends[1], 1);
    ::close(ends[0]);
    ::close(ends[1]);
    if (std::freopen((options.folder + "/load_bench.log").c_str(), "w", stderr) == nullptr)
      ::_exit(1);
    if (options.mizan.empty())
      ::execl("/proc/self/exe", "load_bench", "exchange", config.c_str(), nullptr);
    else
      ::execl(options.mizan.c_str(), "mizan", "--json", "exchange", "--config", config.c_str(),
              nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  out_ = ends[0];
  std::string line;
  for (char c = 0; ::read(out_, &c, 1) == 1;) {
    line += c;
    if (c == '}') break;
  }
  const auto ready = must(parse_json(line, {}, "what mizan exchange said (see load_bench.log)"));
  url_ = ready.as_object().at("url").as_string().c_str();
  port_ = static_cast<uint16_t>(std::stoul(url_.substr(url_.rfind(':') + 1)));
  id_ = must(parse_fixed<Hash32>(ready.as_object().at("id").as_string().c_str()));
}

ExchangeProcess::~ExchangeProcess() {
  stop();
}

void ExchangeProcess::stop() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
  ::close(out_);
  pid_ = 0;
}

double ExchangeProcess::cpu_seconds() const {
  const std::string stat = text_of(fmt::format("/proc/{}/stat", pid_));
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  std::string word;
  uint64_t ticks = 0;
  for (int i = 3; i <= 15 && fields >> word; ++i)
    if (i >= 14) ticks += std::stoull(word);
  return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

uint64_t ExchangeProcess::resident_bytes() const {
  return status_bytes(pid_, "VmRSS:");
}

uint64_t ExchangeProcess::peak_bytes() const {
  return status_bytes(pid_, "VmHWM:");
}

}  // namespace mizan::bench

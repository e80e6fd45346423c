// The service as it really runs: sockets, a pool, a sequencing thread, many clients at once.
#include "net/client.hpp"
#include "net/websocket.hpp"
#include "service/driver.hpp"
#include "service/world.hpp"

#include <thread>

namespace mizan::service {
namespace {

using namespace std::chrono_literals;

class Running {
 public:
  Running() {
    ServiceConfig config;
    config.operator_ = operator_key.address();
    config.state = folder.path;
    service = Service::open(config, {system_clock(), pool, *journal, keys, log}).value();
    driver.emplace(*service);
    server = net::Server::start({}, *service).value();
    url = net::parse_url("http://127.0.0.1:" + std::to_string(server->port())).value();
  }
  ~Running() {
    server->stop();
    pool.stop();
    driver.reset();
    service->sequencer().stop();
  }
  std::string grant(uint64_t nonce) const {
    const eip712::Grant made{buyer.address(), 1, nonce, system_clock().now().seconds() + 60};
    return json_text(
        json::object{{"grant", to_json(made)},
                     {"signature", to_json(eip712::sign(domain, made, operator_key))}});
  }
  std::shared_ptr<const net::Signer> signer(const SecretKey& key) const {
    return std::make_shared<net::Signer>(domain, key.clone());
  }

  const TemporaryFolder folder;
  const ExchangeKeys keys = generate_keys();
  const eip712::Domain domain = eip712::Domain::credits(keys.exchange_id());
  const SecretKey operator_key = SecretKey::generate();
  const SecretKey buyer = SecretKey::generate();
  const Log log{system_clock(), nullptr};
  std::unique_ptr<journal::Journal> journal = journal::make_memory_journal(keys.exchange_id());
  ThreadPool pool{2};
  std::unique_ptr<Service> service;
  std::optional<Driver> driver;
  std::unique_ptr<net::Server> server;
  net::Url url;
};

TEST(Threads, ManyClientsGetEachTheirAnswer) {
  constexpr uint64_t kThreads = 4, kEach = 25;
  Running running;
  std::mutex mutex;
  std::set<uint64_t> sequences;
  std::atomic<bool> over = false;
  std::thread reader([&] {
    net::Client client(running.url, running.signer(running.buyer));
    const std::string account = "/v1/accounts/" + to_checksum(running.buyer.address());
    while (!over) {
      EXPECT_TRUE(client.get(account));
      EXPECT_TRUE(client.get("/v1/metrics"));
    }
  });
  std::thread agents([&] {
    while (!over) {
      const SecretKey key = SecretKey::generate();
      const auto headers =
          running.signer(key)->sign("GET", "/v1/agent", "", "", system_clock().now());
      auto socket = net::WebSocket::connect(running.url, "/v1/agent", headers);
      ASSERT_TRUE(socket) << socket.error().message;
      const auto welcome = socket->read(20s);
      ASSERT_TRUE(welcome);
      EXPECT_THAT(welcome->value_or(""), testing::HasSubstr("welcome"));
    }
  });
  std::vector<std::thread> writers;
  for (uint64_t t = 0; t < kThreads; ++t)
    writers.emplace_back([&, t] {
      net::Client client(running.url);
      for (uint64_t i = 0; i < kEach; ++i) {
        const std::string body = running.grant(t * kEach + i);
        const auto answer = client.post("/v1/grants", body, "k" + std::to_string(t * kEach + i));
        ASSERT_TRUE(answer) << answer.error().message;
        const std::lock_guard lock(mutex);
        sequences.insert(parse_json(answer->body)->at("sequence").to_number<uint64_t>());
      }
    });
  for (std::thread& writer : writers) writer.join();
  over = true;
  reader.join();
  agents.join();
  EXPECT_EQ(sequences.size(), kThreads * kEach);
  running.service->state().read([&](const exchange::Exchange& core) {
    EXPECT_EQ(core.account(running.buyer.address()).balance.nano, kThreads * kEach);
  });
}

TEST(Threads, TheServiceStopsUnderLoad) {
  std::atomic<bool> over = false;
  std::vector<std::thread> clients;
  {
    Running running;
    for (int t = 0; t < 3; ++t)
      clients.emplace_back([&over, url = running.url] {
        net::Client client(url);
        while (!over) (void)client.get("/v1/offers");
      });
    net::Client client(running.url);
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(client.get("/v1/health"));
  }
  over = true;
  for (std::thread& thread : clients) thread.join();
}

}  // namespace
}  // namespace mizan::service

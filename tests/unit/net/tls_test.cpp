// Every test shakes hands with real OpenSSL at both ends.
#include "net/tls.hpp"

#include "crypto/private_file.hpp"
#include "net/client.hpp"
#include "net/raw_connection.hpp"
#include "net/server.hpp"
#include "net/websocket.hpp"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace mizan::net {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// Answers with the request's line and body; /big with 3 MB; /ws echoes.
class TlsEcho final : public Handler {
 public:
  struct EchoSocket final : SocketHandler {
    void on_open(std::shared_ptr<Socket> opened) override { socket = std::move(opened); }
    void on_text(std::string text, std::function<void()> done) override {
      socket->send("echo " + text);
      done();
    }
    void on_close(const Error&) override {}
    std::shared_ptr<Socket> socket;
  };
  void plan(const Request&, PlanAnswer answer) override { answer(BodyPlan{4 << 20, nullptr}); }
  void handle(Request request, std::shared_ptr<BodySink>, Respond respond) override {
    Response response;
    response.body = request.path() == "/big" ? std::string(3 << 20, 'b')
                                             : request.method + " " + request.target + " " +
                                                   std::to_string(request.body.size());
    respond(std::move(response));
  }
  void upgrade(Request, UpgradeAnswer answer) override {
    answer(std::shared_ptr<SocketHandler>(std::make_shared<EchoSocket>()));
  }
};

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    ca_ = make("server", {{"localhost"}, {"127.0.0.1"}}, system_clock().now(), 30);
  }
  void TearDown() override {
    server_.reset();
    fs::remove_all(folder_);
  }

  TlsFiles files(const std::string& name) const {
    return {folder_ / (name + ".pem"), folder_ / (name + ".key")};
  }
  /// Writes the certificate and key of `name`; gives its authority's file.
  std::string make(const std::string& name, const CertificateNames& names, UnixMs now,
                   uint32_t days) {
    const auto made = make_development_certificate(names, now, days).value();
    const std::string authority = (folder_ / (name + "-ca.pem")).string();
    for (const auto& [path, text] :
         {std::pair(files(name).certificate, &made.certificate),
          std::pair(files(name).key, &made.key), std::pair(fs::path(authority), &made.authority)})
      EXPECT_TRUE(write_private_file(path.string(), as_bytes(*text)));
    return authority;
  }
  Result<void> start(const TlsFiles& tls, ServerOptions options = {}) {
    options.tls = tls;
    MIZAN_TRY(server, Server::start(options, echo_));
    server_ = std::move(server);
    return {};
  }
  Url url(const std::string& ca, const std::string& host = "127.0.0.1") const {
    return {true, host, server_->port(), ca};
  }
  Error refused(const TlsFiles& tls) {
    const auto started = start(tls);
    return started ? Error{} : started.error();
  }

  const fs::path folder_ =
      fs::temp_directory_path() / ("mizan_tls_" + std::to_string(::getpid()) + "_" +
                                   testing::UnitTest::GetInstance()->current_test_info()->name());
  std::string ca_;
  TlsEcho echo_;
  std::unique_ptr<Server> server_;
};

TEST_F(TlsTest, CarriesCallsOnOneConnection) {
  ASSERT_TRUE(start(files("server")));
  for (const char* host : {"127.0.0.1", "localhost"}) {
    Client client(url(ca_, host));
    EXPECT_EQ(client.get("/a?b=c").value().body, "GET /a?b=c 0");
    EXPECT_EQ(client.post("/p", std::string(2 << 20, 'x')).value().body, "POST /p 2097152");
    EXPECT_EQ(client.get("/big").value().body, std::string(3 << 20, 'b'));
    EXPECT_EQ(client.get("/z").value().body, "GET /z 0");
  }
  EXPECT_EQ(server_->counts().accepted, 2U);
}

TEST_F(TlsTest, ConnectsAgainAfterTheServerWasReplaced) {
  ASSERT_TRUE(start(files("server")));
  Client client(url(ca_));
  ASSERT_TRUE(client.get("/a"));
  ServerOptions same;
  same.port = server_->port();
  server_.reset();
  ASSERT_TRUE(start(files("server"), same));
  EXPECT_TRUE(client.get("/a"));
}

TEST_F(TlsTest, CarriesWebSockets) {
  ASSERT_TRUE(start(files("server")));
  auto socket = WebSocket::connect(url(ca_), "/ws");
  ASSERT_TRUE(socket) << socket.error().message;
  for (const size_t size : {size_t{5}, size_t{300'000}}) {
    socket->write(std::string(size, 'x'));
    EXPECT_EQ(socket->read(20s).value(), "echo " + std::string(size, 'x'));
  }
  socket->close();
  EXPECT_EQ(socket->read(20s).error().code, ErrorCode::unavailable);
}

TEST_F(TlsTest, RefusesWhoIsNotMeant) {
  ASSERT_TRUE(start(files("server")));
  const std::string stranger = make("stranger", {{"localhost"}, {}}, system_clock().now(), 30);
  for (const std::string& ca : {std::string(), stranger}) {
    const Error error = Client(url(ca)).get("/a").error();
    EXPECT_EQ(error.code, ErrorCode::unauthenticated) << error.message;
    EXPECT_NE(error.message.find("--ca"), std::string::npos) << error.message;
    EXPECT_EQ(WebSocket::connect(url(ca), "/ws").error().code, ErrorCode::unauthenticated);
  }
  EXPECT_EQ(Client(url((folder_ / "absent").string())).get("/a").error().code,
            ErrorCode::invalid_argument);
  server_.reset();

  const std::string other =
      make("other", {{"exchange.example"}, {"192.0.2.1"}}, system_clock().now(), 30);
  ASSERT_TRUE(start(files("other")));
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const Error error = Client(url(other, host)).get("/a").error();
    EXPECT_EQ(error.code, ErrorCode::unauthenticated) << error.message;
    EXPECT_NE(error.message.find("mismatch"), std::string::npos) << error.message;
  }
  server_.reset();

  const std::string later =
      make("later", {{"localhost"}, {}}, UnixMs{system_clock().now().ms + 900'000'000'000}, 30);
  ASSERT_TRUE(start(files("later")));
  EXPECT_EQ(Client(url(later, "localhost")).get("/a").error().code, ErrorCode::unauthenticated);
}

/// One handshake with OpenSSL itself, as a server that this repository would not start.
class ForeignServer {
 public:
  ForeignServer(const TlsFiles& files, int version) : context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_set_max_proto_version(context_, version);
    EXPECT_EQ(SSL_CTX_use_certificate_chain_file(context_, files.certificate.c_str()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context_, files.key.c_str(), SSL_FILETYPE_PEM), 1);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      const int peer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      SSL* const tls = SSL_new(context_);
      SSL_set_fd(tls, peer);
      shook_hands_ = SSL_accept(tls) == 1;
      SSL_free(tls);
      ::close(peer);
    });
  }
  ~ForeignServer() {
    thread_.join();
    ::close(listener_);
    SSL_CTX_free(context_);
  }
  ForeignServer(const ForeignServer&) = delete;
  ForeignServer& operator=(const ForeignServer&) = delete;
  uint16_t port() const { return port_; }

 private:
  SSL_CTX* context_;
  int listener_ = -1;
  uint16_t port_ = 0;
  bool shook_hands_ = false;
  std::thread thread_;
};

TEST_F(TlsTest, RefusesAnExpiredCertificateAtBothEnds) {
  constexpr uint64_t kTenDaysMs = 864'000'000;
  const std::string ca =
      make("old", {{"localhost"}, {}}, UnixMs{system_clock().now().ms - kTenDaysMs}, 5);
  EXPECT_NE(refused(files("old")).message.find("has expired"), std::string::npos);
  const ForeignServer server(files("old"), TLS1_3_VERSION);
  const Error error = Client(Url{true, "localhost", server.port(), ca}).get("/a").error();
  EXPECT_EQ(error.code, ErrorCode::unauthenticated);
  EXPECT_NE(error.message.find("expired"), std::string::npos) << error.message;
}

TEST_F(TlsTest, TalksNothingOlderThanTls13) {
  {
    const ForeignServer server(files("server"), TLS1_2_VERSION);
    EXPECT_EQ(Client(Url{true, "localhost", server.port(), ca_}).get("/a").error().code,
              ErrorCode::unavailable);
  }
  ASSERT_TRUE(start(files("server")));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const RawConnection connection(server_->port());
    SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(context, version);
    SSL* const tls = SSL_new(context);
    SSL_set_fd(tls, connection.descriptor());
    EXPECT_EQ(SSL_connect(tls) == 1, version == TLS1_3_VERSION);
    SSL_free(tls);
    SSL_CTX_free(context);
  }
  RawConnection plain(server_->port());
  ASSERT_TRUE(plain.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_EQ(plain.read_to_end().find("HTTP/1.1 200"), std::string::npos);
}

TEST_F(TlsTest, AHandshakeIsHeldToATime) {
  ServerOptions options;
  options.header_timeout = 100ms;
  ASSERT_TRUE(start(files("server"), options));
  RawConnection silent(server_->port());
  EXPECT_EQ(silent.read_to_end(), "");
}

TEST_F(TlsTest, NamesEveryMistakeInItsFiles) {
  const TlsFiles good = files("server");
  EXPECT_EQ(refused({good.certificate, {}}).details.at("field"), "tls.key");
  EXPECT_EQ(refused({{}, good.key}).details.at("field"), "tls.certificate");
  EXPECT_EQ(refused({folder_ / "absent", good.key}).details.at("field"), "tls.certificate");
  EXPECT_EQ(refused({good.certificate, folder_ / "absent"}).details.at("field"), "tls.key");
  EXPECT_EQ(refused({good.key, good.key}).details.at("field"), "tls.certificate");
  EXPECT_EQ(refused({good.certificate, good.certificate}).details.at("field"), "tls.key");
  make("other", {{"localhost"}, {}}, system_clock().now(), 30);
  EXPECT_NE(refused({good.certificate, files("other").key}).message.find("is not the key of"),
            std::string::npos);

  EVP_PKEY* const key = EVP_EC_gen("P-256");
  FILE* const file = std::fopen((folder_ / "locked.key").c_str(), "we");
  const std::string passphrase = "secret";
  PEM_write_PKCS8PrivateKey(file, key, EVP_aes_256_cbc(), passphrase.data(),
                            static_cast<int>(passphrase.size()), nullptr, nullptr);
  std::fclose(file);
  EVP_PKEY_free(key);
  fs::permissions(folder_ / "locked.key", fs::perms::owner_read);
  EXPECT_NE(refused({good.certificate, folder_ / "locked.key"}).message.find("is encrypted"),
            std::string::npos);

  fs::permissions(good.key, fs::perms::owner_read | fs::perms::group_read);
  const Error open = refused(good);
  EXPECT_EQ(open.code, ErrorCode::forbidden);
  EXPECT_NE(open.message.find("chmod 600"), std::string::npos) << open.message;
}

TEST_F(TlsTest, NothingLeavesTheMachineWithoutIt) {
  for (const char* text :
       {"http://192.0.2.1:80", "http://exchange.example", "http://[2001:db8::1]"})
    EXPECT_NE(parse_url(text).error().message.find("https://"), std::string::npos) << text;
  for (const char* text : {"http://127.0.0.2:1", "http://localhost", "http://[::1]:5"})
    EXPECT_TRUE(parse_url(text)) << text;
  ServerOptions everywhere;
  everywhere.address = "0.0.0.0";
  const Error error = Server::start(everywhere, echo_).error();
  EXPECT_EQ(error.details.at("field"), "listen");
  EXPECT_TRUE(start(files("server"), everywhere));
}

TEST_F(TlsTest, NamesWhatACertificateCannotBeFor) {
  const UnixMs now = system_clock().now();
  for (const CertificateNames& names :
       {CertificateNames{{}, {}}, CertificateNames{{"a b"}, {}}, CertificateNames{{"10.0.0.1"}, {}},
        CertificateNames{{"a,IP:1.2.3.4"}, {}}, CertificateNames{{}, {"localhost"}}})
    EXPECT_EQ(make_development_certificate(names, now, 1).error().code,
              ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace mizan::net

#include "net/tls_context.hpp"

#include "crypto/private_file.hpp"
#include "crypto/random.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

namespace mizan::net {
namespace {

namespace ssl = asio::ssl;

struct FreePem {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};

/// OpenSSL's own words for what went wrong last, for the end of a sentence.
std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  ERR_clear_error();
  return reason != nullptr ? std::string(": ") + reason : std::string();
}

tl::unexpected<Error> bad(const std::string& field, std::string message) {
  return fail(Error{ErrorCode::invalid_argument, field + ": " + std::move(message), {}}.with(
      "field", field));
}

/// TLS 1.3 and nothing older, whatever the system's configuration says.
void only_tls_1_3(TlsContext& context) {
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(context.native_handle(), TLS1_3_VERSION);
  // An idle connection gives its buffers back: there may be many.
  SSL_CTX_set_mode(context.native_handle(), SSL_MODE_RELEASE_BUFFERS);
}

/// Null if the text holds no key that can be read without a passphrase.
std::unique_ptr<EVP_PKEY, FreePem> parse_key(const std::string& pem) {
  const std::unique_ptr<BIO, FreePem> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  // Without a passphrase at hand an encrypted key is an error, not a question on the terminal.
  const auto no_passphrase = [](char*, int, int, void*) { return 0; };
  return std::unique_ptr<EVP_PKEY, FreePem>(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
}

Result<void> use_key(SSL_CTX* context, const TlsFiles& files) {
  auto text = read_private_file(files.key.string());
  if (!text)
    return fail(
        Error{text.error().code, "tls.key: " + text.error().message, {}}.with("field", "tls.key"));
  const auto key = parse_key(*text);
  const bool encrypted = text->find("ENCRYPTED") != std::string::npos;
  wipe(*text);
  ERR_clear_error();
  if (!key)
    return bad("tls.key", files.key.string() +
                              (encrypted ? " is encrypted; give the key without a passphrase, in a "
                                           "file of mode 0600"
                                         : " holds no private key in PEM"));
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return bad("tls.key", files.key.string() + " is not the key of " + files.certificate.string());
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<TlsContext>> server_tls(const TlsFiles& files) {
  if (files.certificate.empty()) return bad("tls.certificate", "is missing beside tls.key");
  if (files.key.empty()) return bad("tls.key", "is missing beside tls.certificate");
  auto context = std::make_shared<TlsContext>(ssl::context::tls_server);
  SSL_CTX* const handle = context->native_handle();
  only_tls_1_3(*context);
  // Connections last, so that resuming one is worth nothing; and a ticket is state for a stranger.
  SSL_CTX_set_num_tickets(handle, 0);
  SSL_CTX_set_session_cache_mode(handle, SSL_SESS_CACHE_OFF);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(handle, files.certificate.c_str()) != 1)
    return bad("tls.certificate", files.certificate.string() +
                                      " cannot be read as a certificate in PEM" + openssl_reason());
  const X509* certificate = SSL_CTX_get0_certificate(handle);
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
    return bad("tls.certificate", files.certificate.string() + " has expired: renew it");
  MIZAN_CHECK(use_key(handle, files));
  return context;
}

Result<std::shared_ptr<TlsContext>> client_tls(const std::string& ca) {
  auto context = std::make_shared<TlsContext>(ssl::context::tls_client);
  SSL_CTX* const handle = context->native_handle();
  only_tls_1_3(*context);
  SSL_CTX_set_verify(handle, SSL_VERIFY_PEER, nullptr);
  ERR_clear_error();
  if (ca.empty()) {
    SSL_CTX_set_default_verify_paths(handle);
  } else if (SSL_CTX_load_verify_file(handle, ca.c_str()) != 1) {
    return bad("ca", ca + " cannot be read as certificates in PEM" + openssl_reason());
  }
  return context;
}

asio::awaitable<Result<void>> secure_client(Stream& stream, TlsContext& context, const Url& url) {
  long verified = X509_V_OK;
  const error_code ec = co_await stream.connect_tls(context, url.host, verified);
  if (!ec) co_return Result<void>{};
  if (verified != X509_V_OK)
    co_return fail(ErrorCode::unauthenticated,
                   url.text() + " shows a certificate that is not believed (" +
                       X509_verify_cert_error_string(verified) +
                       "); if its authority is your own, name that one's file with --ca");
  co_return fail(network_error("no TLS 1.3 with " + url.authority(), ec));
}

}  // namespace mizan::net

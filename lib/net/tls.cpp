#include "net/tls.hpp"

#include "crypto/random.hpp"

#include <boost/asio/ip/address.hpp>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>

namespace mizan::net {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using Certificate = std::unique_ptr<X509, Free>;

bool is_ip(const std::string& text) {
  boost::system::error_code no_ip;
  boost::asio::ip::make_address(text, no_ip);
  return !no_ip;
}

/// Letters, digits, '-' and '.' alone: nothing that OpenSSL's configuration syntax reads otherwise.
bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
  });
}

Result<std::string> alternative_names(const CertificateNames& names) {
  std::string text;
  const auto add = [&text](const char* kind, const std::string& value) {
    text += (text.empty() ? "" : ",") + std::string(kind) + value;
  };
  for (const std::string& name : names.names) {
    if (!is_name(name) || is_ip(name))
      return fail(ErrorCode::invalid_argument, "\"" + name + "\" is not a DNS name");
    add("DNS:", name);
  }
  for (const std::string& ip : names.ips) {
    if (!is_ip(ip)) return fail(ErrorCode::invalid_argument, "\"" + ip + "\" is not an IP address");
    add("IP:", ip);
  }
  if (text.empty())
    return fail(ErrorCode::invalid_argument,
                "name at least one DNS name or IP address that the server is reached by");
  return text;
}

void set_name(X509_NAME* name, const char* text) {
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(text), -1, -1, 0);
}

/// Unsigned, with everything but its extensions.
Certificate blank(const char* subject, const char* issuer, EVP_PKEY* key, UnixMs now,
                  uint32_t days) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), random_u64() >> 1);
  constexpr int64_t kDay = 86'400;
  const auto today = static_cast<int64_t>(now.seconds());
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()), today - kDay);
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), today + kDay * days);
  set_name(X509_get_subject_name(certificate.get()), subject);
  set_name(X509_get_issuer_name(certificate.get()), issuer);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

bool extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Free> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

template <class Write>
std::string pem(Write write) {
  const std::unique_ptr<BIO, Free> bio(BIO_new(BIO_s_mem()));
  write(bio.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  std::string text(data, static_cast<size_t>(size));
  OPENSSL_cleanse(data, static_cast<size_t>(size));
  return text;
}

}  // namespace

bool is_loopback(const std::string& host) {
  if (host == "localhost") return true;
  boost::system::error_code no_ip;
  const auto address = boost::asio::ip::make_address(host, no_ip);
  return !no_ip && address.is_loopback();
}

Result<DevelopmentCertificate> make_development_certificate(const CertificateNames& names,
                                                            UnixMs now, uint32_t days) {
  constexpr const char* kAuthority = "Mizan development authority";
  MIZAN_TRY(alternatives, alternative_names(names));
  const Key authority_key(EVP_EC_gen("P-256"));
  const Key key(EVP_EC_gen("P-256"));
  if (!authority_key || !key)
    return fail(ErrorCode::internal, "OpenSSL could not make a key on the curve P-256");
  const Certificate authority = blank(kAuthority, kAuthority, authority_key.get(), now, days);
  const Certificate server = blank("Mizan development server", kAuthority, key.get(), now, days);
  X509* const ca = authority.get();
  const bool made = extend(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    extend(ca, ca, NID_key_usage, "critical,keyCertSign") &&
                    extend(ca, ca, NID_subject_key_identifier, "hash") &&
                    X509_sign(ca, authority_key.get(), EVP_sha256()) != 0 &&
                    extend(server.get(), ca, NID_basic_constraints, "critical,CA:FALSE") &&
                    extend(server.get(), ca, NID_key_usage, "critical,digitalSignature") &&
                    extend(server.get(), ca, NID_ext_key_usage, "serverAuth") &&
                    extend(server.get(), ca, NID_subject_key_identifier, "hash") &&
                    extend(server.get(), ca, NID_authority_key_identifier, "keyid") &&
                    extend(server.get(), ca, NID_subject_alt_name, alternatives) &&
                    X509_sign(server.get(), authority_key.get(), EVP_sha256()) != 0;
  if (!made) return fail(ErrorCode::internal, "OpenSSL could not make the certificates");
  return DevelopmentCertificate{
      pem([&](BIO* out) { PEM_write_bio_X509(out, ca); }),
      pem([&](BIO* out) { PEM_write_bio_X509(out, server.get()); }), pem([&](BIO* out) {
        PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
      })};
}

}  // namespace mizan::net

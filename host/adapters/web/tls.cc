#include "host/adapters/web/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <ctime>

#include "host/base/check.h"

namespace host::web {
namespace {

template <class T, void (*Free)(T*)>
struct Freed {
  void operator()(T* thing) const { Free(thing); }
};
void free_bio(BIO* bio) { BIO_free(bio); }
using Bio = std::unique_ptr<BIO, Freed<BIO, free_bio>>;
using Certificate = std::unique_ptr<X509, Freed<X509, X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX, SSL_CTX_free>>;

Error refused(const std::string& what, const char* hint) {
  std::array<char, 256> reason{};
  const unsigned long code = ERR_peek_last_error();
  if (code != 0) ERR_error_string_n(code, reason.data(), reason.size());
  ERR_clear_error();
  return make_error(Error::Code::invalid,
                    what + (code != 0 ? ": " + std::string(reason.data()) : ""), hint);
}

Bio reading(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// A key with a passphrase is refused instead of asking the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

/// What a client offers is taken where it is HTTP/1.1; who offers others alone goes on without.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* length,
                    const unsigned char* offered, unsigned offered_length, void*) {
  static constexpr unsigned char kOurs[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  const int found =
      SSL_select_next_proto(&chosen, length, kOurs, sizeof kOurs - 1, offered, offered_length);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

Context make_context() {
  Context context(SSL_CTX_new(TLS_server_method()));
  HOST_CHECK(context != nullptr, "OpenSSL makes contexts");
  SSL_CTX* c = context.get();
  SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  // Of TLS 1.2 what has forward secrecy and authenticated encryption; of TLS 1.3 all has.
  HOST_CHECK(SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1, "there are such");
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Sessions are resumed by tickets, which clients keep; the server remembers none.
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(c, choose_protocol, nullptr);
  return context;
}

Result<Time> use_certificates(SSL_CTX* context, std::string_view pem) {
  const Bio bio = reading(pem);
  const Certificate first(PEM_read_bio_X509_AUX(bio.get(), nullptr, no_passphrase, nullptr));
  if (!first) {
    return refused("the certificate file holds no certificate",
                   "PEM: the server's certificate first, then those that lead to its root");
  }
  if (SSL_CTX_use_certificate(context, first.get()) != 1) {
    return refused("the certificate cannot be used", "an RSA key of 2048 bits or an EC key");
  }
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr)) {
    Certificate owned(next);
    if (SSL_CTX_add0_chain_cert(context, next) != 1) {
      return refused("the certificate's chain cannot be used", "");
    }
    owned.release();  // the context's now
  }
  const unsigned long end = ERR_peek_last_error();
  if (ERR_GET_REASON(end) != PEM_R_NO_START_LINE) {
    return refused("the certificate file has a damaged part", "PEM blocks, one behind the other");
  }
  ERR_clear_error();
  std::tm until = {};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(first.get()), &until) != 1) {
    return refused("the certificate has no end", "");
  }
  return Time(std::chrono::seconds(timegm(&until)));
}

Result<void> use_key(SSL_CTX* context, std::string_view pem) {
  const Bio bio = reading(pem);
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key) return refused("the key file holds no key that can be read", "PEM, without passphrase");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return refused("the key does not belong to the certificate", "two files of one pair");
  }
  return {};
}

}  // namespace

TlsCredentials::~TlsCredentials() { SSL_CTX_free(context_); }

Result<std::shared_ptr<const TlsCredentials>> TlsCredentials::make(std::string_view certificates,
                                                                   std::string_view key) {
  ERR_clear_error();
  Context context = make_context();
  const Result<Time> until = use_certificates(context.get(), certificates);
  if (!until) return until.error();
  if (Result<void> used = use_key(context.get(), key); !used) return used.error();
  return std::shared_ptr<const TlsCredentials>(new TlsCredentials(context.release(), *until));
}

}  // namespace host::web

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <catch2/catch.hpp>
#include <chrono>

#include "host/adapters/web/tls_session.h"
#include "tests/fakes/tls_pair.h"

namespace host::web {
namespace {

using fakes::make_tls_pair;
using State = TlsSession::State;

std::shared_ptr<const TlsCredentials> credentials() {
  static const fakes::TlsPair pair = make_tls_pair("inn.example");
  auto made = TlsCredentials::make(pair.certificate, pair.key);
  if (!made) FAIL(made.error().to_string());
  return *made;
}

std::string why(const std::string& certificate, const std::string& key) {
  const auto made = TlsCredentials::make(certificate, key);
  return made ? "it is good" : made.error().message;
}

/// OpenSSL's own client, whose wire is a pair of texts.
class Client {
 public:
  explicit Client(TlsSession& server, int newest = TLS1_3_VERSION, int oldest = TLS1_2_VERSION)
      : server_(server), context_(SSL_CTX_new(TLS_client_method())), ssl_(nullptr) {
    SSL_CTX_set_min_proto_version(context_, oldest);
    SSL_CTX_set_max_proto_version(context_, newest);
    SSL_CTX_set_security_level(context_, 0);  // so that it offers what it should not get
    ssl_ = SSL_new(context_);
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_);
  }
  ~Client() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  /// The bytes that go to the server now.
  std::string to_server() {
    std::string bytes(BIO_ctrl_pending(SSL_get_wbio(ssl_)), '\0');
    BIO_read(SSL_get_wbio(ssl_), bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  /// Hands over `portion` bytes at a time, takes what comes back, until nothing moves.
  State exchange(std::size_t portion = 4096) {
    State state = State::open;
    for (int round = 0; round < 20; ++round) {
      if (!SSL_is_init_finished(ssl_)) SSL_do_handshake(ssl_);
      const std::string bytes = to_server();
      for (std::size_t at = 0; at < bytes.size(); at += portion) {
        state = server_.receive(std::string_view(bytes).substr(at, portion), heard);
      }
      const std::string_view wire = server_.wire();
      if (bytes.empty() && wire.empty()) break;
      BIO_write(SSL_get_rbio(ssl_), wire.data(), static_cast<int>(wire.size()));
      server_.consume(wire.size());
    }
    return state;
  }
  void say(const std::string& text) { SSL_write(ssl_, text.data(), static_cast<int>(text.size())); }
  std::string read() {
    std::string all(1 << 20, '\0');
    std::size_t size = 0;
    for (int n = 1; n > 0; size += static_cast<std::size_t>(std::max(n, 0))) {
      n = SSL_read(ssl_, all.data() + size, static_cast<int>(all.size() - size));
    }
    return all.substr(0, size);
  }
  SSL* ssl() { return ssl_; }
  std::string heard;  // by the server

 private:
  TlsSession& server_;
  SSL_CTX* context_;
  SSL* ssl_;
};

}  // namespace

TEST_CASE("bytes go both ways through a session, in portions of any size", "[tls]") {
  const std::size_t portion = GENERATE(1, 7, 4096);
  TlsSession session(credentials());
  Client client(session);
  CHECK(session.send("too early") == 0);
  CHECK(client.exchange(portion) == State::open);
  REQUIRE(session.ready());
  const std::string question(40'000, 'q'), answer(100'000, 'a');
  client.say(question);
  client.exchange(portion);
  CHECK(client.heard == question);
  for (std::size_t sent = 0; sent < answer.size();) {
    const std::size_t n = session.send(std::string_view(answer).substr(sent));
    REQUIRE(n > 0);
    CHECK(n <= 16 * 1024);
    sent += n;
  }
  client.exchange(portion);
  CHECK(client.read() == answer);
}

TEST_CASE("TLS 1.2 is the oldest that is spoken", "[tls]") {
  struct Row {
    int version;
    bool good;
  };
  for (const Row& row : {Row{TLS1_VERSION, false}, Row{TLS1_1_VERSION, false},
                         Row{TLS1_2_VERSION, true}, Row{TLS1_3_VERSION, true}}) {
    INFO(row.version);
    TlsSession session(credentials());
    Client client(session, row.version, row.version);
    const State state = client.exchange();
    CHECK(session.ready() == row.good);
    CHECK(state == (row.good ? State::open : State::broken));
  }
}

TEST_CASE("HTTP/1.1 is chosen among the protocols that a client offers", "[tls]") {
  TlsSession session(credentials());
  Client client(session);
  const std::string offered = std::string("\x02h2") + "\x08http/1.1";
  SSL_set_alpn_protos(client.ssl(), reinterpret_cast<const unsigned char*>(offered.data()),
                      static_cast<unsigned>(offered.size()));
  client.exchange();
  const unsigned char* chosen = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(client.ssl(), &chosen, &length);
  CHECK(std::string(reinterpret_cast<const char*>(chosen), length) == "http/1.1");
}

TEST_CASE("a client that says goodbye has ended, and gets ours once", "[tls]") {
  TlsSession session(credentials());
  Client client(session);
  client.exchange();
  client.say("last words");
  SSL_shutdown(client.ssl());
  CHECK(client.exchange() == State::ended);
  CHECK(client.heard == "last words");
  CHECK(session.close());
  CHECK_FALSE(session.close());
  CHECK(session.send("after the end") == 0);
  client.exchange();
  CHECK(SSL_shutdown(client.ssl()) == 1);
}

TEST_CASE("what is no TLS is told from what is broken TLS", "[tls]") {
  std::string text;
  TlsSession plain(credentials());
  CHECK(plain.receive("GET / HTTP/1.1\r\n\r\n", text) == State::plain);
  CHECK(plain.wire().empty());
  TlsSession noise(credentials());
  CHECK(noise.receive(std::string("\x16\x03\x01\x00\x05hello", 10), text) == State::broken);
  CHECK(noise.receive("\x16", text) == State::broken);
  TlsSession session(credentials());
  Client client(session);
  client.exchange();
  client.say("hello");
  std::string bytes = client.to_server();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  CHECK(session.receive(bytes, text) == State::broken);
  CHECK(session.send("no more") == 0);
  CHECK(text.empty());
}

TEST_CASE("a pair says until when it is good", "[tls]") {
  const auto until = credentials()->not_after().time_since_epoch();
  const auto tomorrow =
      std::chrono::system_clock::now().time_since_epoch() + std::chrono::hours(24);
  CHECK(std::chrono::abs(until - tomorrow) < std::chrono::hours(1));
  const fakes::TlsPair old = make_tls_pair("inn.example", -1);
  CHECK((*TlsCredentials::make(old.certificate, old.key))->not_after().time_since_epoch() <
        std::chrono::system_clock::now().time_since_epoch());
}

TEST_CASE("a bad pair says what is wrong with it", "[tls]") {
  const fakes::TlsPair one = make_tls_pair("one.example"), two = make_tls_pair("two.example");
  CHECK_THAT(why("", one.key), Catch::StartsWith("the certificate file holds no certificate"));
  CHECK_THAT(why(one.key, one.key), Catch::StartsWith("the certificate file holds no certificate"));
  CHECK_THAT(why(one.certificate, ""), Catch::StartsWith("the key file holds no key"));
  CHECK_THAT(why(one.certificate, two.key), Catch::StartsWith("the key does not belong"));
  CHECK_THAT(why(one.certificate + "-----BEGIN CERTIFICATE-----\nnonsense\n", one.key),
             Catch::StartsWith("the certificate file has a damaged part"));
  CHECK(why(one.certificate + two.certificate, one.key) == "it is good");
}

}  // namespace host::web

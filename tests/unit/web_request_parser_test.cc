#include <catch2/catch.hpp>

#include "host/adapters/web/request_parser.h"

using namespace host;
using web::RequestParser;
using State = RequestParser::State;

namespace {

/// A connection's worth of bytes, given to the parser in pieces.
class Feed {
 public:
  explicit Feed(std::size_t max_body = 1000) : max_body_(max_body) {}

  /// Gives `bytes` in pieces of `piece`; the state after the last.
  State give(std::string_view bytes, std::size_t piece = 1'000'000) {
    State state = State::need_more;
    while (!bytes.empty()) {
      held_ += bytes.substr(0, piece);
      bytes.remove_prefix(std::min(piece, bytes.size()));
      state = parse();
      if (state == State::done || state == State::failed) break;
    }
    rest_ = std::string(bytes);
    return state;
  }
  std::string unread() const { return held_ + rest_; }
  int status() const { return parser.failure().status; }

  RequestParser parser{web::ParserLimits{.header_bytes = 400, .headers = 5}};

 private:
  State parse() {
    for (;;) {
      std::size_t used = 0;
      State state = parser.put(held_.data(), held_.size(), used);
      held_.erase(0, used);
      if (state == State::head) state = parser.set_max_body(max_body_);
      if (state != State::need_more || held_.empty() || used == 0) return state;
    }
  }

  std::size_t max_body_;
  std::string held_;
  std::string rest_;
};

constexpr const char* kPost =
    "POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-One:  two \r\nContent-Length: 5\r\n\r\nhello";
constexpr const char* kChunked =
    "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
    "3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX-Trailer: t\r\nHost: y\r\n\r\n";

}  // namespace

TEST_CASE("a request reads the same in any pieces") {
  const std::size_t piece = GENERATE(1u, 2u, 3u, 7u, 64u, 1000u);
  Feed feed;
  REQUIRE(feed.give(kPost, piece) == State::done);
  HttpRequest& request = feed.parser.request();
  CHECK(request.method == "POST");
  CHECK(request.target == "/a?b=c");
  CHECK(request.path == "/a");
  CHECK(request.body == "hello");
  const Headers headers{{"host", "x"}, {"x-one", "two"}, {"content-length", "5"}};
  CHECK(request.headers == headers);
  CHECK(feed.parser.keep_alive());
}

TEST_CASE("trailers never become headers") {
  const std::size_t piece = GENERATE(1u, 5u, 1000u);
  Feed feed;
  REQUIRE(feed.give(kChunked, piece) == State::done);
  CHECK(feed.parser.request().body == "hello");
  const Headers headers{{"host", "x"}, {"transfer-encoding", "Chunked"}};
  CHECK(feed.parser.request().headers == headers);
}

TEST_CASE("what follows a request is left for the next") {
  Feed feed;
  REQUIRE(feed.give(std::string(kPost) + "GET / HTTP/1.1\r\n") == State::done);
  CHECK(feed.unread() == "GET / HTTP/1.1\r\n");
  feed.parser.reset();
  CHECK(feed.give("Host: x\r\n\r\n") == State::done);
  CHECK(feed.parser.request().method == "GET");
}

TEST_CASE("line ends before a request are skipped") {
  const std::size_t piece = GENERATE(1u, 1000u);
  Feed feed;
  CHECK(feed.give("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", piece) == State::done);
}

TEST_CASE("an absolute target stands for the Host header") {
  Feed feed;
  REQUIRE(feed.give("GET http://real/a HTTP/1.1\r\nHost: other\r\n\r\n") == State::done);
  CHECK(*find_header(feed.parser.request().headers, "host") == "real");
  CHECK(feed.parser.request().path == "/a");
}

TEST_CASE("keep-alive follows version and header") {
  const auto kept = [](const char* request) {
    Feed feed;
    REQUIRE(feed.give(request) == State::done);
    return feed.parser.keep_alive();
  };
  CHECK(kept("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK_FALSE(kept("GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n"));
  CHECK_FALSE(kept("GET / HTTP/1.0\r\n\r\n"));
  CHECK(kept("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

TEST_CASE("a body above its limit is 413, announced or not") {
  Feed announced(4);
  CHECK(announced.give(kPost) == State::failed);
  CHECK(announced.status() == 413);
  Feed chunked(4);
  CHECK(chunked.give(kChunked, 1) == State::failed);
  CHECK(chunked.status() == 413);
}

TEST_CASE("a head above its limits is 431 in any pieces") {
  const std::size_t piece = GENERATE(1u, 16u, 100'000u);
  const std::string start = "GET / HTTP/1.1\r\nHost: x\r\n";
  std::string many = start;
  for (int i = 0; i < 5; ++i) many += "A: b\r\n";
  for (const std::string& head :
       {start + "Long: " + std::string(400, 'x') + "\r\n\r\n", many + "\r\n",
        start + "Long: " + std::string(100'000, 'x'), "GET /" + std::string(1000, 'a')}) {
    Feed feed;
    CHECK(feed.give(head, piece) == State::failed);
    CHECK(feed.status() == 431);
  }
}

TEST_CASE("trailers have a limit too") {
  Feed feed;
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
  CHECK(feed.give(start + "X: " + std::string(1000, 'x'), 50) == State::failed);
  CHECK(feed.status() == 431);
}

#include "tests/runtime/http_fixture.h"

namespace host {
namespace {

using Failure = fakes::FakeStore::Failure;

HttpWorld::Handler emits(int n) {
  return [n](const ports::Call&, const Answers&) { return answer(202, "sent", n); };
}
HttpWorld::Handler asks(Duration timeout) {
  return [timeout](const ports::Call&, const Answers& answers) {
    if (answers.empty()) {
      ports::AskEffect effect{{.topic = "in", .key = "k", .payload = "?", .headers = {}}, timeout};
      return fakes::wait_for({.id = 0, .what = std::move(effect)});
    }
    if (const auto* error = std::get_if<Error>(&answers[0])) {
      return answer(200, to_string(error->code));
    }
    return answer(200, std::get<std::string>(answers[0]));
  };
}

}  // namespace

TEST_CASE("paths and methods that no route has are answered as such", "[gateway]") {
  HttpWorld w;
  w.route("GET", "/a", [](const ports::Call&, const Answers&) { return answer(200, "a"); });
  w.route("POST", "/a", emits(0));
  w.start();
  REQUIRE(w.ask("GET", "/b")->answer->status == 404);
  const auto refused = w.ask("PUT", "/a");
  REQUIRE(refused->answer->status == 405);
  REQUIRE(*find_header(refused->answer->headers, "allow") == "GET, POST");
  const auto options = w.ask("OPTIONS", "/a");
  REQUIRE(options->answer->status == 204);
  REQUIRE(*find_header(options->answer->headers, "allow") == "GET, POST");
  REQUIRE(w.ask("HEAD", "/a")->answer->status == 200);
  REQUIRE(w.ask("GET", "/healthz")->answer->status == 200);
}

TEST_CASE("a request that sends is answered when it is durable, not before", "[gateway]") {
  const int n = GENERATE(1, 3);
  HttpWorld w;
  w.route("POST", "/a", emits(n));
  w.start();
  w.log.hold_appends(fakes::FakeLog::Hold::writes);
  w.store.hold_commits(fakes::FakeStore::Hold::writes);
  const auto exchange = w.ask("POST", "/a", {{"x-request-id", "mine"}});
  w.settle();
  REQUIRE_FALSE(exchange->answer);
  if (n > 1) {
    w.store.release_commits();
    w.settle();
    REQUIRE(exchange->answer->status == 202);  // the log comes later
    w.log.release_appends();
  } else {
    w.log.release_appends();
  }
  w.settle();
  REQUIRE(exchange->answer->status == 202);
  REQUIRE(*find_header(exchange->answer->headers, header::kCorrelation) == "mine");
  REQUIRE(w.log.records("out").size() == static_cast<std::size_t>(n));
  REQUIRE(*find_header(w.log.records("out")[0].headers, header::kCorrelation) == "mine");
}

TEST_CASE("what could not be sent is 503, and says where the outcome is unknown", "[gateway]") {
  HttpWorld w;
  w.route("POST", "/one", emits(1));
  w.route("POST", "/many", emits(2));
  w.start();
  w.log.fail_next_append(retryable_error(Error::Code::unavailable, "away"), false);
  const auto away = w.ask("POST", "/one");
  w.settle();
  REQUIRE(away->answer->status == 503);
  REQUIRE(away->answer->body.find("unknown") == std::string::npos);
  w.log.fail_next_append(retryable_error(Error::Code::timeout, "late"), true);
  const auto unknown = w.ask("POST", "/one");
  w.settle();
  REQUIRE(unknown->answer->status == 503);
  REQUIRE(unknown->answer->body.find("unknown") != std::string::npos);
  w.store.fail_next_commit(Failure::not_now);
  const auto full = w.ask("POST", "/many");
  w.settle();
  REQUIRE(full->answer->status == 503);
  REQUIRE(full->answer->body.find("unknown") == std::string::npos);
  w.store.fail_next_commit(Failure::unknown_lost);
  const auto lost = w.ask("POST", "/many");
  w.settle();
  REQUIRE(lost->answer->body.find("unknown") != std::string::npos);
}

// Clients that gave up waiting filled the places of connections.
TEST_CASE("a request whose message the log does not acknowledge is answered in time", "[gateway]") {
  HttpWorld w;
  w.route("POST", "/a", emits(1)).timeout = seconds(2);
  w.start();
  w.log.hold_appends(fakes::FakeLog::Hold::answers);
  const auto exchange = w.ask("POST", "/a");
  w.pass(seconds(1));
  REQUIRE_FALSE(exchange->answer);
  w.pass(seconds(2));
  REQUIRE(exchange->answer->status == 503);
  REQUIRE(exchange->answer->body.find("outcome is unknown") != std::string::npos);
  w.log.release_appends();
  w.settle();
  REQUIRE(exchange->answer->status == 503);
  REQUIRE(w.log.records("out").size() == 1);
  const auto next = w.ask("POST", "/a");
  w.pass(seconds(3));
  REQUIRE(next->answer->status == 202);
}

TEST_CASE("a handler that takes too long is answered 504 and dropped", "[gateway]") {
  HttpWorld w;
  w.route("GET", "/a", asks(hours(1))).timeout = seconds(2);
  w.start();
  const auto exchange = w.ask("GET", "/a");
  w.pass(seconds(1));
  REQUIRE_FALSE(exchange->answer);
  REQUIRE(w.code->running() == 1);
  w.pass(seconds(2));
  REQUIRE(exchange->answer->status == 504);
  REQUIRE(w.code->running() == 0);
}

TEST_CASE("an ask ends in its reply, its timeout, or the log's trouble", "[gateway]") {
  HttpWorld w;
  w.route("GET", "/a", asks(seconds(2)));
  w.start();
  const auto good = w.ask("GET", "/a");
  w.settle();
  w.asks.reply(*find_header(w.log.records("in").at(0).headers, header::kAsk), "yes");
  w.settle();
  REQUIRE(good->answer->body == "yes");
  const auto late = w.ask("GET", "/a");
  w.pass(seconds(3));
  REQUIRE(late->answer->body == "timeout");
  w.log.fail_next_append(retryable_error(Error::Code::unavailable, "away"), false);
  const auto away = w.ask("GET", "/a");
  w.settle();
  REQUIRE(away->answer->body == "unavailable");
}

TEST_CASE("a client that went away costs nothing but its own request", "[gateway]") {
  HttpWorld w;
  w.route("GET", "/a", asks(seconds(2)));
  w.start();
  const auto gone = w.ask("GET", "/a");
  w.settle();
  gone->alive = false;
  const auto other = w.ask("GET", "/a");
  w.settle();
  for (const Record& record : w.log.records("in")) {
    w.asks.reply(*find_header(record.headers, header::kAsk), "yes");
  }
  w.settle();
  REQUIRE(other->answer->body == "yes");
  REQUIRE(w.code->running() == 0);
}

TEST_CASE("a request that waits is dropped, unanswered, when its lane has ended", "[gateway]") {
  HttpWorld w;
  w.route("GET", "/a", asks(hours(1)));
  w.start();
  const auto waiting = w.ask("GET", "/a");
  w.settle();
  w.gateway.stop();
  REQUIRE(w.ask("GET", "/a")->answer->status == 503);
  w.gateway.abandon();
  REQUIRE(waiting->dropped);
  REQUIRE(w.code->running() == 0);
}

TEST_CASE("a request in code that is dropped is 503", "[gateway]") {
  HttpWorld w;
  w.route("GET", "/a", asks(hours(1)));
  w.start();
  const auto waiting = w.ask("GET", "/a");
  w.settle();
  w.publish("r2");
  REQUIRE_FALSE(waiting->answer);
  w.code->drop_previous();
  REQUIRE(waiting->answer->status == 503);
}

}  // namespace host

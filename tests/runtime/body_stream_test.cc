#include "tests/runtime/http_fixture.h"

namespace host {
namespace {

ports::Step in_parts(const ports::Call&, const Answers&) {
  ports::Step step;
  step.http = ports::HttpOutcome{.response = {.status = 200,
                                              .headers = {{"content-type", "application/x-ndjson"}},
                                              .body = {}},
                                 .unit = {},
                                 .in_parts = true};
  return step;
}

ports::Step piece(std::string bytes, bool last = false) {
  ports::Step step;
  step.part = ports::BodyPart{.bytes = std::move(bytes), .last = last};
  return step;
}

ports::Step raised_in_part() {
  ports::Step step;
  step.http = ports::HttpOutcome{.response = problem(500, "the handler failed"),
                                 .unit = {},
                                 .failed = true,
                                 .error = make_error(Error::Code::script_error, "no more owls")};
  return step;
}

/// A route whose body has these parts; what comes after them is of `then`.
struct Parts : HttpWorld {
  explicit Parts(
      std::vector<std::string> bytes,
      std::function<ports::Step()> then = [] { return piece("", true); }) {
    route("GET", "/owls", in_parts);
    HttpWorld::part = [this, bytes = std::move(bytes), then = std::move(then)](std::size_t number) {
      asked = number;
      return number <= bytes.size() ? piece(bytes[number - 1]) : then();
    };
    start();
  }
  std::size_t asked = 0;  // number of parts
};

}  // namespace

TEST_CASE("an answer in parts is sent to its end", "[body]") {
  Parts w({"1\n", "2\n", "3\n"});
  const auto exchange = w.ask("GET", "/owls");
  w.settle();
  REQUIRE(exchange->head);
  CHECK(exchange->head->status == 200);
  CHECK(exchange->whole);
  CHECK(exchange->body == "1\n2\n3\n");
  CHECK(exchange->finished);
  CHECK(w.code->running() == 0);
  CHECK(w.metrics.value("host_http_requests_total",
                        {{"plugin", "p"}, {"route", "GET /owls"}, {"status", "200"}}) == 1);
}

TEST_CASE("an answer whose first part is all of it is an answer like any other", "[body]") {
  Parts w({}, [] { return piece("1\n", true); });
  const auto exchange = w.ask("GET", "/owls");
  w.settle();
  REQUIRE(exchange->answer);
  CHECK(exchange->answer->body == "1\n");
  CHECK_FALSE(exchange->head);
  CHECK(w.code->running() == 0);
}

TEST_CASE("no part is made before the client has taken the one before", "[body]") {
  Parts w({"1\n", "2\n", "3\n"});
  const auto exchange = w.ask("GET", "/owls", {}, true);
  w.settle();
  CHECK(w.asked == 1);
  exchange->take();
  w.settle();
  CHECK(w.asked == 2);
  CHECK(exchange->body == "1\n2\n");
  w.pass(hours(1));  // it waits for the client, not for the handler
  CHECK_FALSE(exchange->broken);
  CHECK(w.asked == 2);
}

TEST_CASE("an iterator that raises at once is a plain 500", "[body]") {
  Parts w({}, raised_in_part);
  const auto exchange = w.ask("GET", "/owls");
  w.settle();
  REQUIRE(exchange->answer);
  CHECK(exchange->answer->status == 500);
  CHECK(w.logger.find(ports::LogLevel::error, "handler of a request failed").size() == 1);
}

TEST_CASE("an iterator that raises later breaks the answer off, and is logged", "[body]") {
  Parts w({"1\n", "2\n"}, raised_in_part);
  const auto exchange = w.ask("GET", "/owls");
  w.settle();
  CHECK(exchange->body == "1\n2\n");
  CHECK_FALSE(exchange->finished);
  CHECK(exchange->broken);
  const auto lines = w.logger.find(ports::LogLevel::error, "an answer was broken off");
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].field("error").find("no more owls") != std::string::npos);
  CHECK(lines[0].field("route") == "GET /owls");
  CHECK(w.code->running() == 0);
}

TEST_CASE("a part that takes too long breaks the answer off", "[body]") {
  const auto waits = [] {
    ports::Step step;
    step.effects.push_back(
        {.id = 1,
         .what = ports::AskEffect{{.topic = "in", .key = "k", .payload = "?", .headers = {}},
                                  hours(1)}});
    return step;
  };
  Parts w({"1\n"}, waits);
  const auto exchange = w.ask("GET", "/owls");
  w.settle();
  CHECK(w.code->running() == 1);
  w.pass(seconds(31));
  CHECK(exchange->broken);
  CHECK_FALSE(exchange->finished);
  CHECK(w.code->running() == 0);
}

TEST_CASE("a client that goes away ends the iterator", "[body]") {
  Parts w({"1\n", "2\n", "3\n"});
  const auto exchange = w.ask("GET", "/owls", {}, true);
  w.settle();
  CHECK(w.code->running() == 1);
  exchange->go_away();
  w.settle();
  CHECK(w.code->running() == 0);
  CHECK(w.asked == 1);
  CHECK(w.logger.find(ports::LogLevel::error, "").empty());
}

TEST_CASE("an answer whose code was dropped meanwhile is broken off", "[body]") {
  Parts w({"1\n", "2\n"});
  const auto exchange = w.ask("GET", "/owls", {}, true);
  w.settle();
  w.publish("r2");
  w.code->drop_previous();
  exchange->take();
  w.settle();
  CHECK(exchange->broken);
  CHECK(w.code->running() == 0);
}

TEST_CASE("a host that stops lets an answer in parts end, and breaks off what is left", "[body]") {
  Parts w({"1\n", "2\n"});
  const auto ends = w.ask("GET", "/owls", {}, true);
  const auto stays = w.ask("GET", "/owls", {}, true);
  w.settle();
  w.gateway.stop();
  for (int i = 0; i < 3; ++i) {
    ends->take();
    w.settle();
  }
  CHECK(ends->finished);
  w.gateway.abandon();
  CHECK(stays->broken);
  CHECK(w.code->running() == 0);
}

TEST_CASE("rows of a statement reach the handler page by page", "[body]") {
  HttpWorld w;
  w.store.on_query([](const std::string&, const SqlStatement&) -> Result<SqlRows> {
    return SqlRows{.columns = {"n"}, .rows = {{std::int64_t{1}}, {std::int64_t{2}}}};
  });
  w.route("GET", "/rows", [](const ports::Call&, const Answers& answers) {
    ports::RowsEffect effect{.statement = {"select n from p_t", {}}};
    if (!answers.empty()) {
      const auto& page = std::get<ports::RowsAnswer>(answers.back());
      CHECK(page.rows.rows.size() == 1);
      if (page.cursor == 0) return answer(200, std::to_string(answers.size()));
      effect = {.statement = {}, .cursor = page.cursor};
    }
    return fakes::wait_for({.id = 0, .what = std::move(effect)});
  });
  w.start();
  const auto exchange = w.ask("GET", "/rows");
  w.settle();
  REQUIRE(exchange->answer);
  CHECK(exchange->answer->body == "2");
}

TEST_CASE("what may be kept says so, and is not sent again to who has it", "[gateway]") {
  HttpWorld w;
  w.route("GET", "/a", [](const ports::Call&, const Answers&) {
     return answer(200, "[1]");
   }).cache = Manifest::Cache{.max_age = minutes(5), .shared = true};
  w.start();
  const auto first = w.ask("GET", "/a");
  CHECK(*find_header(first->answer->headers, "cache-control") == "public, max-age=300");
  const std::string etag = *find_header(first->answer->headers, "etag");
  const auto again = w.ask("GET", "/a", {{"if-none-match", etag}});
  CHECK(again->answer->status == 304);
  CHECK(again->answer->body.empty());
  CHECK(*find_header(again->answer->headers, "etag") == etag);
  CHECK(w.ask("GET", "/a", {{"if-none-match", "\"other\""}})->answer->status == 200);
  CHECK(w.metrics.observed("host_http_request_seconds").size() == 3);
}

}  // namespace host

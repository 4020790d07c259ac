// Requests with an Idempotency-Key: what is done once, what is answered again, what is refused.
#include "host/runtime/idempotency.h"

#include <set>

#include "tests/runtime/http_fixture.h"

namespace host {
namespace {

using Failure = fakes::FakeStore::Failure;
using ExchangePtr = std::shared_ptr<fakes::Exchange>;

struct OnceWorld : HttpWorld {
  ExchangePtr post(const std::string& path, const std::string& key,
                   const std::string& body = "{}") {
    return ask("POST", path, {{"idempotency-key", key}}, false, body);
  }
  /// The answer, when nothing is left to do.
  HttpResponse answered(const ExchangePtr& exchange) {
    settle();
    REQUIRE(exchange->answer);
    return *exchange->answer;
  }
  HttpResponse posted(const std::string& path, const std::string& key,
                      const std::string& body = "{}") {
    return answered(post(path, key, body));
  }
  /// As a receiver counts them, which drops what was sent again after a claim.
  std::size_t sent(const std::string& topic = "out") {
    std::size_t questions = 0;
    std::set<std::string> places;
    for (const Record& record : log.records(topic)) {
      const std::string* place = find_header(record.headers, header::kOrigin);
      if (place != nullptr) places.insert(*place);
      questions += place == nullptr ? 1 : 0;
    }
    return places.size() + questions;
  }

  int runs = 0;
  std::vector<std::string> seeds;
  /// Counts its runs and says which it is.
  Handler counts(int emits = 1, int status = 201) {
    return [this, emits, status](const ports::Call& call, const Answers&) {
      seeds.push_back(call.chance_seed);
      return answer(status, std::to_string(++runs), emits);
    };
  }
};

bool replayed(const HttpResponse& response) {
  return find_header(response.headers, "idempotency-replayed") != nullptr;
}

/// Asks "in" and answers with the reply.
ports::Step asks_first(const Answers& answers) {
  if (answers.empty()) {
    ports::AskEffect effect{{.topic = "in", .key = "k", .payload = "?", .headers = {}},
                            seconds(20)};
    return fakes::wait_for({.id = 0, .what = std::move(effect)});
  }
  const auto* reply = std::get_if<std::string>(&answers[0]);
  return answer(200, reply != nullptr ? *reply : "none");
}

}  // namespace

TEST_CASE("a repeated request is done once, and gets the answer of the first", "[idempotency]") {
  const int emits = GENERATE(0, 1, 3);
  OnceWorld w;
  w.route("POST", "/a", w.counts(emits));
  w.start();
  const HttpResponse first = w.posted("/a", "one");
  CHECK(first.status == 201);
  CHECK(first.body == "1");
  CHECK_FALSE(replayed(first));
  const HttpResponse second = w.posted("/a", "one");
  CHECK(second.status == 201);
  CHECK(second.body == "1");
  CHECK(replayed(second));
  CHECK(*find_header(second.headers, header::kCorrelation) ==
        *find_header(first.headers, header::kCorrelation));
  CHECK(w.runs == 1);
  CHECK(w.sent() == static_cast<std::size_t>(emits));
  CHECK(w.metrics.value("host_http_replays_total") == 1);
  CHECK(w.posted("/a", "two").body == "2");
}

TEST_CASE("the answer is there when what it says is committed, in the same commit",
          "[idempotency]") {
  OnceWorld w;
  w.route("POST", "/a", w.counts());
  w.start();
  w.store.hold_commits(fakes::FakeStore::Hold::writes);
  const ExchangePtr first = w.post("/a", "one");
  w.settle();
  CHECK(w.runs == 1);
  CHECK_FALSE(first->answer);
  const std::size_t before = w.store.commits();
  w.store.release_commits();
  CHECK(w.answered(first).status == 201);
  CHECK(w.store.commits() == before + 1);
}

TEST_CASE("a key belongs to its route and its content", "[idempotency]") {
  OnceWorld w;
  w.route("POST", "/a", w.counts());
  w.route("POST", "/b", w.counts());
  w.start();
  CHECK(w.posted("/a", "one").body == "1");
  CHECK(w.posted("/b", "one").body == "2");
  const HttpResponse other = w.posted("/a", "one", "[]");
  CHECK(other.status == 422);
  CHECK(other.body.find("another request") != std::string::npos);
  CHECK(w.runs == 2);
}

TEST_CASE("while the first one runs its repeat waits for it, and another request is refused",
          "[idempotency]") {
  OnceWorld w;
  w.route("POST", "/a", [&](const ports::Call&, const Answers& answers) {
     w.runs += answers.empty() ? 1 : 0;
     return asks_first(answers);
   }).timeout = minutes(1);
  w.start();
  const ExchangePtr first = w.post("/a", "one");
  w.settle();
  const ExchangePtr repeat = w.post("/a", "one");
  CHECK(w.posted("/a", "one", "[]").status == 422);
  CHECK_FALSE(repeat->answer);
  w.asks.reply(*find_header(w.log.records("in").at(0).headers, header::kAsk), "yes");
  CHECK(w.answered(first).body == "yes");
  CHECK(w.answered(repeat).body == "yes");
  CHECK(replayed(*repeat->answer));
  CHECK(w.runs == 1);
}

TEST_CASE("who waits too long for the first one is told to come again", "[idempotency]") {
  OnceWorld w;
  w.route("POST", "/a", [&](const ports::Call&, const Answers& answers) {
     return asks_first(answers);
   }).timeout = minutes(1);
  w.start();
  const ExchangePtr first = w.post("/a", "one");
  w.settle();
  const ExchangePtr repeat = w.post("/a", "one");
  w.pass(runtime::Idempotency::kWait + seconds(1));
  CHECK(w.answered(repeat).status == 409);
  CHECK(*find_header(repeat->answer->headers, "retry-after") == "1");
  w.asks.reply(*find_header(w.log.records("in").at(0).headers, header::kAsk), "yes");
  CHECK(w.answered(first).body == "yes");
  CHECK(w.posted("/a", "one").body == "yes");
}

TEST_CASE("what failed is tried again, and nothing of it was sent", "[idempotency]") {
  OnceWorld w;
  int status = 503;
  w.route("POST", "/a", [&](const ports::Call&, const Answers&) {
    return answer(status, std::to_string(++w.runs), 2);
  });
  w.route("POST", "/raises", [&](const ports::Call&, const Answers&) {
    ++w.runs;
    ports::Step step = answer(500, "broken", 1);
    step.http->failed = true;
    return step;
  });
  w.start();
  CHECK(w.posted("/a", "one").status == 503);
  CHECK(w.sent() == 0);
  status = 201;
  const HttpResponse again = w.posted("/a", "one");
  CHECK(again.body == "2");
  CHECK_FALSE(replayed(again));
  CHECK(w.sent() == 2);
  CHECK(w.posted("/raises", "one").status == 500);
  CHECK(w.posted("/raises", "one").status == 500);
  CHECK(w.runs == 4);
  CHECK(w.sent() == 2);
}

TEST_CASE("a commit whose outcome is unknown is found out by the repeat", "[idempotency]") {
  OnceWorld w;
  w.route("POST", "/a", w.counts());
  w.start();
  w.store.fail_next_commit(Failure::unknown_written);
  CHECK(w.posted("/a", "one").status == 503);
  CHECK(replayed(w.posted("/a", "one")));
  CHECK(w.sent() == 1);
  w.store.fail_next_commit(Failure::unknown_lost);
  CHECK(w.posted("/a", "two").status == 503);
  const HttpResponse again = w.posted("/a", "two");
  CHECK(again.status == 201);
  CHECK_FALSE(replayed(again));
  CHECK(w.sent() == 2);
  w.store.fail_next_commit(Failure::not_now);
  CHECK(w.posted("/a", "three").status == 503);
  CHECK(w.posted("/a", "three").status == 201);
  CHECK(w.sent() == 3);
}

TEST_CASE("a request that another process answered meanwhile sends nothing", "[idempotency]") {
  OnceWorld w;
  w.route("POST", "/a", w.counts());
  w.start();
  runtime::Door door{{"p", kFirstDoor + 1}, w.env, w.lane};
  door.start();
  runtime::Gateway other{w.env, w.lane, {.ready = [] { return json_response(200, "{}"); }}};
  other.add("p", w.code.get(), &door);
  other.publish(*runtime::Routes::make({&w.code->manifest()}));
  w.settle();
  w.store.hold_commits(fakes::FakeStore::Hold::writes);
  const ExchangePtr here = w.post("/a", "one");
  w.settle();
  HttpRequest request;
  request.method = "POST";
  request.target = request.path = "/a";
  request.headers = {{"idempotency-key", "one"}};
  request.body = "{}";
  const auto there = std::make_shared<fakes::Exchange>();
  other.handle(request, std::make_unique<fakes::FakeResponder>(there, w.lane));
  w.settle();
  CHECK(w.runs == 2);
  w.store.release_commits();
  CHECK(w.answered(here).status == 201);
  CHECK(w.answered(there).status == 409);
  CHECK(w.sent() == 1);
  const auto again = std::make_shared<fakes::Exchange>();
  other.handle(request, std::make_unique<fakes::FakeResponder>(again, w.lane));
  CHECK(w.answered(again).body == "1");
  other.stop();
  other.abandon();
}

TEST_CASE("an answer that is too long to be kept is said to have been given", "[idempotency]") {
  OnceWorld w;
  w.route("POST", "/a", [&](const ports::Call&, const Answers&) {
    ++w.runs;
    return answer(201, std::string((64u << 10) + 1, 'x'), 1);
  });
  w.start();
  CHECK(w.posted("/a", "one").body.size() == (64u << 10) + 1);
  const HttpResponse again = w.posted("/a", "one");
  CHECK(again.status == 409);
  CHECK(again.body.find("status 201") != std::string::npos);
  CHECK(replayed(again));
  CHECK(w.runs == 1);
  CHECK(w.sent() == 1);
}

TEST_CASE("an answer is kept for a day", "[idempotency]") {
  OnceWorld w;
  w.route("POST", "/a", w.counts());
  w.start();
  CHECK(w.posted("/a", "one").body == "1");
  w.pass(hours(23));
  CHECK(w.posted("/a", "one").body == "1");
  w.pass(hours(2));
  CHECK(w.posted("/a", "one").body == "2");
}

TEST_CASE("chance and asks of a repeat are those of the first", "[idempotency]") {
  OnceWorld w;
  int reply = 0;
  w.route("POST", "/a", [&](const ports::Call& call, const Answers& answers) {
    w.seeds.push_back(call.chance_seed);
    if (answers.empty()) return asks_first(answers);
    return answer(reply++ == 0 ? 503 : 200, std::get<std::string>(answers[0]));
  });
  w.start();
  const ExchangePtr first = w.post("/a", "one");
  w.settle();
  const std::string id = *find_header(w.log.records("in").at(0).headers, header::kAsk);
  CHECK(find_header(w.log.records("in").at(0).headers, header::kAskOnce) != nullptr);
  w.asks.reply(id, "yes");
  CHECK(w.answered(first).status == 503);

  const ExchangePtr second = w.post("/a", "one");
  w.settle();
  REQUIRE(w.sent("in") == 2);
  CHECK(*find_header(w.log.records("in").at(1).headers, header::kAsk) == id);
  w.asks.reply(id, "yes");
  CHECK(w.answered(second).body == "yes");
  CHECK(std::set<std::string>(w.seeds.begin(), w.seeds.end()).size() == 1);

  const ExchangePtr other = w.post("/a", "two");
  w.settle();
  CHECK(*find_header(w.log.records("in").at(2).headers, header::kAsk) != id);
}

TEST_CASE("an ask whose reply is committed is not sent again", "[idempotency]") {
  OnceWorld w;
  int tries = 0;
  w.route("POST", "/a", [&](const ports::Call&, const Answers& answers) {
    if (answers.empty()) return asks_first(answers);
    return answer(tries++ == 0 ? 503 : 200, std::get<std::string>(answers[0]));
  });
  w.start();
  const ExchangePtr first = w.post("/a", "one");
  w.settle();
  const std::string id = *find_header(w.log.records("in").at(0).headers, header::kAsk);
  runtime::Door answering{{"q", kFirstDoor}, w.env, w.lane};
  auto commit = std::make_shared<ports::ShardCommit>();
  commit->shard = {"q", 0};
  ports::ShardImage image;
  w.store.claim(commit->shard, w.lane, [&](auto claimed) { image = std::move(*claimed); });
  w.settle();
  commit->epoch = image.epoch;
  commit->commit_no = image.commit_no;
  commit->replies = {{id, "kept", w.now() + hours(1)}};
  w.store.commit(commit, w.lane, [](auto) {});
  w.settle();
  w.asks.reply(id, "kept");
  CHECK(w.answered(first).status == 503);
  CHECK(w.posted("/a", "one").body == "kept");
  CHECK(w.sent("in") == 1);
}

TEST_CASE("where a key makes no sense, or is none, the request is refused", "[idempotency]") {
  OnceWorld w;
  w.route("GET", "/a", w.counts(0, 200));
  w.route("POST", "/a", w.counts());
  w.route("POST", "/stream", w.counts()).stream = Manifest::Stream{};
  w.start();
  CHECK(w.ask("GET", "/a", {{"idempotency-key", "x"}})->answer->status == 400);
  CHECK(w.posted("/stream", "x").status == 400);
  for (const std::string& key :
       {std::string(), std::string(256, 'x'), std::string("a b"), std::string("\xc3\xa4")}) {
    CHECK(w.posted("/a", key).status == 422);
  }
  const auto twice =
      w.ask("POST", "/a", {{"idempotency-key", "x"}, {"idempotency-key", "y"}}, false, "{}");
  CHECK(w.answered(twice).status == 422);
  CHECK(w.posted("/a", std::string(255, 'x')).status == 201);
  CHECK(w.runs == 1);
}

TEST_CASE("a store that cannot be read leaves the request undone", "[idempotency]") {
  OnceWorld w;
  w.route("POST", "/a", w.counts());
  w.start();
  w.store.fail_next_read(retryable_error(Error::Code::unavailable, "away"));
  CHECK(w.posted("/a", "one").status == 503);
  CHECK(w.runs == 0);
  CHECK(w.posted("/a", "one").status == 201);
}

TEST_CASE("requests that wait for their key are dropped when their lane has ended",
          "[idempotency]") {
  OnceWorld w;
  w.route("POST", "/a",
          [&](const ports::Call&, const Answers& answers) { return asks_first(answers); });
  w.start();
  const ExchangePtr first = w.post("/a", "one");
  w.settle();
  const ExchangePtr repeat = w.post("/a", "one");
  w.settle();
  w.gateway.stop();
  w.gateway.abandon();
  CHECK(first->dropped);
  CHECK(repeat->dropped);
}

TEST_CASE("a request whose code is replaced while its key is looked up finds its route again",
          "[idempotency]") {
  OnceWorld w;
  w.route("POST", "/a", w.counts());
  w.start();
  const ExchangePtr kept = w.post("/a", "one");
  const ExchangePtr gone = w.post("/a", "two");
  w.manifest.routes.insert(w.manifest.routes.begin(), w.manifest.routes.front());
  w.manifest.routes.front().pattern = "/first";
  w.handlers["POST /first"] = w.counts(0, 204);
  w.publish("r2");
  CHECK(w.answered(kept).status == 201);
  CHECK(w.answered(gone).status == 201);
  const ExchangePtr late = w.post("/a", "three");
  w.manifest.routes.pop_back();
  w.publish("r3");
  CHECK(w.answered(late).status == 503);
}

}  // namespace host

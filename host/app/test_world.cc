#include "host/app/test_world.h"

#include <random>

#include "host/app/topics.h"
#include "host/core/partition.h"
#include "host/runtime/records.h"
#include "host/runtime/routes.h"
#include "host/script/engine.h"

namespace host::app {
namespace {

constexpr PartitionNumber kPartitions = 4;  // several, so that keys meet on a shard and do not
constexpr Duration kLongestRequest = std::chrono::minutes(1);
constexpr Duration kLongestCase = std::chrono::seconds(10);  // of CPU time

/// Every run of a test is alike.
class SeededChance final : public ports::Chance {
 public:
  std::string bytes(std::size_t n) override {
    std::string out(n, '\0');
    for (char& c : out) c = static_cast<char>(random_() & 0xff);
    return out;
  }
  double fraction() override { return static_cast<double>(random_() >> 11) * 0x1p-53; }

 private:
  std::mt19937_64 random_{1};
};

/// Keeps the one answer of a request.
class Responder final : public ports::HttpResponder {
 public:
  Responder(Executor& lane, std::shared_ptr<std::optional<HttpResponse>> answer)
      : lane_(lane), answer_(std::move(answer)) {}
  ~Responder() override {
    if (!*answer_ && !streaming_) *answer_ = problem(500, "the request was dropped");
  }
  void respond(HttpResponse response) override { *answer_ = std::move(response); }
  std::shared_ptr<ports::HttpStream> stream(HttpResponse head, Body body) override {
    streaming_ = true;
    if (body == Body::whole) return std::make_shared<Whole>(lane_, answer_, std::move(head));
    *answer_ = problem(501, "streams in tests are not in this version");
    return std::make_shared<Closed>();
  }
  bool alive() const override { return true; }

 private:
  struct Closed final : ports::HttpStream {
    void write(std::string, UniqueFunction<void(bool)> done) override { done(false); }
    void on_close(UniqueFunction<void()>) override {}
    void finish() override {}
  };
  /// Gathers what comes in parts.
  class Whole final : public ports::HttpStream {
   public:
    Whole(Executor& lane, std::shared_ptr<std::optional<HttpResponse>> answer, HttpResponse head)
        : lane_(lane), answer_(std::move(answer)), response_(std::move(head)) {
      response_.body.clear();
    }
    ~Whole() override {
      if (!*answer_) *answer_ = problem(500, "the answer was broken off");
    }
    void write(std::string bytes, UniqueFunction<void(bool)> done) override {
      response_.body += bytes;
      lane_.post([done = std::move(done)]() mutable { done(true); });
    }
    void on_close(UniqueFunction<void()>) override {}
    void finish() override { *answer_ = std::move(response_); }

   private:
    Executor& lane_;
    std::shared_ptr<std::optional<HttpResponse>> answer_;
    HttpResponse response_;
  };

  Executor& lane_;
  std::shared_ptr<std::optional<HttpResponse>> answer_;
  bool streaming_ = false;
};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decoded(std::string_view text, bool query) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                        hex_digit(text[i + 2]) >= 0;
    if (escape) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += query && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

void read_target(HttpRequest& request) {
  const std::string_view target = request.target;
  const std::size_t mark = std::min(target.find('?'), target.size());
  request.path = decoded(target.substr(0, mark), false);
  for (std::size_t at = mark + 1; at < target.size();) {
    const std::size_t end = std::min(target.find('&', at), target.size());
    const std::string_view pair = target.substr(at, end - at);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view value = equals < pair.size() ? pair.substr(equals + 1) : "";
    request.query.emplace_back(decoded(pair.substr(0, equals), true), decoded(value, true));
    at = end + 1;
  }
}

Error endless() {
  return make_error(Error::Code::exhausted, "the plugins did not come to rest in ten seconds",
                    "two handlers that answer each other for ever?");
}

}  // namespace

TestWorld::TestWorld(ports::Logger& logger, ports::Metrics& metrics)
    : logger_(logger), metrics_(metrics), chance_(std::make_unique<SeededChance>()) {}

TestWorld::~TestWorld() {
  if (database_) database_->stop();
  lane_.clear();
}

Result<std::unique_ptr<TestWorld>> TestWorld::make(const Revisions& revisions,
                                                   const RunSettings& settings,
                                                   ports::Logger& logger, ports::Metrics& metrics) {
  std::unique_ptr<TestWorld> world(new TestWorld(logger, metrics));
  if (Result<void> opened = world->open(revisions, settings); !opened) return opened.error();
  return world;
}

Result<void> TestWorld::open(const Revisions& revisions, const RunSettings& settings) {
  lane_.stop_after(kLongestCase);
  auto database =
      sqlite::Database::open({.dir = {}, .clock = lane_, .threads = false, .in_memory = true});
  if (!database) return database.error();
  database_ = std::move(*database);
  const auto watch = [this](const ports::Append& record) {
    if (record_) sent_.push_back({record.topic, record.key, record.payload});
  };
  log_ = std::make_unique<RecordedLog>(*database_, watch);
  store_ = std::make_unique<RecordedStore>(*database_, watch);
  auto identity = database_->open_deployment(kPartitions);
  if (!identity) return identity.error();
  identity->secret.assign(32, 's');  // chance repeats, too
  environment_ = std::make_unique<runtime::Environment>(runtime::Environment{*log_,
                                                                             *store_,
                                                                             lane_,
                                                                             *chance_,
                                                                             metrics_,
                                                                             logger_,
                                                                             asks_,
                                                                             std::move(*identity),
                                                                             "",
                                                                             {},
                                                                             false});
  gateway_ = std::make_unique<runtime::Gateway>(
      *environment_, lane_,
      runtime::Gateway::Settings{.ready = [] { return json_response(200, "{\"ready\":true}"); },
                                 .authenticator = &sender_,
                                 .limiter = {},
                                 .idempotency = {}});
  RunSettings plain = settings;
  plain.prefix = "";
  plain.partitions = kPartitions;
  std::vector<const Manifest*> manifests;
  for (const auto& revision : revisions) {
    const Manifest& manifest = revision->manifest();
    manifests.push_back(&manifest);
    const std::vector<ports::TopicSettings> topics = topics_of(manifest, plain);
    if (Result<void> made = database_->ensure_topics(topics); !made) return made.error();
    if (Result<void> made = database_->migrate(manifest.name, manifest.tables); !made) {
      return made.error();
    }
    if (Result<void> added = add(revision); !added) return added.error();
  }
  auto routes = runtime::Routes::make(manifests);
  if (!routes) return routes.error();
  gateway_->publish(*routes);
  for (auto& [name, plugin] : plugins_) {
    plugin.door->start();
    for (auto& shard : plugin.shards) shard->start();
  }
  return run_ready();
}

Result<void> TestWorld::add(const std::shared_ptr<const ports::Revision>& revision) {
  const std::string name = revision->manifest().name;
  auto code = runtime::PluginCode::make(revision);
  if (!code) return code.error();
  Plugin& plugin = plugins_[name];
  plugin.code = std::move(*code);
  plugin.door = std::make_unique<runtime::Door>(ShardRef{name, kFirstDoor}, *environment_, lane_);
  for (PartitionNumber p = 0; p < kPartitions; ++p) {
    plugin.shards.push_back(
        std::make_unique<runtime::Shard>(ShardRef{name, p}, *environment_, lane_, *plugin.code));
  }
  gateway_->add(name, plugin.code.get(), plugin.door.get());
  return {};
}

Result<void> TestWorld::run_ready() {
  if (!lane_.run_ready()) return endless();
  return {};
}

Result<std::vector<ports::DeadLetter>> TestWorld::dead() {
  std::optional<Result<ports::DeadList>> list;
  database_->list_dead("", "", 100, lane_,
                       [&](Result<ports::DeadList> got) { list = std::move(got); });
  if (Result<void> ran = run_ready(); !ran) return ran.error();
  if (!*list) return list->error();
  return std::move((*list)->items);
}

Result<void> TestWorld::dead_since(std::size_t known) {
  Result<std::vector<ports::DeadLetter>> letters = dead();
  if (!letters) return letters.error();
  if (letters->size() <= known) return {};
  const ports::DeadLetter& newest = letters->front();
  return make_error(Error::Code::script_error, "the message of " + newest.message.topic +
                                                   " went to the dead letters (" + newest.reason +
                                                   "): " + newest.error.to_string());
}

Result<TestWorld::Handled> TestWorld::send(const std::string& topic, std::optional<std::string> key,
                                           std::string payload) {
  Plugin* handler = nullptr;
  bool several = false;
  for (auto& [name, plugin] : plugins_) {
    if (plugin.code->manifest().find_subscription(topic) == nullptr) continue;
    several = handler != nullptr;
    handler = &plugin;
  }
  if (handler == nullptr) {
    return make_error(Error::Code::not_found, "no plugin of the test handles topic " + topic);
  }
  const Result<std::vector<ports::DeadLetter>> before = dead();
  if (!before) return before.error();
  const std::string ask = "ask-" + std::to_string(++asked_);
  Handled handled;
  asks_.wait(ask, std::chrono::hours(24), lane_, [&](Result<std::string> reply) {
    if (reply) handled.reply = std::move(*reply);
  });
  const std::size_t known = sent_.size();
  runtime::Environment& env = *environment_;
  const Emit emit{.topic = topic, .key = key, .payload = std::move(payload), .headers = {}};
  record_ = false;
  log_->append({runtime::make_record(env, emit, {{header::kAsk, ask}}, 0)}, lane_, [](auto) {});
  record_ = true;
  if (Result<void> ran = run_ready(); !ran) return ran.error();
  asks_.forget(ask);
  if (Result<void> fine = dead_since(before->size()); !fine) return fine.error();
  handled.sent.assign(sent_.begin() + static_cast<std::ptrdiff_t>(known), sent_.end());
  if (key && !several) {
    Result<State> after = state(handler->code->manifest().name, *key);
    if (!after) return after.error();
    handled.state = std::move(*after);
  }
  return handled;
}

Result<HttpResponse> TestWorld::request(Request given) {
  HttpRequest request;
  request.method = std::move(given.method);
  request.target = std::move(given.target);
  read_target(request);
  request.address = "127.0.0.1";
  sender_.user =
      given.user ? std::move(*given.user) : User{.subject = {}, .roles = {}, .every_role = true};
  request.headers = {{"host", "localhost"}};
  for (auto& [name, value] : given.headers) {
    std::string lower = name;
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    set_header(request.headers, lower, std::move(value));
  }
  if (given.body) {
    if (find_header(request.headers, "content-type") == nullptr) {
      set_header(request.headers, "content-type", given.media_type);
    }
    request.body = std::move(*given.body);
  }
  auto answer = std::make_shared<std::optional<HttpResponse>>();
  gateway_->handle(std::move(request), std::make_unique<Responder>(lane_, answer));
  const Time until = lane_.now() + kLongestRequest;
  if (Result<void> ran = run_ready(); !ran) return ran.error();
  while (!*answer && lane_.now() < until && lane_.until_next() != kForever) {
    if (!lane_.advance(lane_.until_next())) return endless();
  }
  if (!*answer) {
    return make_error(Error::Code::timeout, "the request was not answered within a minute");
  }
  return std::move(**answer);
}

Result<void> TestWorld::advance(Duration duration) {
  if (!lane_.advance(duration)) return endless();
  return {};
}

Result<void> TestWorld::run(Duration most) { return advance(most); }

Result<TestWorld::State> TestWorld::state(const std::string& name, const std::string& key) {
  if (name.empty() && plugins_.size() != 1) {
    return make_error(Error::Code::invalid, "the test has several plugins", "t:state(plugin, key)");
  }
  const auto found = name.empty() ? plugins_.begin() : plugins_.find(name);
  if (found == plugins_.end()) {
    return make_error(Error::Code::not_found, "the test has no plugin " + name);
  }
  std::optional<Result<ports::StateRow>> row;
  database_->read_state({found->first, partition_of(key, kPartitions)}, key, lane_,
                        [&](Result<ports::StateRow> got) { row = std::move(got); });
  if (Result<void> ran = run_ready(); !ran) return ran.error();
  if (!*row) return row->error();
  State out;
  out.json = std::move((*row)->bytes);
  const auto* engine =
      dynamic_cast<const script::ScriptEngine*>(found->second.code->engine().get());
  if (engine != nullptr) out.schema = engine->table().state;
  return out;
}

Result<std::vector<TestWorld::Sent>> TestWorld::sent(const std::string& topic) {
  std::vector<Sent> out;
  for (const Sent& message : sent_) {
    if (topic.empty() || message.topic == topic) out.push_back(message);
  }
  return out;
}

}  // namespace host::app

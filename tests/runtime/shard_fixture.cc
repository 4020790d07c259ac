#include "tests/runtime/shard_fixture.h"

namespace host {

Outside::Outside(bool shared, PartitionNumber count, Duration store_delay)
    : partitions(count),
      log(scheduler.clock(), {.shares_store = shared}),
      store(scheduler.clock(), log, {.delay = store_delay}),
      env{log, store, scheduler.clock(), chance, metrics, logger, asks, {}, "", {}, false} {
  env.identity = *store.open_deployment(count);
  std::vector<ports::TopicSettings> topics;
  for (const char* name : {"in", "in2", "out", "p.inbox"}) {
    topics.push_back({.name = name, .partitions = count});
  }
  REQUIRE(log.ensure_topics(topics).ok());
}

std::string Outside::append(const std::string& topic, std::optional<std::string> key,
                            std::string payload, Headers headers) {
  const PartitionNumber to = key ? partition_of(*key, partitions) : 0;
  const std::size_t before = log.records(topic, to).size();
  REQUIRE_FALSE(log.append_now({{.topic = topic,
                                 .partition = to,
                                 .key = std::move(key),
                                 .payload = std::move(payload),
                                 .headers = std::move(headers)}}));
  const Record record = log.records(topic, to).at(before);
  return topic + "/" + std::to_string(to) + "/" + std::to_string(record.offset);
}

Script::Script() {
  manifest.name = "p";
  manifest.has_state = true;
}

Script& Script::on(const std::string& topic, Handler handler) {
  RetryRule retry;
  retry.attempts = 3;
  retry.backoff_min = retry.backoff_max = milliseconds(100);
  if (manifest.find_subscription(topic) == nullptr) {
    manifest.on.push_back({.topic = topic, .key_field = "", .once = {}, .retry = retry});
  }
  handlers[topic] = std::move(handler);
  return *this;
}

Script& Script::timer(const std::string& name, Handler handler) {
  manifest.timers.push_back({.name = name, .retry = {}});
  handlers[name] = std::move(handler);
  return *this;
}

Script& Script::every(const std::string& name, Duration period, bool per_shard, Handler handler) {
  manifest.every.push_back({.name = name, .period = period, .per_shard = per_shard, .retry = {}});
  handlers[name] = std::move(handler);
  return *this;
}

Manifest::Subscription& Script::subscription(const std::string& topic) {
  for (Manifest::Subscription& entry : manifest.on) {
    if (entry.topic == topic) return entry;
  }
  throw std::logic_error("no subscription " + topic);
}

std::shared_ptr<const ports::Revision> Script::revision(const std::string& name) const {
  fakes::FakeScript script;
  script.manifest = manifest;
  script.manifest.revision = name;
  script.handler = [ran = ran, handlers = handlers](const ports::Call& call, const auto& answers) {
    const Message& m = *call.message;
    if (answers.empty()) ran->push_back(m.topic + " " + m.key.value_or("-") + " " + m.payload);
    const auto found = handlers.find(m.topic);
    return found != handlers.end() && found->second ? found->second(call, answers) : done();
  };
  script.inspect = inspect;
  script.admits = admits;
  script.loads = loads;
  return fakes::make_revision(std::move(script));
}

Process::Process(Outside& world, const std::shared_ptr<const ports::Revision>& revision)
    : outside(world), lane(std::make_unique<fakes::ManualExecutor>(world.scheduler)) {
  auto made = runtime::PluginCode::make(revision);
  REQUIRE(made.ok());
  code = std::move(*made);
  for (PartitionNumber p = 0; p < outside.partitions; ++p) {
    shards.push_back(std::make_unique<runtime::Shard>(ShardRef{"p", p}, outside.env, *lane, *code));
    shards.back()->start();
  }
}

void Process::kill() {
  if (!lane) return;
  lane->kill();
  outside.log.forget(*lane);
  outside.store.forget(*lane);
  shards.clear();
  code.reset();
  lane.reset();
}

void Process::publish(const std::shared_ptr<const ports::Revision>& revision) {
  REQUIRE(code->publish(revision).ok());
  for (auto& each : shards) each->code_changed();
}

}  // namespace host

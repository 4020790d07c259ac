#include "host/runtime/runtime.h"

#include <algorithm>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>

#include "host/base/check.h"
#include "host/runtime/asks.h"
#include "host/runtime/door.h"
#include "host/runtime/gateway.h"
#include "host/runtime/holdings.h"
#include "host/runtime/lane_hands.h"
#include "host/runtime/lane_probe.h"
#include "host/runtime/ownership.h"
#include "host/runtime/routes.h"

namespace host::runtime {

/// What lives on one lane. Made by the control thread before start(), the lane's own after it.
struct Runtime::OnLane {
  OnLane(int number, const Environment& env, const Settings& settings,
         std::shared_ptr<RateLimiter> limiter, std::shared_ptr<Idempotency> idempotency)
      : gateway(env, lane,
                {.ready = settings.ready,
                 .pages = settings.pages,
                 .authenticator = settings.authenticator,
                 .limiter = std::move(limiter),
                 .idempotency = std::move(idempotency)}),
        probe(lane, number, env.clock, env.metrics),
        lane(number) {}
  /// Shards that end post to their lane, and requests that a door still holds are the lane's, so
  /// these go before it.
  ~OnLane() {
    for (auto& [name, plugin] : plugins) {
      plugin.holdings.reset();
    }
  }

  struct Code {
    std::unique_ptr<PluginCode> code;
    std::unique_ptr<Holdings> holdings;
  };
  // The lane goes before the code: work that waits on its loop may hold tasks of the engines.
  std::map<std::string, Code> plugins;
  Gateway gateway;
  LaneProbe probe;
  Lane lane;
};

Runtime::Runtime(Environment environment, Settings settings)
    : env_(std::move(environment)),
      settings_(std::move(settings)),
      limiter_(std::make_shared<RateLimiter>(env_.chance)),
      idempotency_(std::make_shared<Idempotency>()) {
  for (int i = 0; i < settings_.lanes; ++i) {
    lanes_.push_back(std::make_unique<OnLane>(i, env_, settings_, limiter_, idempotency_));
  }
}

Runtime::~Runtime() { stop(Duration::zero()); }

int Runtime::lanes() const { return static_cast<int>(lanes_.size()); }
Lane& Runtime::lane(int number) { return lanes_.at(static_cast<std::size_t>(number))->lane; }
ports::HttpHandler& Runtime::gateway(int number) {
  return lanes_.at(static_cast<std::size_t>(number))->gateway;
}

Result<std::shared_ptr<const Routes>> Runtime::routes_with(const Manifest& manifest) const {
  std::vector<const Manifest*> all{&manifest};
  for (const auto& revision : revisions_) {
    if (revision->manifest().name != manifest.name) all.push_back(&revision->manifest());
  }
  return Routes::make(all);
}

Result<void> Runtime::fits(const Manifest& manifest) const {
  Result<std::shared_ptr<const Routes>> routes = routes_with(manifest);
  if (!routes) return routes.error();
  return {};
}

Result<void> Runtime::add(std::shared_ptr<const ports::Revision> revision) {
  HOST_CHECK(!started_, "plugins are added before start");
  const std::string name = revision->manifest().name;
  for (const auto& other : revisions_) {
    if (other->manifest().name != name) continue;
    return make_error(Error::Code::conflict, "two plugins have the name " + name + ": " +
                                                 other->manifest().file + " and " +
                                                 revision->manifest().file);
  }
  Result<std::shared_ptr<const Routes>> routes = routes_with(revision->manifest());
  if (!routes) return routes.error();
  // Plugins begin at different lanes, so that many small ones do not meet on the first.
  const std::size_t first = revisions_.size();
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    OnLane& on = *lanes_[i];
    Result<std::unique_ptr<PluginCode>> code = PluginCode::make(revision);
    if (!code) return code.error();
    OnLane::Code& entry = on.plugins[name];
    entry.code = std::move(*code);
    Holdings::Lost lost;
    if (settings_.members != nullptr) {
      lost = [this](const ShardRef& shard) {
        ownership_lane_->post([this, shard] { ownership_->lost(shard); });
      };
    }
    entry.holdings = std::make_unique<Holdings>(name, env_, on.lane, *entry.code, std::move(lost));
    for (PartitionNumber p = 0; settings_.members == nullptr && p < env_.identity.partitions; ++p) {
      if ((static_cast<std::size_t>(p) + first) % lanes_.size() == i) entry.holdings->add(p);
    }
    on.gateway.add(name, entry.code.get(), &entry.holdings->door());
    on.gateway.publish(*routes);
  }
  revisions_.push_back(std::move(revision));
  tell_changed();
  return {};
}

void Runtime::tell_changed() const {
  if (!settings_.changed) return;
  std::vector<const Manifest*> all;
  for (const auto& revision : revisions_) all.push_back(&revision->manifest());
  settings_.changed(all);
}

void Runtime::start() {
  started_ = true;
  for (auto& on : lanes_) {
    on->probe.start();
    on->lane.start();
    if (settings_.members != nullptr) continue;
    on->lane.post([on = on.get()] {
      const auto number = static_cast<PartitionNumber>(on->lane.number());
      for (auto& [name, plugin] : on->plugins) {
        plugin.holdings->open_door({name, kFirstDoor + number});
        for (const auto& [p, shard] : plugin.holdings->shards()) shard->start();
      }
    });
  }
  if (settings_.members != nullptr) start_owning();
}

void Runtime::start_owning() {
  std::vector<LaneHands::OnLane> lanes;
  for (auto& on : lanes_) {
    lanes.push_back({&on->lane, {}});
    for (auto& [name, plugin] : on->plugins) lanes.back().plugins[name] = plugin.holdings.get();
  }
  Ownership::Settings settings{.plugins = {},
                               .partitions = env_.identity.partitions,
                               .doors = lanes_.size(),
                               .admin = settings_.admin};
  std::map<std::string, std::size_t> first;
  for (const auto& revision : revisions_) {
    first.emplace(revision->manifest().name, first.size());
    settings.plugins.push_back(revision->manifest().name);
  }
  ownership_lane_ = std::make_unique<Lane>(static_cast<int>(lanes_.size()));
  hands_ =
      std::make_unique<LaneHands>(std::move(lanes), std::move(first), *ownership_lane_, env_.clock);
  ownership_ = std::make_unique<Ownership>(Ownership::Parts{.members = *settings_.members,
                                                            .executor = *ownership_lane_,
                                                            .hands = *hands_,
                                                            .chance = env_.chance,
                                                            .logger = env_.logger,
                                                            .metrics = env_.metrics},
                                           std::move(settings));
  hands_->tell(ownership_.get());
  env_.asks.look_in(env_.store, *ownership_lane_);
  ownership_lane_->start();
  ownership_lane_->post([this] { ownership_->start(); });
}

void Runtime::each_lane(const std::function<void(OnLane&)>& work) {
  if (!started_) {
    for (auto& on : lanes_) work(*on);
    return;
  }
  std::vector<std::future<void>> done;
  for (auto& on : lanes_) {
    auto promise = std::make_shared<std::promise<void>>();
    done.push_back(promise->get_future());
    on->lane.post([on = on.get(), &work, promise] {
      work(*on);
      promise->set_value();
    });
  }
  for (auto& future : done) future.wait();
}

Result<void> Runtime::publish(std::shared_ptr<const ports::Revision> revision) {
  const std::string name = revision->manifest().name;
  const auto old = std::find_if(revisions_.begin(), revisions_.end(),
                                [&](const auto& other) { return other->manifest().name == name; });
  if (old == revisions_.end()) {
    return make_error(Error::Code::not_found, "no plugin " + name + " runs here");
  }
  Result<std::shared_ptr<const Routes>> routes = routes_with(revision->manifest());
  if (!routes) return routes.error();
  Result<std::shared_ptr<const Routes>> old_routes = routes_with((*old)->manifest());
  if (!old_routes) return old_routes.error();
  // In one turn of a lane: no request may find a route of one revision in the code of another.
  const auto take = [](OnLane& on, const auto& code, const auto& with) -> Result<void> {
    OnLane::Code& plugin = on.plugins.at(code->manifest().name);
    Result<void> published = plugin.code->publish(code);
    if (!published) return published;
    on.gateway.publish(with);
    plugin.holdings->code_changed();
    return {};
  };
  std::mutex mutex;
  Result<void> result;
  each_lane([&](OnLane& on) {
    Result<void> published = take(on, revision, *routes);
    const std::lock_guard lock(mutex);
    if (!published && result.ok()) result = published.error();
  });
  if (!result) {
    // A lane had no memory for it: those that took it go back to the code that runs everywhere.
    each_lane([&](OnLane& on) {
      const PluginCode& code = *on.plugins.at(name).code;
      if (code.manifest().revision == (*old)->manifest().revision) return;
      if (Result<void> back = take(on, *old, *old_routes); !back) {
        env_.logger.log(ports::LogLevel::error, "a lane cannot go back to the code before",
                        {{"plugin", name}, {"error", back.error().to_string()}});
      }
    });
    return result;
  }
  each_lane([&](OnLane& on) {
    on.lane.post_after(env_.limits.drain, [code = on.plugins.at(name).code.get(), revision] {
      if (code->manifest().revision == revision->manifest().revision) code->drop_previous();
    });
  });
  *old = std::move(revision);
  tell_changed();
  return {};
}

void Runtime::stop(Duration deadline) {
  if (!started_) return;
  started_ = false;
  for (auto& on : lanes_) {
    on->lane.post([on = on.get()] { on->gateway.stop(); });
  }
  settings_.members != nullptr ? stop_owning(deadline) : stop_shards(deadline);
  for (auto& on : lanes_) {
    on->lane.stop();
    on->gateway.abandon();
  }
}

/// Every shard and door is handed over; what the time does not suffice for, others take so.
void Runtime::stop_owning(Duration within) {
  auto left = std::make_shared<std::promise<void>>();
  std::future<void> over = left->get_future();
  ownership_lane_->post(
      [this, within, left] { ownership_->leave(within, [left] { left->set_value(); }); });
  over.wait_for(within + std::chrono::seconds(1));
  env_.asks.look_no_more();
  ownership_lane_->stop();
}

void Runtime::stop_shards(Duration within) {
  struct Stopping {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t left = 0;  // guarded by mutex
  };
  const Time until = env_.clock.now() + within;
  const auto stopping = std::make_shared<Stopping>();
  for (auto& on : lanes_) {
    for (auto& [name, plugin] : on->plugins) stopping->left += plugin.holdings->shards().size();
  }
  for (auto& on : lanes_) {
    on->lane.post([until, stopping, on = on.get()] {
      for (auto& [name, plugin] : on->plugins) {
        for (const auto& [p, shard] : plugin.holdings->shards()) {
          shard->stop(until, [stopping] {
            const std::lock_guard lock(stopping->mutex);
            --stopping->left;
            stopping->changed.notify_all();
          });
        }
      }
    });
  }
  std::unique_lock lock(stopping->mutex);
  // A shard answers by its deadline; the second is for a lane that a long turn holds.
  stopping->changed.wait_for(lock, within + std::chrono::seconds(1),
                             [&] { return stopping->left == 0; });
}

bool Runtime::settled() const {
  return settings_.members == nullptr || (ownership_ && ownership_->settled());
}

std::vector<ShardStatus> Runtime::shards() {
  std::mutex mutex;
  std::vector<ShardStatus> all;
  each_lane([&](OnLane& on) {
    std::vector<ShardStatus> here;
    for (auto& [name, plugin] : on.plugins) {
      for (const auto& [p, shard] : plugin.holdings->shards()) {
        here.push_back(shard->status());
        here.back().lane = on.lane.number();
      }
    }
    const std::lock_guard lock(mutex);
    std::move(here.begin(), here.end(), std::back_inserter(all));
  });
  std::sort(all.begin(), all.end(),
            [](const ShardStatus& a, const ShardStatus& b) { return a.shard < b.shard; });
  return all;
}

Result<void> Runtime::release(const std::string& plugin, const std::string& message_id) {
  std::mutex mutex;
  Result<void> result = make_error(Error::Code::not_found, "no stopped message " + message_id);
  each_lane([&](OnLane& on) {
    const auto found = on.plugins.find(plugin);
    if (found == on.plugins.end()) return;
    for (const auto& [p, shard] : found->second.holdings->shards()) {
      if (!shard->release(message_id)) continue;
      const std::lock_guard lock(mutex);
      result = {};
    }
  });
  return result;
}

std::vector<ports::DeadLetter> Runtime::stopped_messages() {
  std::mutex mutex;
  std::vector<ports::DeadLetter> all;
  each_lane([&](OnLane& on) {
    const std::lock_guard lock(mutex);
    for (auto& [name, plugin] : on.plugins) {
      for (const auto& [p, shard] : plugin.holdings->shards()) {
        for (ports::DeadLetter& message : shard->stopped_messages()) {
          all.push_back(std::move(message));
        }
      }
    }
  });
  return all;
}

std::vector<Runtime::Memory> Runtime::memory() {
  std::mutex mutex;
  std::map<std::string, Memory> all;
  each_lane([&](OnLane& on) {
    const std::lock_guard lock(mutex);
    for (auto& [name, plugin] : on.plugins) {
      Memory& entry = all[name];
      entry.plugin = name;
      for (const auto& [revision, bytes] : plugin.code->memory_bytes()) {
        entry.bytes[revision] += bytes;
      }
      entry.running += plugin.code->running();
    }
  });
  std::vector<Memory> out;
  for (auto& [name, entry] : all) out.push_back(std::move(entry));
  return out;
}

}  // namespace host::runtime

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/ports/authenticator.h"
#include "host/ports/http_server.h"
#include "host/ports/members.h"
#include "host/ports/script_engine.h"
#include "host/runtime/environment.h"
#include "host/runtime/lane.h"
#include "host/runtime/shard.h"

namespace host::runtime {

class Idempotency;
class LaneHands;
class Ownership;
class RateLimiter;
class Routes;

/// The lanes with all that lives on them: for each plugin its code, its shards, its doors, and for
/// each lane a gateway. The process owns every shard of its plugins, or, with members, those whose
/// leases it has; then shards and doors come and go while it runs. Life: make, add() every plugin,
/// start(), any number of publish(), stop(). Its calls block and are made by one control thread,
/// never by a lane; gateway() and lane() are for who wires servers to lanes before start().
class Runtime {
 public:
  struct Settings {
    int lanes = 1;
    std::function<HttpResponse()> ready;  // answers /readyz; thread-safe
    std::function<std::optional<HttpResponse>(const HttpRequest&)> pages = nullptr;  // of Gateway
    /// Told what runs, after every add() and publish().
    std::function<void(const std::vector<const Manifest*>&)> changed = nullptr;
    const ports::Authenticator* authenticator = nullptr;  // outlives it; null: everybody has
                                                          // every role
    /// Where processes share the deployment; outlives it. Null: this one owns every shard.
    ports::Members* members = nullptr;
    std::string admin = {};  // address that other members are told
  };

  Runtime(Environment environment, Settings settings);
  ~Runtime();

  /// Before start(). Errors: conflict (two plugins of one name, equal routes), script_error (the
  /// revision does not load on a lane).
  Result<void> add(std::shared_ptr<const ports::Revision> revision);
  void start();
  /// Every lane takes the revision at its next turn; when it returns all have. Coroutines that wait
  /// go on in the old code for the drain time. Where one lane cannot load it none keeps it.
  Result<void> publish(std::shared_ptr<const ports::Revision> revision);
  /// Whether `manifest` could take its predecessor's place: routes of all plugins stay distinct.
  Result<void> fits(const Manifest& manifest) const;
  /// Lets handlers finish, commits, ends streams; what is not finished by `deadline` runs again at
  /// the next start. May be called twice.
  void stop(Duration deadline);

  int lanes() const;
  Lane& lane(int number);
  ports::HttpHandler& gateway(int number);

  /// Whether this process owns what it should; without members at once.
  bool settled() const;
  std::vector<ShardStatus> shards();
  /// Lets a message run again that retry.last = "stop" holds. Error: not_found.
  Result<void> release(const std::string& plugin, const std::string& message_id);
  std::vector<ports::DeadLetter> stopped_messages();  // those, with the reason "stopped"
  struct Memory {
    std::string plugin;
    std::map<std::string, std::size_t> bytes;  // of its Lua states over all lanes, by revision
    std::size_t running = 0;                   // handlers
  };
  std::vector<Memory> memory();

 private:
  struct OnLane;
  struct Plugin;
  Result<std::shared_ptr<const Routes>> routes_with(const Manifest& manifest) const;
  void each_lane(const std::function<void(OnLane&)>& work);
  void start_owning();
  void stop_owning(Duration within);
  void stop_shards(Duration within);
  void tell_changed() const;

  Environment env_;
  const Settings settings_;
  const std::shared_ptr<RateLimiter> limiter_;
  const std::shared_ptr<Idempotency> idempotency_;
  std::vector<std::unique_ptr<OnLane>> lanes_;
  std::vector<std::shared_ptr<const ports::Revision>> revisions_;
  bool started_ = false;
  // Where there are members: a loop of its own, and what it alone touches while it runs.
  std::unique_ptr<Lane> ownership_lane_;
  std::unique_ptr<LaneHands> hands_;
  std::unique_ptr<Ownership> ownership_;
};

}  // namespace host::runtime

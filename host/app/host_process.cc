#include "host/app/host_process.h"

#include <condition_variable>
#include <mutex>

#include "host/adapters/files/read_file.h"
#include "host/app/topics.h"
#include "host/script/lint.h"

namespace host::app {
namespace {

constexpr Duration kTick = std::chrono::seconds(1);
constexpr Duration kBeginTick = std::chrono::milliseconds(10);
constexpr Duration kAwayTick = std::chrono::seconds(1);

std::optional<tokens::BearerTokens> make_tokens(const RunSettings& settings) {
  if (!settings.auth) return std::nullopt;
  return tokens::BearerTokens(*settings.auth);
}

}  // namespace

HostProcess::HostProcess(Parts parts)
    : parts_(std::move(parts)),
      settings_(parts_.settings),
      tokens_(make_tokens(settings_)),
      scripts_(settings_, parts_.load),
      admin_lane_(settings_.lanes) {}

HostProcess::~HostProcess() = default;

std::optional<Exit> HostProcess::open() {
  if (auto exit = open_backends()) return exit;
  if (auto exit = open_addresses()) return exit;
  if (auto exit = make_runtime()) return exit;
  if (auto exit = load_plugins()) return exit;
  waiting_.reset();
  return listen();
}

std::optional<Exit> HostProcess::open_backends() {
  Result<std::unique_ptr<Backends>> backends = Backends::make(
      {.settings = settings_, .clock = clock_, .logger = parts_.logger, .metrics = parts_.metrics});
  if (!backends) return cannot_run(backends.error());
  backends_ = std::move(*backends);
  readiness_ = std::make_unique<Readiness>(backends_->store());
  return std::nullopt;
}

std::optional<Exit> HostProcess::make_runtime() {
  Result<ports::Store::Identity> identity =
      backends_->store().open_deployment(settings_.partitions);
  while (!identity && identity.error().retryable && backends_->are_servers()) {
    if (!wait_for_servers(identity.error().to_string())) return Exit{kFine, {}};
    identity = backends_->store().open_deployment(settings_.partitions);
  }
  if (!identity) return cannot_run(identity.error());
  runtime_ = std::make_unique<runtime::Runtime>(
      runtime::Environment{.log = backends_->log(),
                           .store = backends_->store(),
                           .clock = clock_,
                           .chance = chance_,
                           .metrics = parts_.metrics,
                           .logger = parts_.logger,
                           .asks = asks_,
                           .identity = std::move(*identity),
                           .topic_prefix = settings_.prefix,
                           .limits = {},
                           .skip_gaps = settings_.skip_gaps,
                           .files = &files_},
      runtime::Runtime::Settings{
          .lanes = settings_.lanes,
          .ready = [this] { return readiness_->answer(); },
          .pages = [this](const HttpRequest& request) { return docs_.answer(request, true); },
          .changed = [this](const auto& plugins) { docs_.publish(plugins); },
          .authenticator = authenticator(),
          .members = backends_->members(),
          .admin = admin_address_ ? admin_address_->to_string() : ""});
  watcher_ = std::make_unique<files::FileWatcher>(
      parts_.control, [this](const std::vector<std::string>&) { reloader_->files_changed(); });
  reloader_ = std::make_unique<runtime::Reloader>(reloader_parts());
  return std::nullopt;
}

runtime::Reloader::Parts HostProcess::reloader_parts() {
  return {
      .load = [this](const std::string& file) { return scripts_.load(file); },
      .fits = [this](const Manifest& manifest) -> Result<void> {
        Result<void> roles = check_roles(manifest, settings_);
        return roles ? runtime_->fits(manifest) : roles;
      },
      .smoke = parts_.smoke,
      .ensure_topics =
          [this](const Manifest& manifest) {
            Result<void> done = backends_->log().ensure_topics(topics_of(manifest, settings_));
            log_refused_ = !done.ok();
            return done;
          },
      .add =
          [this](std::shared_ptr<const ports::Revision> revision) {
            revisions_.push_back(revision);
            return runtime_->add(std::move(revision));
          },
      .publish =
          [this](std::shared_ptr<const ports::Revision> revision) {
            return runtime_->publish(std::move(revision));
          },
      .read = [](const std::string& path) -> std::optional<std::string> {
        Result<std::string> text = files::read_file(path);
        if (!text) return std::nullopt;
        return std::move(*text);
      },
      .watch =
          [this](const runtime::Reloader::Contents& files) {
            std::vector<files::WatchedFile> watched;
            for (const auto& [path, text] : files) {
              watched.push_back({.path = path, .seen = {}});
              if (text) watched.back().seen = files::content_hash(*text);
            }
            watcher_->watch(std::move(watched));
          },
      .store = backends_->store(),
      .metrics = parts_.metrics,
      .logger = parts_.logger,
  };
}

// Before the first of them touches the store: what is wrong between them is wrong for all, and who
// may not connect is better told at once.
std::optional<Exit> HostProcess::check_plugins_together() {
  std::vector<std::shared_ptr<const ports::Revision>> revisions;
  std::vector<const Manifest*> manifests;
  for (const Deployment::Plugin& plugin : settings_.plugins) {
    runtime::Loaded loaded = scripts_.load(plugin.file);
    if (!loaded.revision) continue;  // said when it is started
    revisions.push_back(std::move(loaded.revision));
    manifests.push_back(&revisions.back()->manifest());
  }
  Exit exit{kFindings, {}};
  for (const Problem& problem : script::check_together(manifests)) {
    exit.text += problem.to_string() + "\n";
  }
  if (!exit.text.empty()) return exit;
  for (const Manifest* manifest : manifests) {
    if (Result<void> good = backends_->check_login(manifest->name); !good) {
      return cannot_run(good.error());
    }
  }
  return std::nullopt;
}

std::optional<Exit> HostProcess::load_plugins() {
  if (auto exit = check_plugins_together()) return exit;
  Exit exit{kFine, {}};
  for (const Deployment::Plugin& plugin : settings_.plugins) {
    const runtime::Reloader::Answer answer = start_plugin(plugin.file);
    if (answer.kind == runtime::Reloader::Answer::Kind::live) continue;
    const bool away = answer.kind == runtime::Reloader::Answer::Kind::away;
    if (away && backends_->are_servers()) return Exit{kFine, {}};  // asked to stop meanwhile
    exit.code = std::max(exit.code, away || log_refused_ ? kCannotRun : kFindings);
    for (const Problem& problem : answer.problems) exit.text += problem.to_string() + "\n";
  }
  if (exit.code != kFine) return exit;
  for (const auto& revision : revisions_) {
    if (Result<void> good = check_roles(revision->manifest(), settings_); !good) {
      return cannot_run(good.error());
    }
  }
  for (const std::string& unused : scripts_.unused()) exit.text += "host: " + unused + "\n";
  if (!exit.text.empty()) return Exit{kUsage, exit.text};
  return std::nullopt;
}

/// Away: servers were, and the process shall stop.
runtime::Reloader::Answer HostProcess::start_plugin(const std::string& file) {
  for (;;) {
    log_refused_ = false;
    runtime::Reloader::Answer answer = reloader_->start(file);
    const bool away = answer.kind == runtime::Reloader::Answer::Kind::away;
    if (!away || !backends_->are_servers()) return answer;
    if (!wait_for_servers(answer.problems.front().to_string())) return answer;
  }
}

/// Serves a page that says who is away, for a while; false: the process shall stop.
bool HostProcess::wait_for_servers(const std::string& why) {
  if (!waiting_) {
    waiting_ = std::make_unique<Waiting>();
    serve_waiting_page();
    waiting_->lane.start();
  }
  const char* who = log_refused_ ? "log" : "store";
  waiting_->page.set({who, why});
  if (std::exchange(waiting_->why, why) != why) {
    parts_.logger.log(ports::LogLevel::warn, std::string("waiting for the ") + who,
                      {{"error", why}});
  }
  return parts_.control.run_for(kAwayTick);
}

int HostProcess::serve() {
  runtime_->start();
  admin_lane_.start();
  announce();
  wait_until_begun();
  tick();
  parts_.control.run();
  shut_down();
  return kFine;
}

void HostProcess::reload_all() { reloader_->reload_all(); }

void HostProcess::wait_until_begun() {
  if (readiness_->look_at(runtime_->settled(), runtime_->shards())) return;
  parts_.control.post_after(kBeginTick, [this] { wait_until_begun(); });
}

void HostProcess::tick() {
  reloader_->retry_away();
  for (const auto* tls : {&tls_, &admin_tls_}) {
    if (*tls) (*tls)->warn_of_end();
  }
  parts_.control.post_after(kTick, [this] { tick(); });
}

// Requests that are under way may still need their shards, so the listeners go first. That of the
// admin API does not wait: what it asks of this thread is not answered any more.
void HostProcess::drain_servers(Duration within) {
  struct Left {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t count = 0;
  };
  const auto left = std::make_shared<Left>();
  const auto drain = [&left](runtime::Lane& lane, web::Server& server) {
    ++left->count;
    lane.post([&server, left] {
      server.drain([left] {
        const std::lock_guard lock(left->mutex);
        --left->count;
        left->changed.notify_all();
      });
    });
  };
  {
    // The count is complete before the first answer can be waited for.
    std::unique_lock lock(left->mutex);
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      drain(runtime_->lane(static_cast<int>(i)), *servers_[i]);
    }
    left->changed.wait_for(lock, within, [&] { return left->count == 0; });
  }
}

void HostProcess::shut_down() {
  parts_.logger.log(ports::LogLevel::info, "stopping");
  const Time deadline = clock_.now() + settings_.stop_timeout;
  readiness_->stopping();
  watcher_->stop();
  for (const auto* tls : {&tls_, &admin_tls_}) {
    if (*tls) (*tls)->stop();
  }
  drain_servers(settings_.stop_timeout / 2);
  runtime_->stop(std::max(Duration::zero(), deadline - clock_.now()));
  admin_lane_.stop();
  servers_.clear();
  admin_server_.reset();
  files_.stop();
  backends_->stop();
  parts_.logger.log(ports::LogLevel::info, "stopped");
}

}  // namespace host::app

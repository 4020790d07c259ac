#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/ports/logger.h"
#include "host/ports/metrics.h"
#include "host/ports/script_engine.h"
#include "host/ports/store.h"

namespace host::runtime {

/// What loading a plugin's files in a throw-away state led to.
struct Loaded {
  std::shared_ptr<const ports::Revision> revision = nullptr;  // null: `problems` say why
  Problems problems = {};
  std::vector<std::pair<std::string, std::string>> read = {};  // also when it failed: path, text
};

/// Takes new revisions of the plugins' scripts: load beside the running one, check, make topics
/// and tables, publish. Whatever fails before publishing, the old revision never noticed; why is
/// in the log, in host_reloads_total and in status(), until the files are good again. The same
/// bytes are not tried twice because a file changed; a signal or the admin API try them again.
///
/// One event at a time. Only on the control thread.
class Reloader {
 public:
  /// Files that matter, with what was read of them; nothing: not there.
  using Contents = std::map<std::string, std::optional<std::string>>;
  /// What it works with. Functions, so that the order of the steps is tested without any of them.
  struct Parts {
    std::function<Loaded(const std::string& file)> load;
    std::function<Result<void>(const Manifest&)> fits;  // beside the other plugins, here
    std::function<Problems(const std::shared_ptr<const ports::Revision>&)> smoke;
    std::function<Result<void>(const Manifest&)> ensure_topics;
    std::function<Result<void>(std::shared_ptr<const ports::Revision>)> add;  // at the start
    std::function<Result<void>(std::shared_ptr<const ports::Revision>)> publish;
    std::function<std::optional<std::string>(const std::string& path)> read;
    std::function<void(const Contents& files)> watch;  // for changes from these contents
    ports::Store& store;
    ports::Metrics& metrics;
    ports::Logger& logger;
  };
  struct Answer {
    enum class Kind {
      live,       // published; `revision` is the new one
      unchanged,  // `revision` runs already
      refused,    // `problems` say why; `revision` goes on
      away,       // the store could not be asked: nothing was decided; `problems` has its words
      unknown,    // no such plugin
    };
    Kind kind = Kind::unknown;
    std::string revision = {};
    Problems problems = {};
  };
  struct Status {
    std::string plugin;
    std::string file;
    std::string revision;
    std::string state;  // "live"; a watch window and pausing are not in this version
    Problems refused;   // of the edit that is not live; empty: none
  };

  explicit Reloader(Parts parts) : parts_(std::move(parts)) {}

  /// The first load of a plugin, before the runtime starts.
  Answer start(const std::string& file);
  /// Some of the watched files have changed, or may have.
  void files_changed();
  /// Tries again what the store could not be asked for. Called now and then.
  void retry_away();
  Answer reload(const std::string& plugin);
  void reload_all();
  /// Publishes the revision that ran before this one. The files on disk stay as they are and are
  /// not taken until they change.
  Answer rollback(const std::string& plugin);

  std::vector<Status> status() const;

 private:
  struct Plugin {
    std::string file;
    std::shared_ptr<const ports::Revision> live;
    std::shared_ptr<const ports::Revision> previous;
    Problems refused;
    Contents tried;     // what was on disk at the last attempt: of every file that matters
    bool away = false;  // the store could not be asked in the last attempt
  };

  Answer attempt(Plugin& plugin);
  Answer accept(Plugin& plugin, std::shared_ptr<const ports::Revision> next);
  Problems judge(const Plugin& plugin, const std::shared_ptr<const ports::Revision>& next) const;
  /// Makes what the revision needs; the error says what is in the way.
  Result<void> prepare(const ports::Revision& next);
  Answer refuse(Plugin& plugin, Problems problems);
  Answer failed(Plugin& plugin, const ports::Revision& next, const Error& error);
  void became_live(Plugin& plugin, std::shared_ptr<const ports::Revision> next);
  Contents on_disk(const Contents& files) const;
  void watch_all();

  const Parts parts_;
  std::map<std::string, Plugin> plugins_;  // by name
};

}  // namespace host::runtime

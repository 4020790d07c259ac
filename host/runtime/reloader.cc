#include "host/runtime/reloader.h"

namespace host::runtime {
namespace {

Problem problem_of(const Error& error, const Manifest& manifest) {
  return {.file = error.file.empty() ? manifest.file : error.file,
          .line = error.line,
          .message = error.message,
          .hint = error.hint};
}

/// Whether an error says nothing about the script: the store is away, or its disk is full.
bool not_the_scripts(const Error& error) {
  return error.retryable || error.code == Error::Code::unavailable ||
         error.code == Error::Code::timeout || error.code == Error::Code::exhausted;
}

}  // namespace

Reloader::Answer Reloader::start(const std::string& file) {
  Loaded loaded = parts_.load(file);
  if (!loaded.revision) {
    return {.kind = Answer::Kind::refused, .problems = std::move(loaded.problems)};
  }
  const std::string name = loaded.revision->manifest().name;
  Plugin plugin;
  plugin.file = file;
  const auto refused = [&](const Error& error) {
    return Answer{.kind = not_the_scripts(error) ? Answer::Kind::away : Answer::Kind::refused,
                  .problems = {problem_of(error, loaded.revision->manifest())}};
  };
  // What this store has seen live passed its cases then; a start after a crash shall be quick.
  Result<std::optional<ports::Store::GoodSources>> good = parts_.store.last_good(name);
  if (!good) return refused(good.error());
  const bool known = *good && (*good)->revision == loaded.revision->manifest().revision;
  if (!known) {
    Problems problems = parts_.smoke(loaded.revision);
    if (!problems.empty()) {
      return {.kind = Answer::Kind::refused, .problems = std::move(problems)};
    }
  }
  Result<void> done = prepare(*loaded.revision);
  if (done) done = parts_.add(loaded.revision);
  if (!done) return refused(done.error());
  Plugin& added = plugins_.emplace(name, std::move(plugin)).first->second;
  became_live(added, std::move(loaded.revision));
  return {.kind = Answer::Kind::live, .revision = added.live->manifest().revision};
}

void Reloader::files_changed() {
  for (auto& [name, plugin] : plugins_) {
    if (on_disk(plugin.tried) != plugin.tried) (void)attempt(plugin);  // status() has the answer
  }
}

void Reloader::retry_away() {
  for (auto& [name, plugin] : plugins_) {
    if (plugin.away) (void)attempt(plugin);
  }
}

Reloader::Answer Reloader::reload(const std::string& name) {
  const auto found = plugins_.find(name);
  if (found == plugins_.end()) return {};
  return attempt(found->second);
}

void Reloader::reload_all() {
  for (auto& [name, plugin] : plugins_) (void)attempt(plugin);
}

Reloader::Answer Reloader::attempt(Plugin& plugin) {
  Contents before = on_disk(plugin.tried);
  Loaded loaded = parts_.load(plugin.file);
  plugin.tried = std::move(before);
  plugin.away = false;
  // A broken edit may require files that nobody watches yet: those that it read or names count too.
  for (auto& [path, text] : loaded.read) plugin.tried[path] = std::move(text);
  for (const Problem& problem : loaded.problems) {
    if (!problem.file.empty() && !plugin.tried.contains(problem.file)) {
      plugin.tried[problem.file] = parts_.read(problem.file);
    }
  }
  if (!loaded.revision) return refuse(plugin, std::move(loaded.problems));
  for (const auto& [path, text] : loaded.revision->files()) plugin.tried[path] = text;
  return accept(plugin, std::move(loaded.revision));
}

Reloader::Answer Reloader::accept(Plugin& plugin, std::shared_ptr<const ports::Revision> next) {
  const Manifest& manifest = next->manifest();
  if (manifest.revision == plugin.live->manifest().revision) {
    if (!plugin.refused.empty()) {
      parts_.logger.log(ports::LogLevel::info, "the files are as the running revision again",
                        {{"plugin", manifest.name}, {"revision", manifest.revision}});
    }
    plugin.refused.clear();
    watch_all();
    return {.kind = Answer::Kind::unchanged, .revision = manifest.revision};
  }
  Problems problems = judge(plugin, next);
  if (!problems.empty()) return refuse(plugin, std::move(problems));
  if (Result<void> ready = prepare(*next); !ready) return failed(plugin, *next, ready.error());
  if (Result<void> published = parts_.publish(next); !published) {
    return refuse(plugin, {problem_of(published.error(), manifest)});
  }
  const std::string before = plugin.live->manifest().revision;
  became_live(plugin, std::move(next));
  parts_.metrics.add("host_reloads_total", 1,
                     {{"plugin", plugin.live->manifest().name}, {"result", "live"}});
  parts_.logger.log(ports::LogLevel::info, "a new revision is live",
                    {{"plugin", plugin.live->manifest().name},
                     {"revision", plugin.live->manifest().revision},
                     {"before", before}});
  return {.kind = Answer::Kind::live, .revision = plugin.live->manifest().revision};
}

Problems Reloader::judge(const Plugin& plugin,
                         const std::shared_ptr<const ports::Revision>& next) const {
  const Manifest& old = plugin.live->manifest();
  const Manifest& manifest = next->manifest();
  Problems problems;
  if (manifest.name != old.name) {
    problems.push_back({.file = manifest.file,
                        .line = 0,
                        .message = "the plugin is named " + old.name + " and cannot become " +
                                   manifest.name + " while it runs",
                        .hint = "start the host anew with the new plugin"});
    return problems;
  }
  if (manifest.state_version < old.state_version) {
    problems.push_back({.file = manifest.file,
                        .line = 0,
                        .message = "state version " + std::to_string(manifest.state_version) +
                                   " is below the running one, " +
                                   std::to_string(old.state_version) +
                                   ": saved states would not be readable",
                        .hint = "keep the entries of `migrate`"});
  }
  Result<void> fits = parts_.fits(manifest);
  if (!fits) problems.push_back(problem_of(fits.error(), manifest));
  if (!problems.empty()) return problems;
  return parts_.smoke(next);
}

Result<void> Reloader::prepare(const ports::Revision& next) {
  Result<void> done = parts_.ensure_topics(next.manifest());
  if (!done) return done;
  if (next.manifest().tables.empty()) return {};
  return parts_.store.migrate(next.manifest().name, next.manifest().tables);
}

Reloader::Answer Reloader::refuse(Plugin& plugin, Problems problems) {
  const std::string& name = plugin.live->manifest().name;
  const std::string& revision = plugin.live->manifest().revision;
  parts_.metrics.add("host_reloads_total", 1, {{"plugin", name}, {"result", "refused"}});
  for (const Problem& problem : problems) {
    parts_.logger.log(ports::LogLevel::error, "not reloaded: " + problem.to_string(),
                      {{"plugin", name}, {"revision", revision}});
  }
  plugin.refused = problems;
  watch_all();
  return {.kind = Answer::Kind::refused, .revision = revision, .problems = std::move(problems)};
}

Reloader::Answer Reloader::failed(Plugin& plugin, const ports::Revision& next, const Error& error) {
  Answer answer = refuse(plugin, {problem_of(error, next.manifest())});
  if (!not_the_scripts(error)) return answer;
  plugin.away = true;
  answer.kind = Answer::Kind::away;
  return answer;
}

void Reloader::became_live(Plugin& plugin, std::shared_ptr<const ports::Revision> next) {
  plugin.previous = std::move(plugin.live);
  plugin.live = std::move(next);
  plugin.refused.clear();
  plugin.away = false;  // what was to be tried again is behind it, also after a rollback
  plugin.tried.clear();
  for (const auto& [path, text] : plugin.live->files()) plugin.tried[path] = text;
  const Manifest& manifest = plugin.live->manifest();
  Result<void> remembered = parts_.store.remember_good(
      manifest.name, {.revision = manifest.revision, .files = plugin.live->files()});
  if (!remembered) {
    parts_.logger.log(
        ports::LogLevel::warn,
        "the live revision could not be remembered: " + remembered.error().to_string(),
        {{"plugin", manifest.name}, {"revision", manifest.revision}});
  }
  watch_all();
}

Reloader::Answer Reloader::rollback(const std::string& name) {
  const auto found = plugins_.find(name);
  if (found == plugins_.end()) return {};
  Plugin& plugin = found->second;
  const std::string running = plugin.live->manifest().revision;
  const auto refuse_rollback = [&](Problem problem) {
    return Answer{
        .kind = Answer::Kind::refused, .revision = running, .problems = {std::move(problem)}};
  };
  if (!plugin.previous) {
    return refuse_rollback({.file = plugin.file,
                            .line = 0,
                            .message = "no revision ran before this one since the start",
                            .hint = "put the old files back; they are reloaded"});
  }
  Contents disk = on_disk(plugin.tried);
  std::shared_ptr<const ports::Revision> target = plugin.previous;
  Problems problems = judge(plugin, target);
  if (!problems.empty()) return refuse_rollback(problems.front());
  Result<void> done = parts_.publish(target);
  if (!done) {
    return refuse_rollback(problem_of(done.error(), target->manifest()));
  }
  became_live(plugin, std::move(target));
  // The files that were rolled back are still there: only another edit of them counts.
  for (auto& [path, text] : disk) plugin.tried[path] = std::move(text);
  watch_all();
  parts_.metrics.add("host_reloads_total", 1, {{"plugin", name}, {"result", "rolled_back"}});
  parts_.logger.log(
      ports::LogLevel::warn, "rolled back; the files on disk are newer",
      {{"plugin", name}, {"revision", plugin.live->manifest().revision}, {"before", running}});
  return {.kind = Answer::Kind::live, .revision = plugin.live->manifest().revision};
}

std::vector<Reloader::Status> Reloader::status() const {
  std::vector<Status> out;
  for (const auto& [name, plugin] : plugins_) {
    out.push_back({.plugin = name,
                   .file = plugin.file,
                   .revision = plugin.live->manifest().revision,
                   .state = "live",
                   .refused = plugin.refused});
  }
  return out;
}

Reloader::Contents Reloader::on_disk(const Contents& files) const {
  Contents now;
  for (const auto& [path, text] : files) now[path] = parts_.read(path);
  return now;
}

void Reloader::watch_all() {
  Contents files;
  for (const auto& [name, plugin] : plugins_)
    files.insert(plugin.tried.begin(), plugin.tried.end());
  parts_.watch(files);
}

}  // namespace host::runtime

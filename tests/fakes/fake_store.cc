#include "tests/fakes/fake_store.h"

#include <algorithm>
#include <set>
#include <utility>

namespace host::fakes {

using ports::CommitResult;
using ports::ShardCommit;
using ports::StateRow;
using Status = ports::CommitResult::Status;

struct FakeStore::Shard {
  std::int64_t epoch = 0;
  std::int64_t commit_no = 0;
  std::map<std::string, Offset> next_offsets;
  std::int64_t seq = 0;
  std::int64_t acked_seq = 0;
  int state_version = 0;
  std::map<std::string, StateRow> states;
  std::map<std::int64_t, ports::PendingRow> pending;
  std::map<std::string, ports::TimerRow> timers;
  std::map<std::string, Time> every_next;
  std::map<std::string, Time> once_seen;
  std::map<std::tuple<std::string, PartitionNumber, std::string>, StreamPosition> marks;
  std::deque<ports::OutgoingRow> outgoing;

  void apply(const ShardCommit& commit, bool keeps_outgoing);
  void apply_timers(const ShardCommit& commit);
  ports::ShardImage image() const;
};

struct FakeStore::Content {
  std::optional<Identity> identity;
  std::map<ShardRef, Shard> shards;
  std::map<std::pair<std::string, std::string>, ports::DeadLetter> dead;  // plugin, id
  std::map<std::string, std::string> replies;
  std::map<std::string, GoodSources> good;
  std::map<std::string, std::vector<std::string>> migrations;
  std::vector<RanSql> sql;
  std::size_t commits = 0;
};

/// A commit on its way.
struct FakeStore::Operation {
  std::shared_ptr<const ShardCommit> commit;
  Executor* executor = nullptr;
  UniqueFunction<void(CommitResult)> callback;
  std::optional<Failure> failure;      // planned
  std::optional<CommitResult> result;  // once it is carried out
};

namespace {

Error stopped_error() { return retryable_error(Error::Code::unavailable, "the store is stopped"); }
Error away_error() { return retryable_error(Error::Code::unavailable, "the store is away"); }

}  // namespace

void FakeStore::Shard::apply(const ShardCommit& commit, bool keeps_outgoing) {
  ++commit_no;
  for (const auto& [topic, next] : commit.next_offsets) next_offsets[topic] = next;
  seq = commit.seq;
  acked_seq = commit.acked_seq;
  state_version = commit.state_version;
  for (const auto& [key, row] : commit.states) states[key] = row;
  for (const ports::PendingRow& row : commit.pending_put) {
    const auto [at, fresh] = pending.emplace(row.id, row);
    if (fresh) continue;
    at->second.due = row.due;
    at->second.stopped = row.stopped;
    at->second.last_error = row.last_error;
    at->second.message.attempt = row.message.attempt;
  }
  for (const std::int64_t id : commit.pending_remove) pending.erase(id);
  apply_timers(commit);
  for (const auto& [name, due] : commit.every_next) every_next[name] = due;
  for (const auto& [id, until] : commit.once_seen) once_seen[id] = until;
  for (const ports::Mark& mark : commit.marks) {
    marks[{mark.topic, mark.partition, mark.stream}] = mark.position;
  }
  if (keeps_outgoing) {
    outgoing.insert(outgoing.end(), commit.outgoing.begin(), commit.outgoing.end());
    while (!outgoing.empty() && outgoing.front().seq <= acked_seq) outgoing.pop_front();
  }
}

void FakeStore::Shard::apply_timers(const ShardCommit& commit) {
  for (const std::string& id : commit.timers_fired) timers.erase(id);
  for (const std::string& key : commit.forget_timers) {
    std::erase_if(timers, [&](const auto& entry) { return entry.second.key == key; });
  }
  for (const auto& [key, change] : commit.timers) {
    if (const auto* set = std::get_if<TimerSet>(&change)) {
      timers[set->id] = {set->id, set->name, key, set->due, set->payload};
      continue;
    }
    const std::string& which = std::get<TimerCancel>(change).id_or_name;
    std::erase_if(timers, [&, &owner = key](const auto& entry) {
      return entry.second.key == owner && (entry.first == which || entry.second.name == which);
    });
  }
}

ports::ShardImage FakeStore::Shard::image() const {
  ports::ShardImage image;
  image.epoch = epoch;
  image.commit_no = commit_no;
  image.next_offsets = next_offsets;
  image.seq = seq;
  image.acked_seq = acked_seq;
  image.state_version = state_version;
  for (const auto& [id, row] : pending) {
    image.pending.push_back(row);
    image.pending.back().message.payload.clear();
    image.pending.back().message.headers.clear();
  }
  for (const auto& [place, position] : marks) {
    const auto& [topic, partition, stream] = place;
    image.marks.push_back({topic, partition, stream, position});
  }
  image.outgoing.assign(outgoing.begin(), outgoing.end());
  image.every_next = every_next;
  return image;
}

FakeStore::FakeStore(const ManualClock& clock, FakeLog& log, Manners manners, std::uint64_t seed)
    : clock_(clock),
      log_(log),
      manners_(manners),
      random_(seed),
      content_(std::make_unique<Content>()) {}
FakeStore::~FakeStore() = default;

Result<ports::Store::Identity> FakeStore::open_deployment(PartitionNumber partitions) {
  static std::atomic<int> made{0};
  std::lock_guard lock(mutex_);
  if (stopped_) return stopped_error();
  if (!content_->identity) {
    const int number = ++made;
    std::string secret(32, 's');
    secret.replace(0, 8, std::to_string(10'000'000 + number));
    content_->identity = Identity{"fake" + std::to_string(number), secret, partitions};
  }
  if (content_->identity->partitions == partitions) return *content_->identity;
  return make_error(Error::Code::invalid, "the store was made with " +
                                              std::to_string(content_->identity->partitions) +
                                              " partitions, not " + std::to_string(partitions));
}

Result<void> FakeStore::migrate(const std::string& plugin, const std::vector<std::string>& tables) {
  std::lock_guard lock(mutex_);
  if (stopped_) return stopped_error();
  std::vector<std::string>& known = content_->migrations[plugin];
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const bool changed = i < known.size() && known[i] != tables[i];
    if (changed || tables[i] == "fail") {
      return make_error(Error::Code::invalid, plugin + ": migration " + std::to_string(i + 1) +
                                                  (changed ? " has changed" : " fails"));
    }
  }
  if (tables.size() > known.size()) known = tables;
  return {};
}

Result<void> FakeStore::check_sql(const std::string&, const std::string& sql) {
  if (sql == "fail") return make_error(Error::Code::invalid, "near \"fail\": syntax error");
  return {};
}

// ---- claim and commit ----

void FakeStore::claim(const ShardRef& shard, Executor& executor,
                      Callback<ports::ShardImage> callback) {
  answer(executor, std::move(callback), [this, shard] { return claim_now(shard); });
}

Result<ports::ShardImage> FakeStore::claim_now(const ShardRef& ref) {
  if (!claim_failures_.empty()) {
    Error error = std::move(claim_failures_.front());
    claim_failures_.pop_front();
    return error;
  }
  Shard& shard = content_->shards[ref];
  shard.epoch = std::max(shard.epoch + 1, to_micros(clock_.now()) / 1000);
  return shard.image();
}

void FakeStore::commit(std::shared_ptr<const ShardCommit> commit, Executor& executor,
                       UniqueFunction<void(CommitResult)> callback) {
  auto operation = std::make_shared<Operation>();
  operation->commit = std::move(commit);
  operation->executor = &executor;
  operation->callback = std::move(callback);
  std::lock_guard lock(mutex_);
  if (!commit_failures_.empty()) {
    operation->failure = commit_failures_.front();
    commit_failures_.pop_front();
  } else if (draw(manners_.not_now)) {
    operation->failure = Failure::not_now;
  } else if (draw(manners_.unknown)) {
    operation->failure = draw(0.5) ? Failure::unknown_written : Failure::unknown_lost;
  }
  // Carried out when it is sent or when it is answered: a process that dies between the two has
  // committed in the first case only.
  Client& client = clients_[&executor];
  const bool later = hold_ ? *hold_ == Hold::writes : manners_.delay > Duration{0} && draw(0.5);
  if (later || client.undone > 0) {
    ++client.undone;
  } else {
    operation->result = carry_out(*operation);
  }
  if (hold_) {
    held_.push_back(std::move(operation));
  } else {
    schedule(executor, [this, operation] { finish(*operation); });
  }
}

void FakeStore::finish(Operation& operation) {
  {
    std::lock_guard lock(mutex_);
    if (!operation.result) {
      --clients_[operation.executor].undone;
      operation.result = carry_out(operation);
    }
  }
  operation.callback(std::move(*operation.result));
}

CommitResult FakeStore::carry_out(Operation& operation) {
  const auto unknown = [] {
    return CommitResult{
        Status::unknown, retryable_error(Error::Code::timeout, "connection lost in COMMIT"), {}};
  };
  if (stopped_) return {Status::not_now, stopped_error(), {}};
  if (!operation.failure) return apply(*operation.commit);
  switch (*operation.failure) {
    case Failure::not_now:
      return {Status::not_now, retryable_error(Error::Code::exhausted, "the disk is full"), {}};
    case Failure::unknown_lost:
      return unknown();
    case Failure::unknown_written: {
      CommitResult result = apply(*operation.commit);
      return result.status == Status::committed ? unknown() : result;
    }
    case Failure::fenced:
      ++content_->shards[operation.commit->shard].epoch;
      break;
  }
  return apply(*operation.commit);
}

CommitResult FakeStore::apply(const ShardCommit& commit) {
  const auto found = content_->shards.find(commit.shard);
  if (found == content_->shards.end() || found->second.epoch != commit.epoch ||
      found->second.commit_no != commit.commit_no) {
    return {Status::fenced,
            make_error(Error::Code::fenced, commit.shard.to_string() + " has another owner"),
            {}};
  }
  if (std::optional<CommitResult> failed = run_sql(commit)) return *std::move(failed);
  const bool shared = log_.shares_store();
  if (shared && !commit.outgoing.empty()) {
    std::vector<ports::Append> records;
    for (const ports::OutgoingRow& row : commit.outgoing) records.push_back(row.record);
    if (std::optional<Error> error = log_.append_now(records)) {
      return {Status::not_now, *std::move(error), {}};
    }
  }
  found->second.apply(commit, !shared);
  for (const ports::DeadLetter& letter : commit.dead) {
    content_->dead[{commit.shard.plugin, letter.id}] = letter;
  }
  for (const std::string& id : commit.dead_remove) content_->dead.erase({commit.shard.plugin, id});
  for (const ports::Reply& reply : commit.replies) content_->replies[reply.ask_id] = reply.payload;
  for (const ports::CommitUnit& unit : commit.units) {
    for (const SqlStatement& statement : unit.sql) {
      content_->sql.push_back({commit.shard.plugin, unit.message_id, statement});
    }
  }
  ++content_->commits;
  return {Status::committed, {}, {}};
}

std::optional<CommitResult> FakeStore::run_sql(const ShardCommit& commit) {
  CommitResult result{Status::sql_failed, {}, {}};
  for (std::size_t i = 0; i < commit.units.size(); ++i) {
    for (const SqlStatement& statement : commit.units[i].sql) {
      std::optional<Error> error = on_sql_ ? on_sql_(commit.shard.plugin, statement) : std::nullopt;
      if (!error && statement.text == "fail") {
        error = make_error(Error::Code::invalid, "near \"fail\": syntax error");
      }
      if (!error) continue;
      error->file = statement.file;
      error->line = statement.line;
      result.failed.emplace_back(i, *std::move(error));
      break;
    }
  }
  if (result.failed.empty()) return std::nullopt;
  result.error = result.failed.front().second;
  return result;
}

// ---- reads ----

template <class T, class Make>
void FakeStore::answer(Executor& executor, Callback<T> callback, Make make) {
  auto evaluate = [this, make = std::move(make)]() -> Result<T> {
    if (stopped_) return stopped_error();
    if (draw(manners_.unavailable)) return away_error();
    return make();
  };
  std::lock_guard lock(mutex_);
  // What a read sees is a matter of chance while commits are on their way.
  if (manners_.delay > Duration{0} && draw(0.5)) {
    schedule(executor,
             [this, evaluate = std::move(evaluate), callback = std::move(callback)]() mutable {
               std::unique_lock later(mutex_);
               Result<T> result = evaluate();
               later.unlock();
               callback(std::move(result));
             });
  } else {
    schedule(executor, [result = evaluate(), callback = std::move(callback)]() mutable {
      callback(std::move(result));
    });
  }
}

void FakeStore::load_states(const ShardRef& shard, std::vector<std::string> keys,
                            Executor& executor, Callback<std::vector<StateRow>> callback) {
  answer(executor, std::move(callback),
         [this, shard, keys = std::move(keys)]() -> Result<std::vector<StateRow>> {
           if (std::optional<Error> error = next_read_failure()) return *std::move(error);
           const Shard& from = content_->shards[shard];
           std::vector<StateRow> rows;
           for (const std::string& key : keys) {
             const auto found = from.states.find(key);
             rows.push_back(found == from.states.end() ? StateRow{} : found->second);
           }
           return rows;
         });
}

void FakeStore::load_pending(const ShardRef& shard, std::vector<std::int64_t> ids,
                             Executor& executor,
                             Callback<std::vector<ports::PendingRow>> callback) {
  answer(executor, std::move(callback),
         [this, shard, ids = std::move(ids)]() -> Result<std::vector<ports::PendingRow>> {
           if (std::optional<Error> error = next_read_failure()) return *std::move(error);
           const Shard& from = content_->shards[shard];
           std::vector<ports::PendingRow> rows;
           for (const std::int64_t id : std::set<std::int64_t>(ids.begin(), ids.end())) {
             const auto found = from.pending.find(id);
             if (found != from.pending.end()) rows.push_back(found->second);
           }
           return rows;
         });
}

void FakeStore::load_timers(const ShardRef& shard, Time after, std::string after_id,
                            std::size_t limit, Executor& executor,
                            Callback<std::vector<ports::TimerRow>> callback) {
  answer(executor, std::move(callback),
         [this, shard, after, after_id = std::move(after_id),
          limit]() -> Result<std::vector<ports::TimerRow>> {
           if (std::optional<Error> error = next_read_failure()) return *std::move(error);
           std::vector<ports::TimerRow> rows;
           for (const auto& [id, row] : content_->shards[shard].timers) {
             if (std::tie(row.due, id) > std::tie(after, after_id)) rows.push_back(row);
           }
           std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
             return std::tie(a.due, a.id) < std::tie(b.due, b.id);
           });
           if (rows.size() > limit) rows.resize(limit);
           return rows;
         });
}

void FakeStore::once_seen(const ShardRef& shard, std::vector<std::string> ids, Time now,
                          Executor& executor, Callback<std::vector<bool>> callback) {
  answer(executor, std::move(callback),
         [this, shard, ids = std::move(ids), now]() -> Result<std::vector<bool>> {
           if (std::optional<Error> error = next_read_failure()) return *std::move(error);
           const auto& known = content_->shards[shard].once_seen;
           std::vector<bool> seen;
           for (const std::string& id : ids) {
             const auto found = known.find(id);
             seen.push_back(found != known.end() && found->second > now);
           }
           return seen;
         });
}

void FakeStore::read_state(const ShardRef& shard, std::string key, Executor& executor,
                           Callback<StateRow> callback) {
  answer(executor, std::move(callback), [this, shard, key = std::move(key)]() -> Result<StateRow> {
    if (std::optional<Error> error = next_read_failure()) return *std::move(error);
    const Shard& from = content_->shards[shard];
    const auto found = from.states.find(key);
    return found == from.states.end() ? StateRow{} : found->second;
  });
}

void FakeStore::list_states(const std::string& plugin, std::string after, std::size_t limit,
                            Executor& executor, Callback<ports::StateList> callback) {
  answer(executor, std::move(callback),
         [this, plugin, after = std::move(after), limit]() -> Result<ports::StateList> {
           if (std::optional<Error> error = next_read_failure()) return *std::move(error);
           return state_page(plugin, after, limit);
         });
}

ports::StateList FakeStore::state_page(const std::string& plugin, const std::string& after,
                                       std::size_t limit) const {
  std::map<std::string, const StateRow*> merged;  // std::string compares bytes as unsigned
  for (const auto& [ref, shard] : content_->shards) {
    if (ref.plugin != plugin) continue;
    for (auto at = shard.states.upper_bound(after); at != shard.states.end(); ++at) {
      if (at->second.bytes) merged.emplace(at->first, &at->second);
    }
  }
  ports::StateList list;
  for (const auto& [key, row] : merged) {
    if (list.items.size() == limit) {
      list.next = list.items.back().key;
      break;
    }
    list.items.push_back({key, *row});
  }
  return list;
}

void FakeStore::query(const std::string& plugin, SqlStatement statement, Executor& executor,
                      Callback<SqlRows> callback) {
  answer(executor, std::move(callback),
         [this, plugin, statement = std::move(statement)]() -> Result<SqlRows> {
           if (std::optional<Error> error = next_read_failure()) return *std::move(error);
           if (statement.text == "fail") {
             return make_error(Error::Code::invalid, "near \"fail\": syntax error");
           }
           return on_query_ ? on_query_(plugin, statement) : SqlRows{};
         });
}

void FakeStore::list_dead(const std::string& plugin, std::string after, std::size_t limit,
                          Executor& executor, Callback<ports::DeadList> callback) {
  answer(executor, std::move(callback),
         [this, plugin, after = std::move(after), limit]() -> Result<ports::DeadList> {
           if (std::optional<Error> error = next_read_failure()) return *std::move(error);
           return dead_page(plugin, after, limit);
         });
}

ports::DeadList FakeStore::dead_page(const std::string& plugin, const std::string& after,
                                     std::size_t limit) const {
  std::vector<const ports::DeadLetter*> letters;
  for (const auto& [place, letter] : content_->dead) {
    if (plugin.empty() || place.first == plugin) letters.push_back(&letter);
  }
  std::stable_sort(letters.begin(), letters.end(),
                   [](const auto* a, const auto* b) { return a->at > b->at; });
  const auto name = [](const ports::DeadLetter& letter) {
    return std::to_string(to_micros(letter.at)) + " " + letter.plugin + " " + letter.id;
  };
  ports::DeadList list;
  bool begun = after.empty();
  for (const ports::DeadLetter* letter : letters) {
    if (begun && list.items.size() == limit) {
      list.next = name(list.items.back());
      break;
    }
    if (begun) list.items.push_back(*letter);
    begun = begun || name(*letter) == after;
  }
  return list;
}

void FakeStore::show_dead(const std::string& plugin, const std::string& id, Executor& executor,
                          Callback<ports::DeadLetter> callback) {
  answer(executor, std::move(callback), [this, plugin, id]() -> Result<ports::DeadLetter> {
    if (std::optional<Error> error = next_read_failure()) return *std::move(error);
    const auto found = content_->dead.find({plugin, id});
    if (found != content_->dead.end()) return found->second;
    return make_error(Error::Code::not_found, plugin + " has no dead letter " + id);
  });
}

Result<void> FakeStore::remember_good(const std::string& plugin, const GoodSources& sources) {
  std::lock_guard lock(mutex_);
  if (stopped_) return stopped_error();
  content_->good[plugin] = sources;
  return {};
}

Result<std::optional<ports::Store::GoodSources>> FakeStore::last_good(const std::string& plugin) {
  std::lock_guard lock(mutex_);
  if (stopped_) return stopped_error();
  const auto found = content_->good.find(plugin);
  if (found == content_->good.end()) return std::optional<GoodSources>{};
  return std::optional<GoodSources>{found->second};
}

std::string FakeStore::health() const {
  std::lock_guard lock(mutex_);
  return stopped_ ? "the store is stopped" : "";
}

std::optional<Error> FakeStore::next_read_failure() {
  if (read_failures_.empty()) return std::nullopt;
  Error error = std::move(read_failures_.front());
  read_failures_.pop_front();
  return error;
}

bool FakeStore::draw(double chance) {
  return chance > 0 && static_cast<double>(random_() >> 11) * 0x1p-53 < chance;
}

void FakeStore::schedule(Executor& executor, UniqueFunction<void()> work) {
  if (manners_.delay <= Duration{0}) {
    executor.post(std::move(work));
    return;
  }
  Client& client = clients_[&executor];
  const Time now = clock_.now();
  const Duration delay{static_cast<std::int64_t>(
      random_() % (static_cast<std::uint64_t>(manners_.delay.count()) + 1))};
  client.last_due = std::max(client.last_due, now + delay);
  executor.post_after(client.last_due - now, std::move(work));
}

// ---- handles ----

void FakeStore::hold_commits(Hold what) {
  std::lock_guard lock(mutex_);
  hold_ = what;
}

void FakeStore::release_commits() {
  std::lock_guard lock(mutex_);
  hold_.reset();
  for (auto& operation : held_) {
    Executor& executor = *operation->executor;
    schedule(executor, [this, operation = std::move(operation)] { finish(*operation); });
  }
  held_.clear();
}

std::size_t FakeStore::held_commits() const {
  std::lock_guard lock(mutex_);
  return held_.size();
}

void FakeStore::fail_next_commit(Failure failure) {
  std::lock_guard lock(mutex_);
  commit_failures_.push_back(failure);
}

void FakeStore::fail_next_claim(Error error) {
  std::lock_guard lock(mutex_);
  claim_failures_.push_back(std::move(error));
}

void FakeStore::fail_next_read(Error error) {
  std::lock_guard lock(mutex_);
  read_failures_.push_back(std::move(error));
}

void FakeStore::on_sql(
    std::function<std::optional<Error>(const std::string&, const SqlStatement&)> answer) {
  std::lock_guard lock(mutex_);
  on_sql_ = std::move(answer);
}

void FakeStore::on_query(
    std::function<Result<SqlRows>(const std::string&, const SqlStatement&)> answer) {
  std::lock_guard lock(mutex_);
  on_query_ = std::move(answer);
}

void FakeStore::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  for (auto& operation : held_) {
    Executor& executor = *operation->executor;
    executor.post([this, operation = std::move(operation)] { finish(*operation); });
  }
  held_.clear();
}

void FakeStore::restart() {
  std::lock_guard lock(mutex_);
  stopped_ = false;
}

void FakeStore::forget(const Executor& executor) {
  std::lock_guard lock(mutex_);
  std::erase_if(held_, [&](const auto& operation) { return operation->executor == &executor; });
  clients_.erase(&executor);
}

FakeStore::Backup FakeStore::backup() const {
  std::lock_guard lock(mutex_);
  return {std::make_shared<Content>(*content_), log_.shares_store() ? log_.backup() : nullptr};
}

void FakeStore::restore(const Backup& backup) {
  std::lock_guard lock(mutex_);
  *content_ = *backup.store;
  if (backup.log) log_.restore(backup.log);
}

std::vector<FakeStore::RanSql> FakeStore::sql() const {
  std::lock_guard lock(mutex_);
  return content_->sql;
}

std::optional<std::string> FakeStore::reply(const std::string& ask_id) const {
  std::lock_guard lock(mutex_);
  const auto found = content_->replies.find(ask_id);
  return found == content_->replies.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string> FakeStore::state(const ShardRef& ref, const std::string& key) const {
  std::lock_guard lock(mutex_);
  const auto shard = content_->shards.find(ref);
  if (shard == content_->shards.end()) return std::nullopt;
  const auto found = shard->second.states.find(key);
  return found == shard->second.states.end() ? std::nullopt : found->second.bytes;
}

std::vector<ports::DeadLetter> FakeStore::dead() const {
  std::lock_guard lock(mutex_);
  std::vector<ports::DeadLetter> all;
  for (const auto& [place, letter] : content_->dead) all.push_back(letter);
  return all;
}

std::size_t FakeStore::timer_count(const ShardRef& ref) const {
  std::lock_guard lock(mutex_);
  const auto shard = content_->shards.find(ref);
  return shard == content_->shards.end() ? 0 : shard->second.timers.size();
}

std::size_t FakeStore::pending_count(const ShardRef& ref) const {
  std::lock_guard lock(mutex_);
  const auto shard = content_->shards.find(ref);
  return shard == content_->shards.end() ? 0 : shard->second.pending.size();
}

std::size_t FakeStore::commits() const {
  std::lock_guard lock(mutex_);
  return content_->commits;
}

}  // namespace host::fakes

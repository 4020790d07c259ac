#include <algorithm>
#include <utility>

#include "tests/fakes/fake_store_content.h"

namespace host::fakes {

using ports::CommitResult;
using ports::ShardCommit;
using ports::StateRow;
using Status = ports::CommitResult::Status;

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
      timers[set->id] = {set->id, set->name, key, set->due, set->payload, set->headers};
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
  if (stopped_) return store_stopped();
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
  if (stopped_) return store_stopped();
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

Result<void> FakeStore::remember_good(const std::string& plugin, const GoodSources& sources) {
  std::lock_guard lock(mutex_);
  if (stopped_) return store_stopped();
  content_->good[plugin] = sources;
  return {};
}

Result<std::optional<ports::Store::GoodSources>> FakeStore::last_good(const std::string& plugin) {
  std::lock_guard lock(mutex_);
  if (stopped_) return store_stopped();
  const auto found = content_->good.find(plugin);
  if (found == content_->good.end()) return std::optional<GoodSources>{};
  return std::optional<GoodSources>{found->second};
}

std::string FakeStore::health() const {
  std::lock_guard lock(mutex_);
  return stopped_ ? "the store is stopped" : "";
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
  if (stopped_) return {Status::not_now, store_stopped(), {}};
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
  const bool owner = found != content_->shards.end() && found->second.epoch == commit.epoch &&
                     found->second.commit_no == commit.commit_no;
  if (!owner && !manners_.no_fence) {
    ++fenced_;
    return {Status::fenced,
            make_error(Error::Code::fenced, commit.shard.to_string() + " has another owner"),
            {}};
  }
  if (std::optional<CommitResult> failed = run_sql(commit)) return *std::move(failed);
  if (std::optional<CommitResult> known = answered_before(commit)) return *std::move(known);
  const bool shared = log_.shares_store();
  if (shared && !commit.outgoing.empty()) {
    if (std::optional<Error> error = log_.append_now(commit.outgoing)) {
      return {Status::not_now, *std::move(error), {}};
    }
  }
  found->second.apply(commit, !shared);
  for (const ports::DeadLetter& letter : commit.dead) {
    content_->dead[{commit.shard.plugin, letter.id}] = letter;
  }
  for (const std::string& id : commit.dead_remove) content_->dead.erase({commit.shard.plugin, id});
  for (const ports::Reply& reply : commit.replies) content_->replies[reply.ask_id] = reply.payload;
  for (const ports::KeptAnswer& answer : commit.answers) {
    content_->answers[{commit.shard.plugin, answer.scope}] = answer;
  }
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

std::optional<CommitResult> FakeStore::answered_before(const ShardCommit& commit) const {
  CommitResult result{Status::answered, {}, {}};
  for (std::size_t i = 0; i < commit.answers.size(); ++i) {
    const auto known = content_->answers.find({commit.shard.plugin, commit.answers[i].scope});
    if (known == content_->answers.end() || known->second.until <= clock_.now()) continue;
    result.failed.emplace_back(i, make_error(Error::Code::conflict, "it was answered before"));
  }
  if (result.failed.empty()) return std::nullopt;
  result.error = result.failed.front().second;
  return result;
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

}  // namespace host::fakes

#include "tests/fakes/fake_store_content.h"

namespace host::fakes {

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

std::size_t FakeStore::reply_reads() const {
  std::lock_guard lock(mutex_);
  return reply_reads_;
}

std::size_t FakeStore::fenced() const {
  std::lock_guard lock(mutex_);
  return fenced_;
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

#pragma once

// The vocabulary of the cases in store_contract.h and store_sql_contract.h.

#include <set>

#include "tests/contract/contract_support.h"

namespace host::contract {

using ports::CommitResult;
using ports::ShardCommit;
using ports::ShardImage;
using ports::StateRow;
using Status = ports::CommitResult::Status;

inline std::shared_ptr<const ShardCommit> share(ShardCommit commit) {
  return std::make_shared<const ShardCommit>(std::move(commit));
}

/// The vocabulary of the store's cases: every call awaited, `next()` the commit of the owner.
template <class F>
struct StoreCase {
  explicit StoreCase(std::string plugin = "owls", PartitionNumber number = 1)
      : shard{std::move(plugin), number} {
    open();
  }

  void open() { must(f.store().open_deployment(kPartitions)); }
  void reopen() {
    f.reopen();
    open();
  }

  ShardImage claim() { return claim(shard); }
  ShardImage claim(const ShardRef& which) {
    Answer<Result<ShardImage>> answer;
    f.store().claim(which, f.executor(), answer.taker());
    return must(await(f, answer));
  }
  /// Claims and remembers the image as the owner's.
  void own() { image = claim(); }

  ShardCommit next() const {
    ShardCommit commit;
    commit.shard = shard;
    commit.epoch = image.epoch;
    commit.commit_no = image.commit_no;
    commit.seq = image.seq;
    commit.acked_seq = image.acked_seq;
    return commit;
  }
  CommitResult commit(ShardCommit what) {
    Answer<CommitResult> answer;
    f.store().commit(share(std::move(what)), f.executor(), answer.taker());
    return await(f, answer);
  }
  /// Commits and goes on as the owner does.
  void commit_ok(ShardCommit what) {
    const auto seq = what.seq, acked = what.acked_seq;
    const CommitResult result = commit(std::move(what));
    INFO(result.error.to_string());
    REQUIRE(result.status == Status::committed);
    ++image.commit_no;
    image.seq = seq;
    image.acked_seq = acked;
  }
  void put_state(const std::string& key, const std::string& bytes, int version = 1) {
    ShardCommit commit = next();
    commit.states.push_back({key, StateRow{bytes, version, {}}});
    commit_ok(std::move(commit));
  }

  std::vector<StateRow> states(std::vector<std::string> keys) {
    Answer<Result<std::vector<StateRow>>> answer;
    f.store().load_states(shard, std::move(keys), f.executor(), answer.taker());
    return must(await(f, answer));
  }
  std::optional<std::string> state(const std::string& key) { return states({key}).at(0).bytes; }
  std::vector<ports::PendingRow> pending(std::vector<std::int64_t> ids) {
    Answer<Result<std::vector<ports::PendingRow>>> answer;
    f.store().load_pending(shard, std::move(ids), f.executor(), answer.taker());
    return must(await(f, answer));
  }
  std::vector<ports::TimerRow> timers(Time after = Time::min(), std::string after_id = "",
                                      std::size_t limit = 1000) {
    Answer<Result<std::vector<ports::TimerRow>>> answer;
    f.store().load_timers(shard, after, std::move(after_id), limit, f.executor(), answer.taker());
    return must(await(f, answer));
  }
  std::vector<std::string> timer_ids() {
    std::vector<std::string> ids;
    for (const auto& row : timers()) ids.push_back(row.id);
    return ids;
  }
  std::vector<bool> seen(std::vector<std::string> ids, Time now) {
    Answer<Result<std::vector<bool>>> answer;
    f.store().once_seen(shard, std::move(ids), now, f.executor(), answer.taker());
    return must(await(f, answer));
  }
  std::optional<std::string> reply(std::string ask_id) {
    return replies({std::move(ask_id)}).at(0);
  }
  std::vector<std::optional<std::string>> replies(std::vector<std::string> ask_ids) {
    Answer<Result<std::vector<std::optional<std::string>>>> answer;
    f.store().load_replies(std::move(ask_ids), f.executor(), answer.taker());
    return must(await(f, answer));
  }
  std::optional<ports::KeptAnswer> kept(std::string scope, Time now) {
    return kept(shard.plugin, std::move(scope), now);
  }
  std::optional<ports::KeptAnswer> kept(const std::string& plugin, std::string scope, Time now) {
    Answer<Result<std::optional<ports::KeptAnswer>>> answer;
    f.store().kept_answer(plugin, std::move(scope), now, f.executor(), answer.taker());
    return must(await(f, answer));
  }
  ports::StateList list(const std::string& plugin, std::string after, std::size_t limit) {
    Answer<Result<ports::StateList>> answer;
    f.store().list_states(plugin, std::move(after), limit, f.executor(), answer.taker());
    return must(await(f, answer));
  }
  ports::DeadList dead(const std::string& plugin, std::string after = "", std::size_t limit = 100) {
    Answer<Result<ports::DeadList>> answer;
    f.store().list_dead(plugin, std::move(after), limit, f.executor(), answer.taker());
    return must(await(f, answer));
  }
  Result<ports::DeadLetter> show_dead(const std::string& plugin, const std::string& id) {
    Answer<Result<ports::DeadLetter>> answer;
    f.store().show_dead(plugin, id, f.executor(), answer.taker());
    return await(f, answer);
  }
  Time at(int seconds) { return fakes_start() + std::chrono::seconds(seconds); }
  static Time fakes_start() { return from_micros(fakes::ManualClock::kStart); }

  F f;
  ShardRef shard;
  ShardImage image;
};

inline Message message(std::string id, std::optional<std::string> key, std::string payload) {
  Message m;
  m.id = std::move(id);
  m.topic = "letters";
  m.key = std::move(key);
  m.payload = std::move(payload);
  m.headers = {{"host-id", "x"}, {"blob", binary(256)}};
  m.time = from_micros(1'700'000'000'123'456);
  m.attempt = 3;
  return m;
}

inline void same_message(const Message& got, const Message& want) {
  CHECK(got.kind == want.kind);
  CHECK(got.id == want.id);
  CHECK(got.topic == want.topic);
  CHECK(got.key == want.key);
  CHECK(got.payload == want.payload);
  CHECK(got.headers == want.headers);
  CHECK(got.time == want.time);
  CHECK(got.attempt == want.attempt);
}

inline TimerSet timer(std::string id, std::string name, Time due, std::string payload = "{}") {
  return {std::move(id), std::move(name), due, std::move(payload)};
}

inline ports::DeadLetter dead_letter(std::string id, const ShardRef& shard, Time when) {
  ports::DeadLetter letter;
  letter.id = id;
  letter.plugin = shard.plugin;
  letter.shard = shard.number;
  letter.message = message(std::move(id), "k", "payload");
  letter.reason = "failed";
  letter.error = Error{Error::Code::script_error, "it broke", "mend it", true, "plugins/a.lua", 7};
  letter.revision = "0123456789ab";
  letter.at = when;
  return letter;
}

inline ports::OutgoingRow outgoing(std::int64_t epoch, std::int64_t seq, std::string payload) {
  ports::OutgoingRow row{epoch, seq, {"letters", 1, "harry", std::move(payload), {}}};
  row.record.headers = {
      {"host-origin", "db/owls/1/" + std::to_string(epoch) + "-" + std::to_string(seq)},
      {"blob", binary(256)}};
  return row;
}

}  // namespace host::contract

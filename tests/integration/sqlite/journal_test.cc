// The journal and its checkpoint against the row form: whatever is only in the journal, in the
// tables, or in both, the store tells what a store of plain rows tells, also after the process was
// cut off at any of its writes.

#include <sqlite3.h>
#include <sys/wait.h>

#include <sstream>

#include "tests/fakes/fake_log.h"
#include "tests/fakes/fake_store.h"
#include "tests/integration/sqlite/faulty_disk.h"
#include "tests/integration/sqlite/support.h"

namespace host::sqlite_tests {
namespace {

const ShardRef kShards[] = {{"owls", 0}, {"owls", 1}};

/// The row form: a store in memory that the contract suites hold to the same semantics.
class Rows {
 public:
  Rows()
      : log_(scheduler_.clock(), {.shares_store = true}),
        store_(scheduler_.clock(), log_, {}),
        lane_(scheduler_) {}

  ports::Store& store() { return store_; }
  Executor& executor() { return lane_; }
  bool pump(const std::function<bool()>& until) { return scheduler_.wait_until(until); }
  fakes::ManualClock& clock() { return scheduler_.clock(); }

 private:
  fakes::Scheduler scheduler_;
  fakes::FakeLog log_;
  fakes::FakeStore store_;
  fakes::ManualExecutor lane_;
};

template <class D, class T, class Ask>
T asked(D& d, Ask ask) {
  Answer<Result<T>> answer;
  ask(d.store(), d.executor(), answer.taker());
  return must(std::move(await(d, answer)));
}

template <class D>
ports::ShardImage claim(D& d, const ShardRef& shard) {
  return asked<D, ports::ShardImage>(
      d, [&](auto& store, auto& executor, auto taker) { store.claim(shard, executor, taker); });
}

template <class D>
CommitResult commit(D& d, ShardCommit what) {
  Answer<CommitResult> answer;
  d.store().commit(std::make_shared<const ShardCommit>(std::move(what)), d.executor(),
                   answer.taker());
  return await(d, answer);
}

std::string text(const std::optional<Time>& time) {
  return time ? std::to_string(to_micros(*time)) : "-";
}

std::string text(const ports::StateRow& row) {
  return row.bytes.value_or("(none)") + " v" + std::to_string(row.version) + " quiet " +
         text(row.quiet_until);
}

std::string text(const ports::PendingRow& row) {
  const Message& m = row.message;
  std::ostringstream out;
  out << row.id << " due " << text(row.due) << " stopped " << row.stopped << " '" << row.last_error
      << "' message " << m.id << " of " << m.topic << " key " << m.key.value_or("-") << " payload '"
      << m.payload << "' headers " << m.headers.size() << " attempt " << m.attempt << " at "
      << to_micros(m.time);
  return out.str();
}

std::string text(const ports::TimerRow& row) {
  return row.id + " " + row.name + " of " + row.key + " due " + std::to_string(to_micros(row.due)) +
         " '" + row.payload + "' headers " + std::to_string(row.headers.size());
}

/// All that a claim tells, but for the epoch, which depends on how often it was claimed.
std::string tale_of(ports::ShardImage image) {
  std::ostringstream out;
  out << "commit " << image.commit_no << " seq " << image.seq << "\n";
  for (const auto& [topic, next] : image.next_offsets)
    out << "next " << topic << " " << next << "\n";
  for (const auto& row : image.pending) out << "pending " << text(row) << "\n";
  std::sort(image.marks.begin(), image.marks.end(), [](const auto& a, const auto& b) {
    return std::tie(a.topic, a.partition, a.stream) < std::tie(b.topic, b.partition, b.stream);
  });
  for (const auto& mark : image.marks) {
    out << "mark " << mark.topic << "/" << mark.partition << " " << mark.stream << " "
        << mark.position.epoch << "-" << mark.position.seq << "\n";
  }
  for (const auto& [name, due] : image.every_next)
    out << "every " << name << " " << text(due) << "\n";
  return out.str();
}

std::vector<std::string> names(const std::string& prefix, int count) {
  std::vector<std::string> all;
  for (int i = 0; i < count; ++i) all.push_back(prefix + std::to_string(i));
  return all;
}
const std::vector<std::string> kKeys = names("k", 10);
const std::vector<std::string> kTimers = names("t", 8);
const std::vector<std::string> kEvents = names("e", 5);
constexpr int kPendingIds = 8;

/// All that reads tell of a shard.
template <class D>
std::string tale_of_reads(D& d, const ShardRef& shard) {
  std::ostringstream out;
  const auto states = asked<D, std::vector<ports::StateRow>>(
      d, [&](auto& s, auto& e, auto taker) { s.load_states(shard, kKeys, e, taker); });
  for (std::size_t i = 0; i < states.size(); ++i) {
    out << "state " << kKeys[i] << " " << text(states[i]) << "\n";
  }
  std::vector<std::int64_t> ids;
  for (int id = kPendingIds; id > 0; --id) ids.push_back(id);
  for (const auto& row : asked<D, std::vector<ports::PendingRow>>(
           d, [&](auto&s, auto&e, auto taker) { s.load_pending(shard, ids, e, taker); })) {
    out << "pending " << text(row) << "\n";
  }
  std::pair<Time, std::string> place{Time::min(), ""};
  while (true) {  // by small pages
    const auto page = asked<D, std::vector<ports::TimerRow>>(d, [&](auto& s, auto& e, auto taker) {
      s.load_timers(shard, place.first, place.second, 2, e, taker);
    });
    for (const auto& row : page) out << "timer " << text(row) << "\n";
    if (page.size() < 2) break;
    place = {page.back().due, page.back().id};
  }
  const auto seen = asked<D, std::vector<bool>>(d, [&](auto& s, auto& e, auto taker) {
    s.once_seen(shard, kEvents, d.clock().now(), e, taker);
  });
  for (std::size_t i = 0; i < seen.size(); ++i) out << "seen " << kEvents[i] << seen[i] << "\n";
  return out.str();
}

template <class D>
std::string tale_of_list(D& d) {
  std::ostringstream out;
  std::string after;
  while (true) {
    const auto page = asked<D, ports::StateList>(
        d, [&](auto& s, auto& e, auto taker) { s.list_states("owls", after, 3, e, taker); });
    for (const auto& item : page.items) out << item.key << " " << text(item.state) << "\n";
    if (!page.next) return out.str();
    after = *page.next;
    out << "--\n";
  }
}

/// One commit after the other, by chance: what follows from it is for the stores to say.
class Script {
 public:
  explicit Script(unsigned seed) : random_(seed) {}

  bool draw(double chance) { return std::uniform_real_distribution<>()(random_) < chance; }
  int below(int n) { return std::uniform_int_distribution<>(0, n - 1)(random_); }
  const std::string& any(const std::vector<std::string>& list) {
    return list[static_cast<std::size_t>(below(static_cast<int>(list.size())))];
  }

  ShardCommit commit(const ShardRef& shard, Time now) {
    ShardCommit c;
    c.shard = shard;
    if (draw(0.7)) c.next_offsets.emplace_back(any({"letters", "owls.inbox"}), ++number_);
    for (int i = below(4); i > 0; --i) c.states.emplace_back(key(shard), state(now));
    for (int i = below(3); i > 0; --i) c.pending_put.push_back(pending(now));
    if (draw(0.4)) c.pending_remove.push_back(1 + below(kPendingIds));
    if (draw(0.3)) c.timers_fired.push_back(any(kTimers));
    if (draw(0.15)) c.forget_timers.push_back(any(kKeys));
    for (int i = below(3); i > 0; --i) c.timers.emplace_back(any(kKeys), timer(now));
    if (draw(0.2)) c.every_next.emplace_back(any({"hourly", "daily"}), later(now));
    if (draw(0.3)) c.once_seen.emplace_back(any(kEvents), later(now));
    if (draw(0.3)) c.marks.push_back({"letters", below(2), any({"a", "b"}), {1, ++number_}});
    return c;
  }

 private:
  Time later(Time now) { return now + std::chrono::seconds(below(5)); }
  /// Keys belong to one shard each.
  std::string key(const ShardRef& shard) {
    return kKeys[static_cast<std::size_t>(below(5) * 2 + shard.number)];
  }
  ports::StateRow state(Time now) {
    if (draw(0.2)) return {};
    if (draw(0.15)) return {std::nullopt, 1, later(now) + std::chrono::hours(1)};
    return {"value " + std::to_string(++number_), 1 + below(2), {}};
  }
  ports::PendingRow pending(Time now) {
    ports::PendingRow row{.id = 1 + below(kPendingIds), .message = {}};
    row.message = {Message::Kind::record,
                   "m" + std::to_string(++number_),
                   "letters",
                   any(kKeys),
                   draw(0.5) ? "payload " + std::to_string(number_) : "",
                   {{"host-id", "x"}},
                   now,
                   1 + below(3)};
    if (draw(0.5)) row.due = later(now);
    row.stopped = draw(0.2);
    row.last_error = draw(0.5) ? "it broke" : "";
    return row;
  }
  TimerChange timer(Time now) {
    if (draw(0.3)) return TimerCancel{draw(0.5) ? any(kTimers) : any({"late", "soon"})};
    return TimerSet{
        any(kTimers), any({"late", "soon"}), later(now), std::to_string(++number_), {{"a", "b"}}};
  }

  std::mt19937 random_;
  int number_ = 0;
};

/// The owner's side of a shard: what its next commit demands.
struct Owner {
  ShardRef shard;
  ports::ShardImage image;

  template <class D>
  void claim_in(D& d) {
    image = sqlite_tests::claim(d, shard);
  }
  template <class D>
  void commit_to(D& d, ShardCommit what) {
    what.epoch = image.epoch;
    what.commit_no = image.commit_no;
    what.seq = image.seq;
    const CommitResult result = sqlite_tests::commit(d, std::move(what));
    INFO(result.error.to_string());
    REQUIRE(result.status == Status::committed);
    ++image.commit_no;
  }
};

void same_history(unsigned seed, const journal::Bounds& bounds, int steps) {
  TemporaryFolder folder;
  Deployment journaled(folder.path(), false, bounds);
  Rows rows;
  Script script(seed);
  Owner mine[] = {{kShards[0], {}}, {kShards[1], {}}};
  Owner theirs[] = {{kShards[0], {}}, {kShards[1], {}}};
  for (int i = 0; i < 2; ++i) mine[i].claim_in(journaled), theirs[i].claim_in(rows);
  for (int step = 0; step < steps; ++step) {
    CAPTURE(seed, step);
    const int at = script.below(2);
    const ShardCommit commit = script.commit(kShards[at], rows.clock().now());
    mine[at].commit_to(journaled, commit);
    theirs[at].commit_to(rows, commit);
    if (script.draw(0.2)) {
      const Duration pause = std::chrono::milliseconds(script.below(3000));
      journaled.clock().advance(pause);
      rows.clock().advance(pause);
    }
    if (script.draw(0.2)) REQUIRE(tale_of_list(journaled) == tale_of_list(rows));
    if (script.draw(0.3)) {
      REQUIRE(tale_of_reads(journaled, kShards[at]) == tale_of_reads(rows, kShards[at]));
    }
    if (script.draw(0.1)) journaled.reopen();
    if (!script.draw(0.1)) continue;
    for (int i = 0; i < 2; ++i) {
      mine[i].claim_in(journaled);
      theirs[i].claim_in(rows);
      REQUIRE(tale_of(mine[i].image) == tale_of(theirs[i].image));
    }
  }
}

TEST_CASE("a journaled shard tells what plain rows tell, in random histories") {
  const std::vector<journal::Bounds> all = {
      {},                                                                 // as shipped
      {.tail_bytes = 1 << 30, .age = kForever / 2, .share_percent = 0},   // journal only
      {.tail_bytes = 0, .age = kForever / 2, .share_percent = 0},         // all at once
      {.tail_bytes = 1 << 30, .age = kForever / 2, .share_percent = 60},  // falls behind
      {.tail_bytes = 1 << 30, .age = std::chrono::seconds(1), .share_percent = 0},
      {.tail_bytes = 600, .age = kForever / 2, .share_percent = 110},
  };
  unsigned seed = 1;
  for (const journal::Bounds& bounds : all) {
    CAPTURE(bounds.tail_bytes, bounds.share_percent);
    for (int i = 0; i < 6; ++i) same_history(seed++, bounds, 60);
  }
}

/// Commits the whole script; writes a byte a commit that was answered.
void play(const std::filesystem::path& dir, const std::vector<ShardCommit>& commits,
          const std::function<void()>& answered) {
  Deployment d(dir, false, {.tail_bytes = 1 << 30, .age = kForever / 2, .share_percent = 80});
  Owner owner{kShards[0], {}};
  owner.claim_in(d);
  for (std::size_t i = static_cast<std::size_t>(owner.image.commit_no); i < commits.size(); ++i) {
    owner.commit_to(d, commits[i]);
    answered();
    if (i % 5 != 4) continue;
    d.reopen();
    owner.claim_in(d);
  }
}

/// How many commits were answered before the process ended itself at its `cut`th write.
int answered_before(const std::filesystem::path& dir, const std::vector<ShardCommit>& commits,
                    int cut, bool& cut_off) {
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(pipe[0]);
    FaultyDisk disk;
    FaultyDisk::writes_to_live = cut;
    play(dir, commits, [&] {
      if (::write(pipe[1], "x", 1) != 1) ::_exit(4);
    });
    ::_exit(0);
  }
  ::close(pipe[1]);
  int answered = 0;
  for (char byte = 0; ::read(pipe[0], &byte, 1) == 1;) ++answered;
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  REQUIRE(WIFEXITED(status));
  cut_off = WEXITSTATUS(status) == FaultyDisk::kCutOff;
  if (!cut_off) CHECK(WEXITSTATUS(status) == 0);
  return answered;
}

TEST_CASE("a process cut off at any of its writes left each commit whole or not at all") {
  Rows rows;
  Script script(99);
  std::vector<ShardCommit> commits;
  std::vector<std::string> images, reads;  // after so many commits
  Owner owner{kShards[0], {}};
  for (int i = 0; i <= 14; ++i) {
    owner.claim_in(rows);
    images.push_back(tale_of(owner.image));
    reads.push_back(tale_of_reads(rows, kShards[0]));
    commits.push_back(script.commit(kShards[0], rows.clock().now()));
    owner.commit_to(rows, commits.back());
  }
  commits.pop_back();
  bool cut_off = true;
  int cuts = 0;
  for (int cut = 1; cut_off; ++cut) {
    TemporaryFolder folder;
    const int answered = answered_before(folder.path(), commits, cut, cut_off);
    CAPTURE(cut, answered);
    {
      Deployment d(folder.path(), false);
      Owner heir{kShards[0], {}};
      heir.claim_in(d);
      const auto committed = heir.image.commit_no;
      REQUIRE((committed == answered || committed == answered + 1));
      REQUIRE(tale_of(heir.image) == images[static_cast<std::size_t>(committed)]);
      REQUIRE(tale_of_reads(d, kShards[0]) == reads[static_cast<std::size_t>(committed)]);
    }
    play(folder.path(), commits, [] {});
    Deployment d(folder.path(), false);
    REQUIRE(tale_of(claim(d, kShards[0])) == images.back());
    REQUIRE(tale_of_reads(d, kShards[0]) == reads.back());
    ++cuts;
  }
  CHECK(cuts > 100);
}

std::int64_t count_of(const std::filesystem::path& file, const char* sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  REQUIRE(sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) == SQLITE_OK);
  const std::int64_t count =
      sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return count;
}

ShardCommit put(const std::string& key, const std::string& value) {
  ShardCommit c;
  c.shard = kShards[0];
  c.states = {{key, {value, 1, {}}}};
  return c;
}

TEST_CASE("what lives shorter than the bounds never touches its table") {
  TemporaryFolder folder;
  {
    Deployment d(folder.path(), false, {.share_percent = 0});
    Owner owner{kShards[0], {}};
    owner.claim_in(d);
    for (int i = 0; i < 50; ++i) owner.commit_to(d, put("hot", std::to_string(i)));
    CHECK(d.state(kShards[0], "hot") == "49");
  }
  CHECK(count_of(folder.file(), "select count(*) from host_state") == 0);
  CHECK(count_of(folder.file(), "select count(*) from host_journal") > 0);
}

TEST_CASE("tables of a shard that went idle are brought up to date, and its journal is gone") {
  TemporaryFolder folder;
  Deployment d(folder.path(), true);
  Owner owner{kShards[0], {}};
  owner.claim_in(d);
  for (int i = 0; i < 30; ++i) owner.commit_to(d, put("k" + std::to_string(i), "v"));
  d.clock().advance(std::chrono::seconds(11));
  const auto rows = [&](const char* sql) { return count_of(folder.file(), sql); };
  CHECK(eventually([&] { return rows("select count(*) from host_journal") == 0; }));
  CHECK(rows("select count(*) from host_state") == 30);
  owner.commit_to(d, put("k1", "w"));
  CHECK(d.state(kShards[0], "k1") == "w");
  CHECK(d.state(kShards[0], "k2") == "v");
}

TEST_CASE("the journal does not grow from one short life to the next") {
  TemporaryFolder folder;
  std::int64_t after_ten = 0;
  for (int life = 1; life <= 60; ++life) {
    {
      Deployment d(folder.path(), false);
      Owner owner{kShards[0], {}};
      owner.claim_in(d);
      for (int i = 0; i < 5; ++i) {
        owner.commit_to(d, put("k" + std::to_string(life * 5 + i), "v"));
      }
    }
    const auto rows = count_of(folder.file(), "select count(*) from host_journal");
    if (life == 10) after_ten = rows;
    if (life > 10) REQUIRE(rows <= 2 * after_ten);
  }
}

TEST_CASE("a damaged journal record stops its shard by name, and no other") {
  TemporaryFolder folder;
  {
    Deployment d(folder.path(), false, {.share_percent = 0});
    for (const ShardRef& shard : kShards) {
      Owner owner{shard, {}};
      owner.claim_in(d);
      ShardCommit c = put("k", "v");
      c.shard = shard;
      owner.commit_to(d, c);
    }
  }
  count_of(folder.file(),
           "update host_journal set data = zeroblob(length(data)) where id = (select min(id) from"
           " host_journal) returning 1");
  Deployment d(folder.path(), false);
  Answer<Result<ports::ShardImage>> answer;
  d.store().claim(kShards[0], d.executor(), answer.taker());
  const auto& refused = await(d, answer);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == Error::Code::corrupt);
  CHECK(refused.error().message.find("shard owls/0, commit 1") != std::string::npos);
  Answer<Result<ports::StateRow>> read;
  d.store().read_state(kShards[0], "k", d.executor(), read.taker());
  CHECK_FALSE(await(d, read).ok());
  CHECK(d.state(kShards[1], "k") == "v");
  CHECK(claim(d, kShards[1]).commit_no == 1);
}

TEST_CASE("a data folder of the row form is taken over as it is") {
  TemporaryFolder folder;
  {
    Deployment d(folder.path(), false, {.tail_bytes = 0});  // every value ends as a row
    Owner owner{kShards[0], {}};
    owner.claim_in(d);
    owner.commit_to(d, put("old", "row"));
    owner.commit_to(d, put("last", "row"));
    ShardCommit empty = put("last", "");
    empty.states.clear();
    owner.commit_to(d, empty);
  }
  REQUIRE(count_of(folder.file(), "select count(*) from host_journal") == 0);
  count_of(folder.file(), "drop table host_journal");
  for (const char* sql : {"drop table host_answer", "drop table host_reply",
                          "create table host_reply (ask_id text primary key, payload blob not null,"
                          " created integer not null) without rowid",
                          "pragma user_version = 1"}) {
    count_of(folder.file(), sql);
  }
  Deployment d(folder.path(), false);
  Owner owner{kShards[0], {}};
  owner.claim_in(d);
  CHECK(owner.image.commit_no == 3);
  owner.commit_to(d, put("new", "journaled"));
  CHECK(d.state(kShards[0], "old") == "row");
  CHECK(d.state(kShards[0], "new") == "journaled");
}

}  // namespace
}  // namespace host::sqlite_tests

// SQLite alone, as a careful program would use it: prepared statements, many in one transaction.
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>

#include "tests/bench/benches.h"
#include "tests/bench/work.h"

namespace host::bench {
namespace {

class Raw {
 public:
  explicit Raw(const std::filesystem::path& dir) {
    std::filesystem::create_directories(dir);
    check(sqlite3_open((dir / "raw.db").c_str(), &db_));
    for (const char* sql :
         {"pragma page_size = 4096", "pragma journal_mode = wal", "pragma synchronous = full",
          "pragma cache_size = -65536", "pragma wal_autocheckpoint = 4000",
          "create table if not exists state (key text primary key, bytes blob) without rowid",
          "create table if not exists input (id integer primary key, key text, payload blob)",
          "create table if not exists output (id integer primary key, key text, payload blob)"}) {
      run(sql);
    }
    prepare("begin immediate", begin_);
    prepare("commit", commit_);
    prepare("insert into input (key, payload) values (?, ?)", input_);
    prepare("insert into output (key, payload) values (?, ?)", output_);
    prepare(
        "insert into state (key, bytes) values (?, ?)"
        " on conflict (key) do update set bytes = excluded.bytes",
        state_);
  }
  ~Raw() {
    for (sqlite3_stmt* statement : {begin_, commit_, input_, output_, state_}) {
      sqlite3_finalize(statement);
    }
    sqlite3_close(db_);
  }
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;

  bool has_states() {
    sqlite3_stmt* any = nullptr;
    prepare("select 1 from state limit 1", any);
    const bool found = sqlite3_step(any) == SQLITE_ROW;
    check(sqlite3_finalize(any));
    return found;
  }
  void begin() { step(begin_); }
  void commit() { step(commit_); }
  void input(const std::string& key, const std::string& payload) { put(input_, key, payload); }
  void output(const std::string& key, const std::string& payload) { put(output_, key, payload); }
  void state(const std::string& key, const std::string& bytes) { put(state_, key, bytes); }

 private:
  void check(int code) {
    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return;
    give_up(std::string("SQLite: ") + sqlite3_errmsg(db_));
  }
  void run(const char* sql) { check(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr)); }
  void prepare(const char* sql, sqlite3_stmt*& statement) {
    check(sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr));
  }
  void step(sqlite3_stmt* statement) {
    check(sqlite3_step(statement));
    check(sqlite3_reset(statement));
  }
  void put(sqlite3_stmt* statement, const std::string& key, const std::string& bytes) {
    check(sqlite3_bind_text(statement, 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC));
    check(sqlite3_bind_blob(statement, 2, bytes.data(), static_cast<int>(bytes.size()),
                            SQLITE_STATIC));
    step(statement);
  }

  sqlite3* db_ = nullptr;
  sqlite3_stmt *begin_ = nullptr, *commit_ = nullptr;
  sqlite3_stmt *input_ = nullptr, *output_ = nullptr, *state_ = nullptr;
};

/// Every key has its state; in a folder that was filled before, they are there.
void prefill(Raw& raw, std::size_t keys) {
  if (raw.has_states()) return;
  std::vector<std::string> order;
  for (std::size_t i = 0; i < keys; ++i) order.push_back(key_of(i));
  std::sort(order.begin(), order.end());
  raw.begin();
  for (std::size_t i = 0; i < keys; ++i) {
    raw.state(order[i], state_of(i));
    if (i % 10'000 != 9'999) continue;
    raw.commit();
    raw.begin();
  }
  raw.commit();
}

}  // namespace

int raw_sqlite(const Options& options) {
  const bool whole = options.text("what") == "work";
  const std::size_t keys = options.number("keys", 100'000), batch = options.number("batch", 500);
  const auto seconds = static_cast<double>(options.number("seconds", 5));
  Raw raw(options.text("dir"));
  if (whole) prefill(raw, keys);
  Messages messages(keys, static_cast<std::uint64_t>(seconds_now() * 1e6));
  std::vector<double> transactions;
  std::size_t done = 0;
  const double began = seconds_now(), cpu = process_cpu_seconds();
  for (double now = began; now < began + seconds; done += batch) {
    raw.begin();
    for (std::size_t i = 0; i < batch; ++i) {
      const std::size_t number = messages.next_key();
      const std::string key = key_of(number);
      raw.input(key, messages.next_payload());
      if (!whole) continue;
      raw.state(key, state_of(done + i));
      raw.output(key, messages.next_payload());
    }
    raw.commit();
    transactions.push_back(seconds_now() - now);
    now += transactions.back();
  }
  Figures figures;
  figures.add("messages_per_s", static_cast<double>(done) / (seconds_now() - began));
  figures.add("cpu_us", (process_cpu_seconds() - cpu) / static_cast<double>(done) * 1e6);
  figures.add_quantiles("commit", std::move(transactions));
  figures.print();
  return 0;
}

}  // namespace host::bench

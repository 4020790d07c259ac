#include <algorithm>
#include <set>

#include "tests/fakes/fake_store_content.h"

namespace host::fakes {

using ports::StateRow;

std::optional<Error> FakeStore::next_read_failure() {
  if (read_failures_.empty()) return std::nullopt;
  Error error = std::move(read_failures_.front());
  read_failures_.pop_front();
  return error;
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

void FakeStore::kept_answer(const std::string& plugin, std::string scope, Time now,
                            Executor& executor,
                            Callback<std::optional<ports::KeptAnswer>> callback) {
  using Answer = std::optional<ports::KeptAnswer>;
  answer(executor, std::move(callback),
         [this, place = std::pair(plugin, std::move(scope)), now]() -> Result<Answer> {
           if (std::optional<Error> error = next_read_failure()) return *std::move(error);
           const auto found = content_->answers.find(place);
           if (found == content_->answers.end() || found->second.until <= now) return Answer{};
           return Answer{found->second};
         });
}

void FakeStore::load_replies(std::vector<std::string> ask_ids, Executor& executor,
                             Callback<std::vector<std::optional<std::string>>> callback) {
  using Payloads = std::vector<std::optional<std::string>>;
  answer(executor, std::move(callback), [this, ids = std::move(ask_ids)]() -> Result<Payloads> {
    ++reply_reads_;
    if (std::optional<Error> error = next_read_failure()) return *std::move(error);
    Payloads payloads;
    for (const std::string& id : ids) {
      const auto found = content_->replies.find(id);
      payloads.push_back(found == content_->replies.end() ? std::nullopt
                                                          : std::optional(found->second));
    }
    return payloads;
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
    for (const auto& [key, row] : shard.states) {
      if (row.bytes && key > after) merged.emplace(key, &row);
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

namespace {

class FakeCursor final : public ports::RowCursor {
 public:
  FakeCursor(Executor& executor, SqlRows rows) : executor_(executor), rows_(std::move(rows)) {}
  ~FakeCursor() override { *gone_ = true; }
  void next(std::size_t, UniqueFunction<void(Result<ports::RowsPage>)> callback) override {
    ports::RowsPage page;
    page.rows.columns = rows_.columns;
    if (at_ < rows_.rows.size()) page.rows.rows.push_back(rows_.rows[at_++]);
    page.last = at_ == rows_.rows.size();
    executor_.post(
        [gone = gone_, page = std::move(page), callback = std::move(callback)]() mutable {
          if (!*gone) callback(std::move(page));
        });
  }

 private:
  Executor& executor_;
  const SqlRows rows_;
  std::size_t at_ = 0;
  const std::shared_ptr<bool> gone_ = std::make_shared<bool>(false);
};

}  // namespace

void FakeStore::rows(const std::string& plugin, SqlStatement statement, Executor& executor,
                     Callback<std::unique_ptr<ports::RowCursor>> callback) {
  query(plugin, std::move(statement), executor,
        [&executor, callback = std::move(callback)](Result<SqlRows> found) mutable {
          if (!found) return callback(std::move(found).error());
          callback(std::unique_ptr<ports::RowCursor>(
              std::make_unique<FakeCursor>(executor, std::move(*found))));
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

}  // namespace host::fakes

#include "host/runtime/timer_queue.h"

#include <catch2/catch.hpp>
#include <deque>
#include <random>

namespace host::runtime {
namespace {

Time at(int n) { return from_micros(n); }
ports::TimerRow timer(const std::string& id, const std::string& key, int due,
                      const std::string& name = "n") {
  return {.id = id, .name = name, .key = key, .due = at(due), .payload = ""};
}
std::vector<std::string> ids(const std::vector<ports::TimerRow>& rows) {
  std::vector<std::string> out;
  for (const auto& row : rows) out.push_back(row.id);
  return out;
}
using Ids = std::vector<std::string>;

/// All timers of a shard, as the store has them.
struct Plain {
  std::map<std::pair<Time, std::string>, ports::TimerRow> rows;

  std::vector<ports::TimerRow> page(std::pair<Time, std::string> after, std::size_t limit) const {
    std::vector<ports::TimerRow> out;
    for (auto i = rows.upper_bound(after); i != rows.end() && out.size() < limit; ++i) {
      out.push_back(i->second);
    }
    return out;
  }
};

/// One history: a shard that adds, cancels and runs timers while pages come late.
class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed), queue_(1 + random_() % 5) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    while (!plain_.rows.empty() || queue_.size() > 0) {
      now_ += 10;
      turn();
    }
  }

 private:
  void step() {
    const auto draw = random_() % 10;
    if (draw < 4) {
      const auto row = timer("t" + std::to_string(++made_), key(), now_ + int(random_() % 60),
                             random_() % 2 ? "n" : "m");
      plain_.rows.emplace(std::pair{row.due, row.id}, row);
      queue_.add(row);
    } else if (draw == 4) {
      cancel(key(), random_() % 2 ? "n" : "t" + std::to_string(random_() % (made_ + 1)));
    } else if (draw == 5) {
      const std::string which = key();
      std::erase_if(plain_.rows, [&](const auto& e) { return e.second.key == which; });
      queue_.cancel_all(which);
    } else if (draw < 8) {
      now_ += static_cast<int>(random_() % 8);
      turn();
    } else {
      deliver();
      ask();
    }
  }
  void turn() {
    deliver();
    while (true) {
      const auto due = queue_.take_due(at(now_));
      for (const auto& row : due) {
        INFO("timer " << row.id << " due " << to_micros(row.due));
        REQUIRE(plain_.rows.erase({row.due, row.id}) == 1);
      }
      ask();
      if (!page_) break;
      if (random_() % 3 == 0) return;  // the page is late
      deliver();
    }
    for (const auto& [place, row] : plain_.rows) {
      INFO("missed " << row.id);
      REQUIRE(place.first > at(now_));
    }
  }
  void ask() {
    if (page_ || !queue_.needs_page()) return;
    queue_.begin_page();
    limit_ = 1 + random_() % 6;
    page_ = plain_.page(queue_.horizon(), limit_);  // read before what comes meanwhile
    late_ = random_() % 2 == 0;
    asked_ = queue_.horizon();
  }
  void deliver() {
    if (!page_) return;
    if (late_) page_ = plain_.page(asked_, limit_);  // read after it
    queue_.add_page(*std::exchange(page_, std::nullopt), limit_);
  }
  void cancel(const std::string& which, const std::string& id) {
    std::erase_if(plain_.rows, [&](const auto& e) {
      return e.second.key == which && (e.second.id == id || e.second.name == id);
    });
    queue_.cancel(which, id);
  }
  std::string key() { return "k" + std::to_string(random_() % 3); }

  std::mt19937_64 random_;
  TimerQueue queue_;
  Plain plain_;
  int now_ = 0;
  std::size_t made_ = 0, limit_ = 0;
  std::optional<std::vector<ports::TimerRow>> page_;
  std::pair<Time, std::string> asked_;
  bool late_ = false;
};

}  // namespace

TEST_CASE("timers are taken in the order of their due times", "[timer_queue]") {
  TimerQueue queue(10);
  queue.begin_page();
  queue.add_page({timer("a", "k", 5), timer("b", "k", 7)}, 10);
  queue.add(timer("c", "k", 6));
  REQUIRE(queue.first_due() == at(5));
  REQUIRE(ids(queue.take_due(at(6))) == Ids{"a", "c"});
  REQUIRE(ids(queue.take_due(at(9))) == Ids{"b"});
  REQUIRE_FALSE(queue.needs_page());
}

TEST_CASE("a timer that ran while a page was on its way does not come back", "[timer_queue]") {
  TimerQueue queue(1);
  queue.begin_page();
  queue.add_page({timer("a", "k", 10)}, 1);
  REQUIRE(ids(queue.take_due(at(10))) == Ids{"a"});
  REQUIRE(queue.needs_page());
  queue.begin_page();
  queue.add(timer("b", "k", 4));
  REQUIRE(ids(queue.take_due(at(11))) == Ids{"b"});
  queue.add_page({}, 1);
  REQUIRE(queue.size() == 0);
}

TEST_CASE("a cancel before a page leaves what was set after it", "[timer_queue]") {
  TimerQueue queue(1);
  queue.begin_page();
  queue.add_page({timer("a", "k", 10)}, 1);
  (void)queue.take_due(at(10));
  queue.begin_page();
  queue.cancel("k", "n");
  queue.add(timer("b", "k", 9));
  queue.add_page({timer("far", "k", 50)}, 2);
  REQUIRE(ids(queue.take_due(at(99))) == Ids{"b"});
}

TEST_CASE("a burst while a page is on its way loses none behind it", "[timer_queue]") {
  TimerQueue queue(1);
  queue.begin_page();
  queue.add_page({timer("z", "k", 100)}, 1);
  (void)queue.take_due(at(100));
  queue.begin_page();
  for (int i = 0; i < 5; ++i) queue.add(timer("n" + std::to_string(i), "k", 10 + i));
  queue.add_page({}, 1);
  std::size_t run = queue.take_due(at(99)).size();
  while (queue.needs_page()) {
    const auto [after, id] = queue.horizon();
    std::vector<ports::TimerRow> left;
    for (int i = 0; i < 5; ++i) {
      if (std::pair(at(10 + i), "n" + std::to_string(i)) > std::pair(after, id)) {
        left.push_back(timer("n" + std::to_string(i), "k", 10 + i));
      }
    }
    queue.begin_page();
    queue.add_page(left, 10);
    run += queue.take_due(at(99)).size();
  }
  REQUIRE(run == 5);
}

TEST_CASE("a timer that was taken does not come back while its row is still there",
          "[timer_queue]") {
  TimerQueue queue(1);
  Plain store;
  const auto set = [&](const ports::TimerRow& row) {
    store.rows.emplace(std::pair{row.due, row.id}, row);
  };
  set(timer("z", "k", 100));
  queue.begin_page();
  queue.add_page(store.page(queue.horizon(), 1), 1);
  REQUIRE(ids(queue.take_due(at(100))) == Ids{"z"});  // and runs: its commit is yet to come
  for (int i = 0; i < 5; ++i) {
    set(timer("n" + std::to_string(i), "k", 10 + i));
    queue.add(timer("n" + std::to_string(i), "k", 10 + i));
  }
  Ids ran = ids(queue.take_due(at(100)));
  while (queue.needs_page()) {
    queue.begin_page();
    queue.add_page(store.page(queue.horizon(), 10), 10);
    for (const std::string& id : ids(queue.take_due(at(100)))) ran.push_back(id);
  }
  REQUIRE(ran == Ids{"n0", "n1", "n2", "n3", "n4"});
}

TEST_CASE("random histories run every timer once, at its time, with pages late", "[timer_queue]") {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    INFO("seed " << seed);
    History history(seed);
    history.run(120);
  }
}

}  // namespace host::runtime

#pragma once

// Random histories of a journaled shard, beside the same history of a store of plain rows: whatever
// is only in the journal, in the tables, or in both, the two tell the same.

#include <catch2/catch.hpp>
#include <random>
#include <sstream>

#include "host/adapters/journal/bounds.h"
#include "tests/contract/contract_support.h"
#include "tests/fakes/fake_log.h"
#include "tests/fakes/fake_store.h"

namespace host::histories {

using contract::Answer;
using contract::await;
using contract::must;
using ports::CommitResult;
using ports::ShardCommit;
using Status = ports::CommitResult::Status;

inline const ShardRef kShards[] = {{"owls", 0}, {"owls", 1}};

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

inline std::string text(const std::optional<Time>& time) {
  return time ? std::to_string(to_micros(*time)) : "-";
}

inline std::string text(const ports::StateRow& row) {
  return row.bytes.value_or("(none)") + " v" + std::to_string(row.version) + " quiet " +
         text(row.quiet_until);
}

inline std::string text(const ports::PendingRow& row) {
  const Message& m = row.message;
  std::ostringstream out;
  out << row.id << " due " << text(row.due) << " stopped " << row.stopped << " '" << row.last_error
      << "' message " << m.id << " of " << m.topic << " key " << m.key.value_or("-") << " payload '"
      << m.payload << "' headers " << m.headers.size() << " attempt " << m.attempt << " at "
      << to_micros(m.time);
  return out.str();
}

inline std::string text(const ports::TimerRow& row) {
  return row.id + " " + row.name + " of " + row.key + " due " + std::to_string(to_micros(row.due)) +
         " '" + row.payload + "' headers " + std::to_string(row.headers.size());
}

/// All that a claim tells, but for the epoch, which depends on how often it was claimed.
inline std::string tale_of(ports::ShardImage image) {
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

inline std::vector<std::string> names(const std::string& prefix, int count) {
  std::vector<std::string> all;
  for (int i = 0; i < count; ++i) all.push_back(prefix + std::to_string(i));
  return all;
}
inline const std::vector<std::string> kKeys = names("k", 10);
inline const std::vector<std::string> kTimers = names("t", 8);
inline const std::vector<std::string> kEvents = names("e", 5);
inline constexpr int kPendingIds = 8;

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
    image = histories::claim(d, shard);
  }
  template <class D>
  void commit_to(D& d, ShardCommit what) {
    what.epoch = image.epoch;
    what.commit_no = image.commit_no;
    what.seq = image.seq;
    const CommitResult result = histories::commit(d, std::move(what));
    INFO(result.error.to_string());
    REQUIRE(result.status == Status::committed);
    ++image.commit_no;
  }
};

/// Bounds under which a history goes every way.
inline const std::vector<journal::Bounds> kAllBounds = {
    {},                                                                             // as shipped
    {.tail_bytes = 1 << 30, .age = kForever / 2, .share_percent = 0},               // journal only
    {.tail_bytes = 0, .age = kForever / 2, .share_percent = 0},                     // all at once
    {.tail_bytes = 1 << 30, .age = kForever / 2, .share_percent = 60, .piece = 1},  // falls behind
    {.tail_bytes = 1 << 30, .age = std::chrono::seconds(1), .share_percent = 0},
    {.tail_bytes = 600, .age = kForever / 2, .share_percent = 110, .piece = 1},
    {.tail_bytes = 1 << 30, .age = kForever / 2, .share_percent = 60, .piece = 20},
};

/// `D` has store(), executor(), clock(), pump() and reopen(); `look` is called now and then, with
/// the rows.
template <class D, class Look>
void same_history(unsigned seed, D& journaled, int steps, Look look) {
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
    if (script.draw(0.2)) look(rows, kShards[at]);
    const bool reopened = script.draw(0.1);
    if (reopened) journaled.reopen();
    const bool must_claim = reopened && requires { D::kClaimsAnew; };
    if (!script.draw(0.1) && !must_claim) continue;
    for (int i = 0; i < 2; ++i) {
      mine[i].claim_in(journaled);
      theirs[i].claim_in(rows);
      REQUIRE(tale_of(mine[i].image) == tale_of(theirs[i].image));
    }
  }
}

}  // namespace host::histories

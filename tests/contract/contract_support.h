#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "host/core/ids.h"
#include "host/ports/log.h"
#include "host/ports/store.h"
#include "tests/fakes/manual_executor.h"

/// The contract suites run against the fakes and against every adapter. A suite is a header that
/// one .cc of a test binary includes after it has named its fixtures:
///
///     namespace host::contract { using LogFixtures = std::tuple<SqliteFixture>; }
///     #include "tests/contract/log_contract.h"
///     namespace host::contract { using StoreFixtures = std::tuple<SqliteFixture>; }
///     #include "tests/contract/store_contract.h"
///     namespace host::contract { using SqlFixtures = std::tuple<SqliteFixture>; }  // real SQL
///     only #include "tests/contract/store_sql_contract.h"
///
/// A fixture is default-constructible and destructible; each one is a fresh, empty deployment of
/// kPartitions partitions, and has
///
///     ports::Log& log();          // of log_contract.h, and of store_contract.h if shares_store()
///     ports::Store& store();      // of store_contract.h
///     Executor& executor();       // runs its work inside pump() only, on the test's thread
///     fakes::ManualClock& clock();  // the clock that log and store were given
///     bool pump(const std::function<bool()>& until);
///                                 // runs the executor until `until` holds; false after 10 s.
///                                 // With adapters that have threads: Scheduler::wait_until()
///     void reopen();              // ends log and store in an orderly way and opens them again on
///                                 // the same data; references from before are void
///     void stop();                // stops log and store; they stay callable (and refuse)
///     bool shares_store();
///
/// and may have, for cases that are left out without it,
///
///     void truncate(const std::string& topic, PartitionNumber, Offset before);  // as retention
///     void add_gap(const std::string& topic, PartitionNumber);  // as an aborted transaction
namespace host::contract {

inline constexpr PartitionNumber kPartitions = 4;

/// Waits for one asynchronous answer. Copies share it, so that a late one harms nobody.
template <class T>
class Answer {
 public:
  auto taker() const {
    return [state = state_](T value) {
      ++state->calls;
      state->value.emplace(std::move(value));
    };
  }
  bool arrived() const { return state_->calls > 0; }
  int calls() const { return state_->calls; }
  T& operator*() const { return *state_->value; }
  T* operator->() const { return &*state_->value; }

 private:
  struct State {
    int calls = 0;
    std::optional<T> value;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// Holds a started call's answer until it is waited for.
template <class F, class T>
T& await(F& fixture, const Answer<T>& answer) {
  if (!fixture.pump([&] { return answer.arrived(); })) FAIL("no answer within the deadline");
  return *answer;
}

/// The value of a Result, or a failed test that says why there is none.
template <class T>
T must(Result<T> result) {
  if (!result.ok()) FAIL(to_string(result.error().code) << ": " << result.error().to_string());
  return std::move(result).value();
}
inline void must(const Result<void>& result) {
  if (!result.ok()) FAIL(to_string(result.error().code) << ": " << result.error().to_string());
}

/// A payload of `size` bytes with every byte value in it, NUL included.
inline std::string binary(std::size_t size, unsigned salt = 0) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 31 + salt) & 0xff);
  return bytes;
}
inline constexpr std::size_t kLargest = 900 * 1024;

/// Topics with kPartitions partitions that the cases use.
template <class F>
void make_topics(F& fixture, const std::vector<std::string>& names) {
  std::vector<ports::TopicSettings> topics;
  for (const std::string& name : names) topics.push_back({.name = name, .partitions = kPartitions});
  must(fixture.log().ensure_topics(topics));
}

/// One append, awaited.
template <class F>
std::vector<Result<Offset>> append(F& f, std::vector<ports::Append> records) {
  Answer<Result<std::vector<Result<Offset>>>> answer;
  f.log().append(std::move(records), f.executor(), answer.taker());
  return must(std::move(await(f, answer)));
}

template <class F>
ports::Log::Range range(F& f, const std::string& topic, PartitionNumber partition) {
  Answer<Result<ports::Log::Range>> answer;
  f.log().range(topic, partition, f.executor(), answer.taker());
  return must(await(f, answer));
}

/// Every record of a partition from `from` on (-1: its start), as a reader meets them. A record is
/// appended to know where the end is, and left out, here and in later calls.
template <class F>
std::vector<Record> read_all(F& f, const std::string& topic, PartitionNumber partition,
                             Offset from = -1, std::size_t max_bytes = 1 << 20) {
  static const std::string kEnd = "(end of read_all)";
  const Offset start = from < 0 ? range(f, topic, partition).start : from;
  ports::Append end{topic, partition, std::nullopt, kEnd, {}};
  const Offset last = must(append(f, {std::move(end)}).at(0));
  std::vector<Record> all;
  for (Offset at = start; at <= last;) {
    Answer<Result<ports::Fetched>> answer;
    const auto handle =
        f.log().fetch(topic, partition, at, max_bytes, f.executor(), answer.taker());
    ports::Fetched fetched = must(std::move(await(f, answer)));
    REQUIRE_FALSE(fetched.records.empty());
    for (Record& record : fetched.records) {
      REQUIRE(record.offset >= at);
      at = record.offset + 1;
      if (record.payload != kEnd) all.push_back(std::move(record));
    }
    REQUIRE(fetched.next >= at);
    at = fetched.next;
  }
  return all;
}

/// The payloads, each once: a log of Kafka's manners may hold a record twice.
inline std::vector<std::string> payloads(const std::vector<Record>& records) {
  std::vector<std::string> out;
  for (const Record& record : records) {
    if (std::find(out.begin(), out.end(), record.payload) == out.end())
      out.push_back(record.payload);
  }
  return out;
}

}  // namespace host::contract

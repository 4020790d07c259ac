#pragma once

// The contract of ports::Log. How to include it: contract_support.h.

#include "tests/contract/contract_support.h"

namespace host::contract {

using Appended = Result<std::vector<Result<Offset>>>;

inline ports::Append record(std::string topic, PartitionNumber partition, std::string payload,
                            std::optional<std::string> key = "k") {
  return {std::move(topic), partition, std::move(key), std::move(payload), {}};
}

inline std::vector<std::string> numbered(const std::string& prefix, int n) {
  std::vector<std::string> out;
  for (int i = 0; i < n; ++i) out.push_back(prefix + std::to_string(i));
  return out;
}

template <class F>
void append_numbered(F& f, const std::string& topic, PartitionNumber partition,
                     const std::string& prefix, int n) {
  std::vector<ports::Append> records;
  for (const std::string& text : numbered(prefix, n))
    records.push_back(record(topic, partition, text));
  for (const auto& offset : append(f, std::move(records))) must(offset);
}

TEMPLATE_LIST_TEST_CASE("a new topic is empty", "[log]", LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  for (PartitionNumber p = 0; p < kPartitions; ++p) {
    const ports::Log::Range r = range(f, "owls", p);
    CHECK(r.start == r.end);
  }
}

TEMPLATE_LIST_TEST_CASE("creating a topic again changes nothing in it", "[log]", LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  append_numbered(f, "owls", 0, "m", 3);
  const ports::TopicSettings other{
      .name = "owls", .partitions = kPartitions, .keep = kForever, .max_bytes = 1'000'000'000};
  must(f.log().ensure_topics(std::vector{other}));
  CHECK(payloads(read_all(f, "owls", 0)) == numbered("m", 3));
}

TEMPLATE_LIST_TEST_CASE("a topic with another partition count is refused, naming both", "[log]",
                        LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  const ports::TopicSettings other{.name = "owls", .partitions = 7};
  const Result<void> result = f.log().ensure_topics(std::vector{other});
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == Error::Code::invalid);
  CHECK_THAT(result.error().message, Catch::Contains("owls") && Catch::Contains("7") &&
                                         Catch::Contains(std::to_string(kPartitions)));
  append_numbered(f, "owls", 1, "m", 1);
  CHECK(payloads(read_all(f, "owls", 1)) == numbered("m", 1));
}

TEMPLATE_LIST_TEST_CASE("what is appended is read with every field", "[log]", LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  const Time before = f.clock().now();
  ports::Append sent{"owls", 2, "Hermione \xE2\x9C\xA8", binary(1000), {}};
  sent.headers = {{"host-id", "a/1/2-3"}, {"empty", ""}, {"odd", binary(300)}, {"twice", "1"}};
  const Offset offset = must(append(f, {sent}).at(0));
  const std::vector<Record> got = read_all(f, "owls", 2);
  REQUIRE(!got.empty());
  CHECK(got[0].topic == "owls");
  CHECK(got[0].partition == 2);
  CHECK(got[0].key == sent.key);
  CHECK(got[0].payload == sent.payload);
  CHECK(got[0].headers == sent.headers);
  CHECK(got[0].time >= before);
  CHECK(got[0].time <= f.clock().now());
  CHECK(std::any_of(got.begin(), got.end(), [&](const Record& r) { return r.offset == offset; }));
}

TEMPLATE_LIST_TEST_CASE("no key, an empty key and an empty payload differ", "[log]", LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  append(f, {record("owls", 0, "none", std::nullopt)});
  append(f, {record("owls", 0, "empty", "")});
  append(f, {record("owls", 0, "", "key of nothing")});
  for (const Record& r : read_all(f, "owls", 0)) {
    if (r.payload == "none") CHECK(r.key == std::nullopt);
    if (r.payload == "empty") CHECK(r.key == "");
    if (r.payload.empty()) CHECK(r.key == "key of nothing");
  }
  CHECK(payloads(read_all(f, "owls", 0)) == std::vector<std::string>{"none", "empty", ""});
}

TEMPLATE_LIST_TEST_CASE("a payload of the largest size passes", "[log]", LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  const std::string large = binary(kLargest);
  must(append(f, {record("owls", 0, large)}).at(0));
  const std::vector<Record> got = read_all(f, "owls", 0);
  REQUIRE(!got.empty());
  CHECK(got[0].payload == large);
}

TEMPLATE_LIST_TEST_CASE("payloads of the largest size come from all partitions together", "[log]",
                        LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  std::vector<std::string> sent;
  for (PartitionNumber p = 0; p < kPartitions; ++p) {
    sent.push_back(binary(kLargest - static_cast<std::size_t>(p)));
    must(append(f, {record("owls", p, sent.back())}).at(0));
  }
  std::vector<Answer<Result<ports::Fetched>>> answers(kPartitions);
  std::vector<std::unique_ptr<ports::Log::Fetch>> handles;
  for (PartitionNumber p = 0; p < kPartitions; ++p) {
    const Offset start = range(f, "owls", p).start;
    handles.push_back(f.log().fetch("owls", p, start, 1, f.executor(), answers[p].taker()));
  }
  for (PartitionNumber p = 0; p < kPartitions; ++p) {
    const ports::Fetched fetched = must(await(f, answers[p]));
    REQUIRE(!fetched.records.empty());
    CHECK(fetched.records.front().payload == sent[p]);
  }
}

TEMPLATE_LIST_TEST_CASE("records keep their order in their partition", "[log]", LogFixtures) {
  TestType f;
  make_topics(f, {"owls", "toads"});
  for (int batch = 0; batch < 5; ++batch) {
    std::vector<ports::Append> records;
    for (int i = 0; i < 10; ++i) {
      const std::string text = std::to_string(batch * 10 + i);
      records.push_back(record("owls", i % 2, "o" + text));
      records.push_back(record("toads", 3, "t" + text));
    }
    const auto offsets = append(f, std::move(records));
    REQUIRE(offsets.size() == 20);
    for (const auto& offset : offsets) must(offset);
  }
  std::vector<std::string> even, odd;
  for (int i = 0; i < 50; ++i) (i % 2 ? odd : even).push_back("o" + std::to_string(i));
  CHECK(payloads(read_all(f, "owls", 0)) == even);
  CHECK(payloads(read_all(f, "owls", 1)) == odd);
  CHECK(payloads(read_all(f, "toads", 3)) == numbered("t", 50));
  CHECK(payloads(read_all(f, "toads", 0)).empty());
}

TEMPLATE_LIST_TEST_CASE("offsets of a partition ascend and are those of the answers", "[log]",
                        LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  std::vector<Offset> given;
  for (int i = 0; i < 10; ++i) {
    given.push_back(must(append(f, {record("owls", 0, "m" + std::to_string(i))}).at(0)));
  }
  CHECK(std::is_sorted(given.begin(), given.end(), std::less_equal<>()));
  CHECK(range(f, "owls", 0).start <= given.front());
  CHECK(range(f, "owls", 0).end > given.back());
  Offset last = -1;
  for (const Record& r : read_all(f, "owls", 0)) {
    CHECK(r.offset > last);
    last = r.offset;
    const auto at = std::find(given.begin(), given.end(), r.offset);
    if (at != given.end()) CHECK(r.payload == "m" + std::to_string(at - given.begin()));
  }
}

TEMPLATE_LIST_TEST_CASE("several appends that nobody waited for keep their order", "[log]",
                        LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  std::vector<Answer<Appended>> answers(30);
  for (int i = 0; i < 30; ++i) {
    std::vector<ports::Append> one{record("owls", 0, "m" + std::to_string(i))};
    f.log().append(std::move(one), f.executor(), answers[static_cast<std::size_t>(i)].taker());
  }
  for (const auto& answer : answers) must(must(await(f, answer)).at(0));
  CHECK(payloads(read_all(f, "owls", 0)) == numbered("m", 30));
}

TEMPLATE_LIST_TEST_CASE("an append of nothing is answered with nothing", "[log]", LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  CHECK(append(f, {}).empty());
}

TEMPLATE_LIST_TEST_CASE("an append to what does not exist is no success", "[log]", LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  const PartitionNumber beyond = kPartitions;
  for (const auto& wrong : {record("wands", 0, "m"), record("owls", beyond, "m")}) {
    Answer<Appended> answer;
    f.log().append({record("owls", 0, "good"), wrong}, f.executor(), answer.taker());
    const Appended& result = await(f, answer);
    if (result.ok()) {
      REQUIRE(result->size() == 2);
      CHECK_FALSE(result->at(1).ok());
    }
  }
  const bool written = !payloads(read_all(f, "owls", 0)).empty();
  if (f.shares_store()) CHECK_FALSE(written);  // all or none
}

TEMPLATE_LIST_TEST_CASE("a fetch from the middle begins there", "[log]", LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  append_numbered(f, "owls", 0, "a", 5);
  const Offset middle = must(append(f, {record("owls", 0, "middle")}).at(0));
  append_numbered(f, "owls", 0, "b", 5);
  std::vector<std::string> want = numbered("b", 5);
  want.insert(want.begin(), "middle");
  CHECK(payloads(read_all(f, "owls", 0, middle)) == want);
  want.erase(want.begin());
  std::vector<std::string> after = payloads(read_all(f, "owls", 0, middle + 1));
  std::erase(after, "middle");  // its double may stand behind it
  CHECK(after == want);
}

TEMPLATE_LIST_TEST_CASE("a fetch is bounded in bytes but always has a record", "[log]",
                        LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  std::vector<ports::Append> records;
  for (int i = 0; i < 40; ++i) {
    records.push_back(record("owls", 0, std::string(10'000, 'x') + std::to_string(i)));
  }
  append(f, records);
  Answer<Result<ports::Fetched>> small;
  const Offset start = range(f, "owls", 0).start;
  const auto handle = f.log().fetch("owls", 0, start, 100'000, f.executor(), small.taker());
  const ports::Fetched fetched = must(await(f, small));
  CHECK(fetched.records.size() >= 1);
  CHECK(fetched.records.size() <= 20);
  CHECK(fetched.next > fetched.records.back().offset);
  CHECK(fetched.end == range(f, "owls", 0).end);

  std::vector<std::string> want;
  for (const auto& r : records) want.push_back(r.payload);
  CHECK(payloads(read_all(f, "owls", 0, -1, 1)) == want);
  CHECK(payloads(read_all(f, "owls", 0, -1, 25'000)) == want);
}

TEMPLATE_LIST_TEST_CASE("a fetch at the end waits for the next record", "[log]", LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  read_all(f, "owls", 0);
  const Offset end = range(f, "owls", 0).end;
  Answer<Result<ports::Fetched>> waiting;
  const auto handle = f.log().fetch("owls", 0, end, 1 << 20, f.executor(), waiting.taker());
  append(f, {record("owls", 1, "elsewhere")});
  CHECK_FALSE(waiting.arrived());
  append(f, {record("owls", 0, "here")});
  const ports::Fetched fetched = must(await(f, waiting));
  REQUIRE(!fetched.records.empty());
  CHECK(fetched.records.front().payload == "here");
  CHECK(fetched.records.front().offset >= end);
  range(f, "owls", 0);
  CHECK(waiting.calls() == 1);
}

TEMPLATE_LIST_TEST_CASE("every fetch that waits for the same record gets it", "[log]",
                        LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  const Offset end = range(f, "owls", 0).end;
  std::vector<Answer<Result<ports::Fetched>>> waiting(5);
  std::vector<std::unique_ptr<ports::Log::Fetch>> handles;
  for (const auto& answer : waiting) {
    handles.push_back(f.log().fetch("owls", 0, end, 1000, f.executor(), answer.taker()));
  }
  append(f, {record("owls", 0, "for all")});
  for (const auto& answer : waiting) {
    CHECK(must(await(f, answer)).records.front().payload == "for all");
  }
}

TEMPLATE_LIST_TEST_CASE("a fetch whose handle is gone is never answered", "[log]", LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  append(f, {record("owls", 1, "already there")});
  Answer<Result<ports::Fetched>> waiting, answered;
  const Offset end = range(f, "owls", 0).end;
  auto first = f.log().fetch("owls", 0, end, 1000, f.executor(), waiting.taker());
  auto second =
      f.log().fetch("owls", 1, range(f, "owls", 1).start, 1000, f.executor(), answered.taker());
  first.reset();
  second.reset();
  append_numbered(f, "owls", 0, "m", 3);
  CHECK(payloads(read_all(f, "owls", 0)) == numbered("m", 3));
  CHECK(payloads(read_all(f, "owls", 1)) == std::vector<std::string>{"already there"});
  CHECK_FALSE(waiting.arrived());
  CHECK_FALSE(answered.arrived());
}

TEMPLATE_LIST_TEST_CASE("no callback comes inside the call that takes it", "[log]", LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  append_numbered(f, "owls", 0, "m", 3);
  Answer<Result<ports::Fetched>> fetched;
  Answer<Appended> appended, empty;
  Answer<Result<ports::Log::Range>> ranged, unknown;
  const Offset start = range(f, "owls", 0).start;
  const auto handle = f.log().fetch("owls", 0, start, 1000, f.executor(), fetched.taker());
  f.log().append({record("owls", 0, "m")}, f.executor(), appended.taker());
  f.log().append({}, f.executor(), empty.taker());
  f.log().range("owls", 0, f.executor(), ranged.taker());
  f.log().range("wands", 0, f.executor(), unknown.taker());
  const int early =
      fetched.calls() + appended.calls() + empty.calls() + ranged.calls() + unknown.calls();
  CHECK(early == 0);
  await(f, fetched), await(f, appended), await(f, empty), await(f, ranged), await(f, unknown);
  read_all(f, "owls", 0);
  const int all =
      fetched.calls() + appended.calls() + empty.calls() + ranged.calls() + unknown.calls();
  CHECK(all == 5);
}

TEMPLATE_LIST_TEST_CASE("what is unknown is not found", "[log]", LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  const auto tried = [&](const std::string& topic, PartitionNumber partition) {
    Answer<Result<ports::Fetched>> fetched;
    Answer<Result<ports::Log::Range>> ranged;
    const auto handle = f.log().fetch(topic, partition, 0, 1000, f.executor(), fetched.taker());
    f.log().range(topic, partition, f.executor(), ranged.taker());
    REQUIRE_FALSE(await(f, fetched).ok());
    CHECK(fetched->error().code == Error::Code::not_found);
    REQUIRE_FALSE(await(f, ranged).ok());
    CHECK(ranged->error().code == Error::Code::not_found);
  };
  tried("wands", 0);
  tried("owls", kPartitions);
  tried("owls", -1);
}

TEMPLATE_LIST_TEST_CASE("records that retention took are an error that names the start", "[log]",
                        LogFixtures) {
  TestType f;
  if constexpr (requires { f.truncate("owls", 0, Offset{1}); }) {
    make_topics(f, {"owls"});
    append_numbered(f, "owls", 0, "m", 10);
    const Offset start = must(append(f, {record("owls", 0, "first kept")}).at(0));
    const Offset old = range(f, "owls", 0).start;
    f.truncate("owls", 0, start);
    CHECK(range(f, "owls", 0).start == start);
    Answer<Result<ports::Fetched>> answer;
    const auto handle = f.log().fetch("owls", 0, old, 1000, f.executor(), answer.taker());
    REQUIRE_FALSE(await(f, answer).ok());
    CHECK(answer->error().code == Error::Code::exhausted);
    CHECK_THAT(answer->error().hint, Catch::Contains(std::to_string(start)));
    CHECK(payloads(read_all(f, "owls", 0)) == std::vector<std::string>{"first kept"});
  }
}

TEMPLATE_LIST_TEST_CASE("a gap at the end is passed, so that retention of it is no loss", "[log]",
                        LogFixtures) {
  TestType f;
  if constexpr (requires { f.add_gap("owls", 0); }) {
    make_topics(f, {"owls"});
    append_numbered(f, "owls", 0, "m", 3);
    const Offset end = range(f, "owls", 0).end;
    Answer<Result<ports::Fetched>> waiting, behind;
    const auto first = f.log().fetch("owls", 0, end, 1000, f.executor(), waiting.taker());
    f.add_gap("owls", 0);
    const ports::Fetched passed = must(await(f, waiting));
    CHECK(passed.records.empty());
    REQUIRE(passed.next == range(f, "owls", 0).end);
    f.truncate("owls", 0, passed.next);
    f.reopen();
    const auto second = f.log().fetch("owls", 0, passed.next, 1000, f.executor(), behind.taker());
    append(f, {record("owls", 0, "behind")});
    const ports::Fetched fetched = must(await(f, behind));
    REQUIRE(!fetched.records.empty());
    CHECK(fetched.records.front().payload == "behind");
  }
}

TEMPLATE_LIST_TEST_CASE("records and offsets survive a restart", "[log]", LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  append_numbered(f, "owls", 0, "m", 5);
  const Offset last = must(append(f, {record("owls", 0, "m5")}).at(0));
  f.reopen();
  make_topics(f, {"owls"});
  const Offset next = must(append(f, {record("owls", 0, "m6")}).at(0));
  CHECK(next > last);
  CHECK(payloads(read_all(f, "owls", 0)) == numbered("m", 7));
}

TEMPLATE_LIST_TEST_CASE("after a stop every call is answered once, with unavailable", "[log]",
                        LogFixtures) {
  TestType f;
  make_topics(f, {"owls"});
  append_numbered(f, "owls", 1, "m", 1);
  Answer<Result<ports::Fetched>> waiting, late;
  Answer<Appended> appended;
  Answer<Result<ports::Log::Range>> ranged;
  const auto first =
      f.log().fetch("owls", 0, range(f, "owls", 0).end, 1000, f.executor(), waiting.taker());
  f.stop();
  const auto second = f.log().fetch("owls", 1, 0, 1000, f.executor(), late.taker());
  f.log().append({record("owls", 0, "m")}, f.executor(), appended.taker());
  f.log().range("owls", 0, f.executor(), ranged.taker());
  CHECK(late.calls() + appended.calls() + ranged.calls() == 0);
  for (const auto& answer : {waiting, late}) {
    REQUIRE_FALSE(await(f, answer).ok());
    CHECK(answer->error().code == Error::Code::unavailable);
  }
  REQUIRE_FALSE(await(f, appended).ok());
  CHECK(appended->error().code == Error::Code::unavailable);
  REQUIRE_FALSE(await(f, ranged).ok());
  CHECK(ranged->error().code == Error::Code::unavailable);
  f.stop();
  CHECK(waiting.calls() + late.calls() + appended.calls() + ranged.calls() == 4);
}

}  // namespace host::contract

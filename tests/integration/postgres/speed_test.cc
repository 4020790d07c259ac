// How fast one connection commits; hidden: `postgres_test "[speed]"` prints it. A figure of one
// machine, for whoever changes the commit's path; it asserts nothing about time.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <random>

#include "tests/integration/postgres/deployment.h"

namespace host::postgres_tests {
namespace {

constexpr int kMessages = 500, kKeys = 100'000;

std::string json(std::size_t size, std::mt19937& random) {
  std::string text = R"({"id":")" + std::to_string(random()) + R"(","events":[)";
  while (text.size() + 12 < size) text += std::to_string(random() % 1'000'000) + ",";
  return text + "0]}";
}

TEST_CASE("speed of commits of 500 messages, each a state of 190 B and an outgoing one of 350 B",
          "[.][speed]") {
  const TestDatabase database;
  Deployment host(database);
  const ShardRef shard{"owls", 1};
  ShardImage image = host.claim(shard);
  std::mt19937 random(1);
  using Clock = std::chrono::steady_clock;
  std::vector<double> commits;
  double making = 0;
  const auto began = Clock::now();
  while (Clock::now() - began < std::chrono::seconds(6)) {
    const auto made = Clock::now();
    ShardCommit commit = next_commit(shard, image, "", "");
    commit.states.clear();
    commit.acked_seq = image.seq;
    for (int i = 0; i < kMessages; ++i) {
      commit.states.push_back(
          {"wizard-" + std::to_string(random() % kKeys), StateRow{json(190, random), 1, {}}});
      commit.outgoing.push_back(
          {image.epoch, ++commit.seq, {"letters", 0, "k", json(350, random), {{"host-id", "x"}}}});
    }
    commit.next_offsets = {{"letters", commit.seq}};
    const auto sent = Clock::now();
    making += std::chrono::duration<double>(sent - made).count();
    image.seq = commit.seq;
    REQUIRE(host.commit(std::move(commit)).status == Status::committed);
    commits.push_back(std::chrono::duration<double, std::milli>(Clock::now() - sent).count());
    ++image.commit_no;
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  std::sort(commits.begin(), commits.end());
  const auto rows =
      database.connect_here()->run("",
                                   "select (select count(*) from plugin_owls.host_journal),"
                                   " (select count(*) from plugin_owls.host_state)");
  std::printf(
      "%.0f messages/s (%.0f without making them); commit p50 %.1f ms p99 %.1f ms; journal %lld"
      " rows, states %lld\n",
      static_cast<double>(commits.size()) * kMessages / seconds,
      static_cast<double>(commits.size()) * kMessages / (seconds - making),
      commits[commits.size() / 2], commits[commits.size() * 99 / 100],
      static_cast<long long>(rows.integer(0, 0)), static_cast<long long>(rows.integer(0, 1)));
}

}  // namespace
}  // namespace host::postgres_tests

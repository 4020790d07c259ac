#include "tests/bench/work.h"

#include "host/base/check.h"
#include "host/core/partition.h"

namespace host::bench {
namespace {

constexpr const char* kPlaces[] = {"greatLibrary", "quidditchPitch", "hagridsHut",
                                   "gryffindorTower", "platform9Quarters"};

std::string digits(std::size_t number, std::size_t width) {
  std::string text = std::to_string(number);
  return std::string(width - std::min(width, text.size()), '0') + text;
}

/// Fills the hole that `@` marks so that the text has exactly `bytes`.
std::string filled(std::string text, std::size_t bytes) {
  const std::size_t hole = text.find('@');
  HOST_CHECK(hole != std::string::npos && text.size() <= bytes, "no room to fill");
  constexpr std::string_view kWords = "steam hides the tears of all who stay behind; ";
  std::string words;
  while (words.size() < bytes - text.size() + 1) words += kWords[words.size() % kWords.size()];
  return text.replace(hole, 1, words);
}

}  // namespace

std::string payload_of(std::size_t number) {
  return filled(R"({"id":"m-)" + digits(number, 10) + R"(","kind":"letter","place":")" +
                    kPlaces[number % std::size(kPlaces)] +
                    R"(","who":"Hermione Granger","amount":)" + std::to_string(number % 1000) +
                    R"(,"price":)" + std::to_string(number % 97) +
                    R"(.25,"urgent":false,"items":["quill","parchment","ink"],)" +
                    R"("wand":{"core":"dragon heartstring","inches":10.75,"wood":"vine"},)" +
                    R"("note":"@"})",
                kPayloadBytes);
}

std::string state_of(std::size_t number) {
  return filled(R"({"count":)" + digits(1 + number % 9, 1) + R"(,"last":"m-)" + digits(number, 10) +
                    R"(","note":"@","place":")" + kPlaces[number % std::size(kPlaces)] +
                    R"(","total":1000})",
                kStateBytes);
}

std::string key_of(std::size_t number) { return "k" + std::to_string(number); }

std::vector<ports::TopicSettings> topics_of(const std::string& plugin,
                                            const std::vector<std::string>& names) {
  std::vector<ports::TopicSettings> topics{{.name = plugin + ".inbox", .partitions = kPartitions}};
  for (const std::string& name : names) topics.push_back({.name = name, .partitions = kPartitions});
  return topics;
}

Messages::Messages(std::size_t keys, std::uint64_t seed) : keys_(keys), random_(seed) {
  for (std::size_t i = 0; i < kDistinct; ++i) payloads_.push_back(payload_of(i));
}

const std::string& Messages::next_payload() { return payloads_[made_++ % kDistinct]; }

ports::Append Messages::next(const std::string& topic) {
  ports::Append record;
  record.topic = topic;
  record.key = key_of(next_key());
  record.partition = partition_of(*record.key, kPartitions);
  record.payload = next_payload();
  return record;
}

}  // namespace host::bench

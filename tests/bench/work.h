#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "host/ports/log.h"

namespace host::bench {

/// The work that the message benches have in common: 350 bytes of JSON come in, a state of 190
/// bytes is kept for their key, and 350 bytes go out (plugins/work.lua). Every side of a comparison
/// is given the same bytes.
inline constexpr std::size_t kPayloadBytes = 350;
inline constexpr std::size_t kStateBytes = 190;
inline constexpr std::size_t kDistinct = 1024;  // payloads: more than a branch predictor learns
inline constexpr PartitionNumber kPartitions = 16;
inline constexpr const char* kInput = "work.in";
inline constexpr const char* kOutput = "work.out";

std::string payload_of(std::size_t number);
std::string state_of(std::size_t number);
std::string key_of(std::size_t number);
/// The topics of a plugin of that name beside `names`.
std::vector<ports::TopicSettings> topics_of(const std::string& plugin,
                                            const std::vector<std::string>& names);

/// An endless supply of messages with keys at random. Repeats with its seed. Not thread-safe.
class Messages {
 public:
  Messages(std::size_t keys, std::uint64_t seed);
  ports::Append next(const std::string& topic = kInput);
  std::size_t next_key() { return random_() % keys_; }
  const std::string& next_payload();

 private:
  const std::size_t keys_;
  std::mt19937_64 random_;
  std::vector<std::string> payloads_;
  std::size_t made_ = 0;
};

}  // namespace host::bench

#include "host/adapters/kafka/topics.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <vector>

#include "host/adapters/kafka/errors.h"

namespace host::kafka {
namespace {

using ports::TopicSettings;
using Entries = std::map<std::string, std::string>;

constexpr auto kLookAgain = std::chrono::milliseconds(20);
constexpr auto kLeaderChange = std::chrono::seconds(2);

bool leader_changed(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
         code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
}

Entries entries_of(const TopicSettings& topic) {
  const auto keep = std::chrono::duration_cast<std::chrono::milliseconds>(topic.keep);
  return {{"cleanup.policy", "delete"},
          {"retention.ms", topic.keep == kForever ? "-1" : std::to_string(keep.count())},
          {"retention.bytes", topic.max_bytes == 0 ? "-1" : std::to_string(topic.max_bytes)}};
}

Result<void> check_count(const TopicSettings& topic, PartitionNumber found) {
  if (topic.partitions < 1) {
    return make_error(Error::Code::invalid, "topic " + topic.name + " needs a partition");
  }
  if (found == topic.partitions) return {};
  return make_error(Error::Code::invalid,
                    "topic " + topic.name + " has " + std::to_string(found) + " partitions, not " +
                        std::to_string(topic.partitions),
                    "all topics of a deployment have the partition count of its first start: "
                    "recreate the topic, or choose another prefix");
}

OptionsHandle options_for(rd_kafka_t* client, rd_kafka_admin_op_t what, int wait_ms) {
  OptionsHandle options(rd_kafka_AdminOptions_new(client, what));
  std::array<char, 256> why{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), wait_ms, why.data(), why.size());
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), wait_ms, why.data(), why.size());
  return options;
}

/// The answer to an admin request that was given `queue`. Errors: as to_error().
Result<EventHandle> answer_of(const QueueHandle& queue, int wait_ms, const std::string& doing) {
  EventHandle event(rd_kafka_queue_poll(queue.get(), wait_ms + 1000));
  if (!event) return to_error(RD_KAFKA_RESP_ERR__TIMED_OUT, doing);
  if (const auto code = rd_kafka_event_error(event.get()); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return to_error(code, doing, rd_kafka_event_error_string(event.get()));
  }
  return event;
}

/// The settings of a topic that differ from the cluster's defaults, by the answer to a question.
Result<Entries> own_entries(const EventHandle& event, const std::string& doing) {
  std::size_t count = 0;
  const rd_kafka_DescribeConfigs_result_t* answer =
      rd_kafka_event_DescribeConfigs_result(event.get());
  const rd_kafka_ConfigResource_t** found =
      rd_kafka_DescribeConfigs_result_resources(answer, &count);
  if (count != 1) return to_error(RD_KAFKA_RESP_ERR__BAD_MSG, doing);
  if (const auto code = rd_kafka_ConfigResource_error(found[0]);
      code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return to_error(code, doing);
  }
  Entries own;
  const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(found[0], &count);
  for (std::size_t i = 0; i < count; ++i) {
    const bool ours =
        rd_kafka_ConfigEntry_source(entries[i]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG;
    const char* value = rd_kafka_ConfigEntry_value(entries[i]);
    const std::string name = rd_kafka_ConfigEntry_name(entries[i]);
    if ((ours || name == "cleanup.policy") && value != nullptr) own[name] = value;
  }
  return own;
}

}  // namespace

Result<std::unique_ptr<Topics>> Topics::make(const Options& options) {
  std::unique_ptr<Topics> topics(new Topics(options));
  // So long a broker may be silent until it is connected to anew.
  Conf conf(options, {{"socket.timeout.ms", "10000"}});
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_ERROR);  // for refusal()
  Result<ClientHandle> client = conf.make(RD_KAFKA_PRODUCER);
  if (!client) return client.error();
  topics->client_ = std::move(*client);
  return topics;
}

int Topics::wait_ms() const {
  return static_cast<int>(
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.answer_within).count());
}

Result<MetadataHandle> Topics::metadata(const std::string& topic) {
  refusal();  // of earlier connections
  rd_kafka_topic_t* handle = rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr);
  const rd_kafka_metadata_t* found = nullptr;
  const auto code = rd_kafka_metadata(client_.get(), 0, handle, &found, wait_ms());
  rd_kafka_topic_destroy(handle);
  const std::string doing = "looking for topic " + topic;
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return to_error(code, doing);
  MetadataHandle metadata(found);
  if (metadata->topic_cnt != 1) return to_error(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, doing);
  const auto why = metadata->topics[0].err;
  if (why != RD_KAFKA_RESP_ERR_NO_ERROR && why != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
    return to_error(why, doing);
  }
  return metadata;
}

/// Why the brokers have not taken our connections since it was last asked, if it was no outage: the
/// calls themselves only tell that nobody answers.
std::optional<Error> Topics::refusal() {
  const QueueHandle told(rd_kafka_queue_get_main(client_.get()));
  std::optional<Error> last;
  while (const EventHandle event{rd_kafka_queue_poll(told.get(), 0)}) {
    const auto code = rd_kafka_event_error(event.get());
    if (code != RD_KAFKA_RESP_ERR__AUTHENTICATION && code != RD_KAFKA_RESP_ERR__SSL) continue;
    last = make_error(Error::Code::invalid,
                      std::string("Kafka: ") + rd_kafka_event_error_string(event.get()),
                      "look at sasl.username, sasl.password and ssl.ca.location of the log's URL");
  }
  return last;
}

Result<PartitionNumber> Topics::partitions(const std::string& topic) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = known_.find(topic); known != known_.end()) return known->second;
  }
  const Result<MetadataHandle> found = metadata(topic);
  if (!found) return found.error();
  const std::lock_guard lock(mutex_);
  return known_[topic] = (*found)->topics[0].partition_cnt;
}

Result<ports::Log::Range> Topics::range(const std::string& topic, PartitionNumber partition) {
  const Result<PartitionNumber> count = partitions(topic);
  if (!count && count.error().code != Error::Code::not_found) return count.error();
  if (!count || partition < 0 || partition >= *count) return no_such_partition(topic, partition);
  const auto deadline = std::chrono::steady_clock::now() + options_.answer_within;
  const Result<Offset> start = ask(topic, partition, RD_KAFKA_OFFSET_BEGINNING, deadline);
  const Result<Offset> end = start ? ask(topic, partition, RD_KAFKA_OFFSET_END, deadline) : start;
  if (end) return ports::Log::Range{.start = *start, .end = *end};
  Error error = end.error();
  if (error.code != Error::Code::not_found) return error;
  // Deleted, or its leader is not known again yet, after brokers were away.
  {
    const std::lock_guard lock(mutex_);
    known_.erase(topic);
  }
  error.retryable = partitions(topic).ok();
  return error;
}

bool Topics::knows(const std::string& topic, PartitionNumber partition) {
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(topic);
  return known != known_.end() && partition >= 0 && partition < known->second;
}

/// One offset at a time. The client's own question for both takes the end for the start when a
/// broker refuses to tell the start, which looks like a loss, and it waits as long as it likes.
Result<Offset> Topics::ask(const std::string& topic, PartitionNumber partition, Offset which,
                           Clock::time_point deadline) {
  refusal();  // an outage must not pile them up
  const PartitionsHandle list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_t* place =
      rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  rd_kafka_resp_err_t code{};
  // Who leads a partition changes; the client learns of it by a refusal.
  const auto leader_known = std::min(deadline, Clock::now() + kLeaderChange);
  do {
    place->offset = which;
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    code = rd_kafka_offsets_for_times(client_.get(), list.get(),
                                      static_cast<int>(std::max<std::int64_t>(left, 1)));
    if (!leader_changed(code)) break;
    std::this_thread::sleep_for(kLookAgain);
  } while (Clock::now() < leader_known);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = place->err;
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR && place->offset < 0) {
    code = RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE;
  }
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return Offset{place->offset};
  return to_error(code, "asking for the offsets of topic " + topic + ", partition " +
                            std::to_string(partition));
}

Result<void> Topics::ensure(std::span<const TopicSettings> topics) {
  std::vector<TopicSettings> missing, there;
  for (const TopicSettings& topic : topics) {
    const Result<MetadataHandle> found = metadata(topic.name);
    if (!found && found.error().code != Error::Code::not_found) {
      return refusal().value_or(found.error());
    }
    const PartitionNumber count = found ? (*found)->topics[0].partition_cnt : topic.partitions;
    if (Result<void> fits = check_count(topic, count); !fits) return fits;
    (found ? there : missing).push_back(topic);
  }
  for (const TopicSettings& topic : there) {
    if (Result<void> updated = update(topic); !updated) return updated;
  }
  if (Result<void> created = create(missing); !created) return created;
  return wait_for_leaders(topics);
}

Result<void> Topics::create(std::span<const TopicSettings> topics) {
  if (topics.empty()) return {};
  std::vector<NewTopicHandle> made;
  std::vector<rd_kafka_NewTopic_t*> list;
  std::array<char, 512> why{};
  for (const TopicSettings& topic : topics) {
    // As many replicas as the cluster has by default.
    made.emplace_back(
        rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions, -1, why.data(), why.size()));
    if (!made.back())
      return make_error(Error::Code::invalid, "topic " + topic.name + ": " + why.data());
    for (const auto& [name, value] : entries_of(topic)) {
      rd_kafka_NewTopic_set_config(made.back().get(), name.c_str(), value.c_str());
    }
    list.push_back(made.back().get());
  }
  const QueueHandle queue(rd_kafka_queue_new(client_.get()));
  const OptionsHandle options =
      options_for(client_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS, wait_ms());
  rd_kafka_CreateTopics(client_.get(), list.data(), list.size(), options.get(), queue.get());
  const Result<EventHandle> event = answer_of(queue, wait_ms(), "creating topics");
  if (!event) return event.error();
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event->get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto code = rd_kafka_topic_result_error(results[i]);
    // Another host may have made it meanwhile.
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
      continue;
    }
    const char* text = rd_kafka_topic_result_error_string(results[i]);
    return to_error(code, std::string("creating topic ") + rd_kafka_topic_result_name(results[i]),
                    text != nullptr ? text : "");
  }
  return {};
}

/// Brings retention up to date where somebody asked for one: it may be another program's topic.
/// What the client can do replaces all settings of a topic, so those that somebody else gave it are
/// read first and given again.
Result<void> Topics::update(const TopicSettings& topic) {
  const std::string doing = "reading the settings of topic " + topic.name;
  const QueueHandle queue(rd_kafka_queue_new(client_.get()));
  const ConfigHandle resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.name.c_str()));
  std::array<rd_kafka_ConfigResource_t*, 1> list{resource.get()};
  OptionsHandle options = options_for(client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, wait_ms());
  rd_kafka_DescribeConfigs(client_.get(), list.data(), 1, options.get(), queue.get());
  const Result<EventHandle> described = answer_of(queue, wait_ms(), doing);
  if (!described) return described.error();
  Result<Entries> own = own_entries(*described, doing);
  if (!own) return own.error();
  if ((*own)["cleanup.policy"] != "delete") {
    return make_error(Error::Code::invalid,
                      "topic " + topic.name + " has cleanup.policy " + (*own)["cleanup.policy"] +
                          ": a compacted topic loses messages",
                      "set it to delete, or choose another topic");
  }
  if (topic.only_new) return {};
  Entries wanted = *own;
  for (const auto& [name, value] : entries_of(topic)) wanted[name] = value;
  if (wanted == *own) return {};
  for (const auto& [name, value] : wanted) {
    rd_kafka_ConfigResource_set_config(resource.get(), name.c_str(), value.c_str());
  }
  options = options_for(client_.get(), RD_KAFKA_ADMIN_OP_ALTERCONFIGS, wait_ms());
  rd_kafka_AlterConfigs(client_.get(), list.data(), 1, options.get(), queue.get());
  const std::string changing = "changing the settings of topic " + topic.name;
  const Result<EventHandle> altered = answer_of(queue, wait_ms(), changing);
  if (!altered) return altered.error();
  std::size_t count = 0;
  const rd_kafka_ConfigResource_t** results = rd_kafka_AlterConfigs_result_resources(
      rd_kafka_event_AlterConfigs_result(altered->get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto code = rd_kafka_ConfigResource_error(results[i]);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return to_error(code, changing);
  }
  return {};
}

/// A new topic is announced before its partitions can be used.
Result<void> Topics::wait_for_leaders(std::span<const TopicSettings> topics) {
  const auto deadline = std::chrono::steady_clock::now() + options_.answer_within;
  for (const TopicSettings& topic : topics) {
    while (true) {
      const Result<MetadataHandle> found = metadata(topic.name);
      if (!found && found.error().code != Error::Code::not_found) return found.error();
      bool ready = found.ok();
      for (int p = 0; ready && p < (*found)->topics[0].partition_cnt; ++p) {
        ready = (*found)->topics[0].partitions[p].leader >= 0;
      }
      if (ready) {
        const PartitionNumber count = (*found)->topics[0].partition_cnt;
        if (Result<void> fits = check_count(topic, count); !fits) return fits;
        const std::lock_guard lock(mutex_);
        known_[topic.name] = count;
        break;
      }
      if (std::chrono::steady_clock::now() > deadline) {
        return to_error(RD_KAFKA_RESP_ERR__TIMED_OUT, "waiting for topic " + topic.name);
      }
      std::this_thread::sleep_for(kLookAgain);
    }
  }
  return {};
}

}  // namespace host::kafka

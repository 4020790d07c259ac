#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>

namespace host::kafka {

/// Owners of librdkafka's handles, each with the function that ends it.
template <auto Destroy>
struct Ends {
  template <class T>
  void operator()(T* handle) const {
    Destroy(handle);
  }
};

/// Nobody joins a group here, so there is none to leave; a client that does waits for commits.
inline void end_client(rd_kafka_t* client) {
  rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

using ClientHandle = std::unique_ptr<rd_kafka_t, Ends<end_client>>;
using ConfHandle = std::unique_ptr<rd_kafka_conf_t, Ends<rd_kafka_conf_destroy>>;
using HeadersHandle = std::unique_ptr<rd_kafka_headers_t, Ends<rd_kafka_headers_destroy>>;
using MessageHandle = std::unique_ptr<rd_kafka_message_t, Ends<rd_kafka_message_destroy>>;
using MetadataHandle = std::unique_ptr<const rd_kafka_metadata_t, Ends<rd_kafka_metadata_destroy>>;
using PartitionsHandle =
    std::unique_ptr<rd_kafka_topic_partition_list_t, Ends<rd_kafka_topic_partition_list_destroy>>;
using QueueHandle = std::unique_ptr<rd_kafka_queue_t, Ends<rd_kafka_queue_destroy>>;
using EventHandle = std::unique_ptr<rd_kafka_event_t, Ends<rd_kafka_event_destroy>>;
using ErrorHandle = std::unique_ptr<rd_kafka_error_t, Ends<rd_kafka_error_destroy>>;
using OptionsHandle = std::unique_ptr<rd_kafka_AdminOptions_t, Ends<rd_kafka_AdminOptions_destroy>>;
using NewTopicHandle = std::unique_ptr<rd_kafka_NewTopic_t, Ends<rd_kafka_NewTopic_destroy>>;
using ConfigHandle =
    std::unique_ptr<rd_kafka_ConfigResource_t, Ends<rd_kafka_ConfigResource_destroy>>;

}  // namespace host::kafka

#pragma once

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <catch2/catch.hpp>

#include "host/adapters/kafka/handles.h"
#include "host/core/ids.h"

namespace host::kafka {

/// librdkafka's own brokers in memory, which can be told to refuse, with one topic, `owls`.
struct MockCluster {
  explicit MockCluster(PartitionNumber partitions = 1) {
    std::array<char, 512> why{};
    client.reset(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why.data(), why.size()));
    REQUIRE(client);
    mock = rd_kafka_mock_cluster_new(client.get(), 1);
    REQUIRE(mock != nullptr);
    REQUIRE(rd_kafka_mock_topic_create(mock, "owls", partitions, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  ~MockCluster() { rd_kafka_mock_cluster_destroy(mock); }
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  const char* brokers() const { return rd_kafka_mock_cluster_bootstraps(mock); }

  ClientHandle client;
  rd_kafka_mock_cluster_t* mock = nullptr;
};

}  // namespace host::kafka

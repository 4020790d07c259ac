#include "host/adapters/kafka/errors.h"

namespace host::kafka {
namespace {

constexpr const char* kLookAtBrokers = "see whether the brokers run and can be reached from here";

}  // namespace

Error to_error(rd_kafka_resp_err_t code, const std::string& doing, const std::string& detail) {
  const std::string text = doing + ": " + (detail.empty() ? rd_kafka_err2str(code) : detail);
  switch (code) {
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      return make_error(Error::Code::not_found, text);
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR_UNKNOWN:
      return retryable_error(Error::Code::timeout, text, kLookAtBrokers);
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return retryable_error(Error::Code::unavailable, text,
                             "give this user the rights, or the host another user");
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      return make_error(Error::Code::invalid, text);
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      return retryable_error(Error::Code::unavailable, text,
                             "the topic's max.message.bytes or segment.bytes is smaller");
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
      return retryable_error(
          Error::Code::unavailable, text,
          "as many brokers as the cluster's default.replication.factor must run");
    default:
      return retryable_error(Error::Code::unavailable, text, kLookAtBrokers);
  }
}

bool refuses_request(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      return true;
    default:
      return false;
  }
}

bool refused_for_good(rd_kafka_resp_err_t code, bool alone) {
  return code == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION || (alone && refuses_request(code));
}

Error no_such_partition(const std::string& topic, PartitionNumber partition) {
  return make_error(Error::Code::not_found, "the log has no topic " + topic + " with partition " +
                                                std::to_string(partition));
}

Error below_start(const std::string& topic, PartitionNumber partition, Offset from, Offset start) {
  return make_error(Error::Code::exhausted,
                    "topic " + topic + ", partition " + std::to_string(partition) +
                        ": what lay at offset " + std::to_string(from) + " is no longer kept",
                    "the oldest record is at " + std::to_string(start));
}

Error log_is_stopped() { return retryable_error(Error::Code::unavailable, "the log is stopped"); }

}  // namespace host::kafka

#pragma once

#include "host/adapters/kafka/handles.h"
#include "host/core/message.h"

namespace host::kafka {

/// Kafka's headers of a record; a value without bytes is not null.
HeadersHandle to_headers(const Headers& headers);
/// Copies what the client lent. Times are those that the record carries, in milliseconds.
Record to_record(const rd_kafka_message_t& message);
std::size_t size_of(const Record& record);

}  // namespace host::kafka

#include "host/adapters/kafka/records.h"

namespace host::kafka {
namespace {

constexpr std::size_t kOverhead = 100;  // of a record, roughly

std::string text_of(const void* bytes, std::size_t size) {
  return size == 0 ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

Headers headers_of(const rd_kafka_message_t& message) {
  Headers headers;
  rd_kafka_headers_t* found = nullptr;
  if (rd_kafka_message_headers(&message, &found) != RD_KAFKA_RESP_ERR_NO_ERROR) return headers;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(found, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    headers.emplace_back(name, text_of(value, size));
  }
  return headers;
}

}  // namespace

HeadersHandle to_headers(const Headers& headers) {
  HeadersHandle out(rd_kafka_headers_new(headers.size()));
  for (const auto& [name, value] : headers) {
    rd_kafka_header_add(out.get(), name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  }
  return out;
}

Record to_record(const rd_kafka_message_t& message) {
  Record record;
  record.topic = rd_kafka_topic_name(message.rkt);
  record.partition = message.partition;
  record.offset = message.offset;
  rd_kafka_timestamp_type_t type{};
  record.time = from_micros(rd_kafka_message_timestamp(&message, &type) * 1000);
  if (message.key != nullptr) record.key = text_of(message.key, message.key_len);
  record.payload = text_of(message.payload, message.len);
  record.headers = headers_of(message);
  return record;
}

std::size_t size_of(const Record& record) {
  std::size_t size = record.payload.size() + (record.key ? record.key->size() : 0) + kOverhead;
  for (const auto& [name, value] : record.headers) size += name.size() + value.size();
  return size;
}

}  // namespace host::kafka

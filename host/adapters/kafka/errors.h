#pragma once

#include <librdkafka/rdkafka.h>

#include <string>

#include "host/base/result.h"
#include "host/core/ids.h"

namespace host::kafka {

/// What the client or a broker said, as an error of the port: unknown topics are not_found, what a
/// repeat may mend is unavailable or timeout and retryable, the rest is invalid. `doing` begins the
/// message.
Error to_error(rd_kafka_resp_err_t code, const std::string& doing, const std::string& detail = {});

/// Whether a broker refused what a request had for a partition because of its size or of a record
/// in it: not each of its records need be bad.
bool refuses_request(rd_kafka_resp_err_t code);

/// Whether a broker will never take this record, however often it is sent. `alone`: it was not one
/// of several in a request.
bool refused_for_good(rd_kafka_resp_err_t code, bool alone);

Error no_such_partition(const std::string& topic, PartitionNumber partition);
Error below_start(const std::string& topic, PartitionNumber partition, Offset from, Offset start);
Error log_is_stopped();

}  // namespace host::kafka

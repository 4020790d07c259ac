#pragma once

#include <string>

#include "host/adapters/kafka/options.h"
#include "host/base/result.h"

namespace host::kafka {

/// "kafka://b1:9092,b2:9092?security.protocol=SASL_SSL&sasl.username=host": brokers (port 9092
/// where none is named) and settings of librdkafka, names and values percent-decoded. Those that
/// can be chosen say how brokers are reached and how much is packed together; what the promise of
/// the host rests on (acknowledgements, idempotence, offsets) cannot. Errors: invalid (the text
/// cannot be read, a setting cannot be chosen; values are not repeated, because they may be
/// secrets).
Result<Options> parse_url(const std::string& url);

/// Whether a setting's value is for few eyes.
bool is_secret(const std::string& setting);

}  // namespace host::kafka

#pragma once

#include "host/core/unit_of_work.h"
#include "host/runtime/environment.h"

namespace host::runtime {

/// The record that carries `emit`: in the partition that its key chooses (without a key, that of
/// `without_key`), with `headers` where the script did not set them itself.
ports::Append make_record(const Environment& env, Emit emit, Headers headers,
                          std::int64_t without_key);
/// Appends `number` as decimal text.
void append_number(std::string& out, std::int64_t number);

}  // namespace host::runtime

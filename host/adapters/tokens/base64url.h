#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace host::tokens {

/// The bytes that `text` stands for (RFC 4648, section 5, without padding). Nothing when it is not
/// exactly what an encoder writes: another character, padding, bits that are left over.
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace host::tokens

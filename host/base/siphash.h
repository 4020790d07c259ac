#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace host {

/// SipHash-2-4: a hash of 64 bits that nobody can steer who does not know the key, for tables whose
/// keys come from outside.
std::uint64_t siphash(const std::array<std::uint64_t, 2>& key, std::string_view text);

}  // namespace host

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/base/result.h"
#include "host/base/time.h"

struct lua_State;

namespace host::script {

/// The values that Lua does not have by itself, as small immutable userdata: money (minor units,
/// scale 2), points in time (microseconds, UTC), integers beyond 2^53. host.null is the null light
/// userdata. A duration is a plain number of seconds: it compares with `now - start` and needs no
/// arithmetic of its own.
enum class Boxed : std::uint32_t { money, time, int64, uint64 };

/// Makes the metatables of a new state; once, before anything else here. May raise.
void open_values(lua_State* L);

// May raise (out of memory): only inside a protected call.
void push_money(lua_State* L, std::int64_t minor);
void push_time(lua_State* L, Time time);
/// A plain number up to 2^53, else boxed.
void push_int64(lua_State* L, std::int64_t value);
void push_uint64(lua_State* L, std::uint64_t value);
void push_null(lua_State* L);
/// Gives the table on top the mark of a list, which `{}` needs to be encoded as []. May raise.
void mark_list(lua_State* L);
void push_list_metatable(lua_State* L);

// Never raise.
bool is_null(lua_State* L, int index);
bool is_marked_list(lua_State* L, int index);
std::optional<Boxed> boxed_kind(lua_State* L, int index);
std::optional<std::int64_t> to_money(lua_State* L, int index);
std::optional<Time> to_time(lua_State* L, int index);
/// Of an int64 or uint64 box: the bits.
std::optional<std::uint64_t> to_boxed_bits(lua_State* L, int index);
/// "1m" or a number of seconds, as every ctx function takes it. Error: invalid.
Result<Duration> to_duration(lua_State* L, int index);

/// Largest amount: up to 2^46 no two amounts share the double that JSON makes of them.
inline constexpr std::int64_t kMaxMoney = 7'000'000'000'000'000;
std::string format_money(std::int64_t minor);
/// "2.50", "-3", "0.5": at most two decimals. Error: invalid.
Result<std::int64_t> parse_money(std::string_view text);
/// Exact where the number is one of at most two decimals. Error: invalid.
Result<std::int64_t> money_of_number(double value);

}  // namespace host::script

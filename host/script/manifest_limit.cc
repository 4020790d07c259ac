// How often a route may be asked: limit = { rate, per, burst, by }.
#include <cmath>

#include "host/script/manifest_reader.h"

namespace host::script {
namespace {

constexpr double kMostRequests = 1e6;
constexpr std::chrono::hours kLongest{24 * 365};

}  // namespace

void ManifestReader::limit(int index, Manifest::Route& route, const Path& at) {
  if (!get(index, "limit")) return;
  const int value = lua_gettop(L_);
  const Path here = at / "limit";
  if (need_table(value, here, "a table: { rate = 10, per = \"1s\", burst = 20 }")) {
    only_fields(value, here, {"rate", "per", "burst", "by"});
    Manifest::Limit limit;
    const std::optional<std::int64_t> rate = count(value, "rate", here);
    if (!rate) problem(here, "says no rate", "rate = 10: so many requests in each `per`");
    limit.rate = rate.value_or(1);
    limit.per = duration(value, "per", here).value_or(limit.per);
    limit.burst = count(value, "burst", here).value_or(limit.rate);
    const std::string by = text(value, "by", here).value_or("user");
    limit.by_user = by == "user";
    if (by != "user" && by != "address") {
      problem(here / "by", "is neither \"user\" nor \"address\"");
    }
    using Seconds = std::chrono::duration<double>;
    const Seconds fill =
        Seconds(limit.per) * static_cast<double>(limit.burst) / static_cast<double>(limit.rate);
    if (limit.per > kLongest || fill > kLongest) {
      problem(here, "takes more than a year to let `burst` requests through again");
    } else if (limit.interval() < std::chrono::microseconds(1)) {
      problem(here, "lets more than a million requests a second through: leave it out");
    } else {
      route.limit = limit;
    }
  }
  lua_pop(L_, 1);
}

/// A whole number from 1 to a million; nothing when the field is not there.
std::optional<std::int64_t> ManifestReader::count(int index, const char* name, const Path& at) {
  if (!get(index, name)) return std::nullopt;
  const double value = lua_type(L_, -1) == LUA_TNUMBER ? lua_tonumber(L_, -1) : 0;
  lua_pop(L_, 1);
  if (value >= 1 && value <= kMostRequests && std::floor(value) == value) {
    return static_cast<std::int64_t>(value);
  }
  problem(at / name, "is no whole number from 1 to 1000000");
  return 1;
}

}  // namespace host::script

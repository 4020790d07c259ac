#include "host/script/values.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "host/script/lua_state.h"

namespace host::script {
namespace {

constexpr std::uint64_t kMagic = 0x7f3a'91c4'55d0'e82bULL;
__extension__ typedef __int128 Wide;
constexpr double kExact = 9007199254740992.0;  // 2^53

struct Box {
  std::uint64_t magic;
  std::uint64_t bits;
  Boxed kind;
};

// Their addresses are the registry's keys.
char metatables[3];
char list_metatable;

/// int64 and uint64 share theirs: Lua compares operands of one metamethod alone.
void* key_of(Boxed kind) {
  return &metatables[static_cast<int>(kind == Boxed::uint64 ? Boxed::int64 : kind)];
}

const Box* to_box(lua_State* L, int index) {
  if (lua_type(L, index) != LUA_TUSERDATA || lua_objlen(L, index) != sizeof(Box)) return nullptr;
  const auto* box = static_cast<const Box*>(lua_touserdata(L, index));
  return box->magic == kMagic ? box : nullptr;
}

const Box* to_box(lua_State* L, int index, Boxed kind) {
  const Box* box = to_box(L, index);
  return box && box->kind == kind ? box : nullptr;
}

void push_box(lua_State* L, Boxed kind, std::uint64_t bits) {
  auto* box = static_cast<Box*>(lua_newuserdata(L, sizeof(Box)));
  box->magic = kMagic;
  box->bits = bits;
  box->kind = kind;
  lua_pushlightuserdata(L, key_of(kind));
  lua_rawget(L, LUA_REGISTRYINDEX);
  lua_setmetatable(L, -2);
}

std::string text_of(const Box& box) {
  switch (box.kind) {
    case Boxed::money:
      return format_money(static_cast<std::int64_t>(box.bits));
    case Boxed::time:
      return format_time(from_micros(static_cast<std::int64_t>(box.bits)));
    case Boxed::int64:
      return std::to_string(static_cast<std::int64_t>(box.bits));
    case Boxed::uint64:
      return std::to_string(box.bits);
  }
  return {};
}

int box_tostring(lua_State* L) {
  const Box* box = to_box(L, 1);
  if (!box) return luaL_error(L, "a value of the host was expected");
  const std::string text = text_of(*box);
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}

int box_concat(lua_State* L) {
  std::string out;
  for (int i = 1; i <= 2; ++i) {
    if (const Box* box = to_box(L, i)) {
      out += text_of(*box);
    } else if (lua_isstring(L, i)) {
      std::size_t size = 0;
      const char* text = lua_tolstring(L, i, &size);
      out.append(text, size);
    } else {
      raise(L, std::string("attempt to concatenate a ") + luaL_typename(L, i) + " value");
    }
  }
  lua_pushlstring(L, out.data(), out.size());
  return 1;
}

/// -1, 0, 1; both operands are boxes of one metatable, or one of int64 and one of uint64.
int compare(const Box& a, const Box& b) {
  if (a.kind == Boxed::uint64 || b.kind == Boxed::uint64) {
    if (a.kind != b.kind) return a.kind == Boxed::uint64 ? 1 : -1;  // uint64 is above any int64
    return a.bits < b.bits ? -1 : a.bits > b.bits;
  }
  const auto x = static_cast<std::int64_t>(a.bits), y = static_cast<std::int64_t>(b.bits);
  return x < y ? -1 : x > y;
}

int box_compare(lua_State* L, const char* what) {
  const Box *a = to_box(L, 1), *b = to_box(L, 2);
  const auto family = [](Boxed kind) { return kind == Boxed::uint64 ? Boxed::int64 : kind; };
  if (!a || !b || family(a->kind) != family(b->kind)) {
    luaL_error(L, "attempt to compare %s", what);
    return 0;
  }
  return compare(*a, *b);
}
int box_eq(lua_State* L) {
  const Box *a = to_box(L, 1), *b = to_box(L, 2);
  lua_pushboolean(L, a && b && a->kind == b->kind && a->bits == b->bits);
  return 1;
}
int box_lt(lua_State* L) {
  const int order = box_compare(L, "values of two kinds");
  lua_pushboolean(L, order < 0);
  return 1;
}
int box_le(lua_State* L) {
  const int order = box_compare(L, "values of two kinds");
  lua_pushboolean(L, order <= 0);
  return 1;
}

std::int64_t checked_money(lua_State* L, Wide minor) {
  if (minor > kMaxMoney || minor < -kMaxMoney) raise(L, "money beyond 70 trillion is not exact");
  return static_cast<std::int64_t>(minor);
}

std::int64_t money_operand(lua_State* L, int index, const char* operation) {
  if (const Box* box = to_box(L, index, Boxed::money)) return static_cast<std::int64_t>(box->bits);
  raise(L, std::string("attempt to ") + operation + " money and a " + luaL_typename(L, index) +
               " value: write money \"1.00\"");
}

int money_add(lua_State* L) {
  const std::int64_t a = money_operand(L, 1, "add"), b = money_operand(L, 2, "add");
  push_money(L, checked_money(L, static_cast<Wide>(a) + b));
  return 1;
}
int money_sub(lua_State* L) {
  const std::int64_t a = money_operand(L, 1, "subtract"), b = money_operand(L, 2, "subtract");
  push_money(L, checked_money(L, static_cast<Wide>(a) - b));
  return 1;
}
int money_unm(lua_State* L) {
  push_money(L, -money_operand(L, 1, "negate"));
  return 1;
}

int money_mul(lua_State* L) {
  const int number = to_box(L, 1, Boxed::money) ? 2 : 1;
  if (lua_type(L, number) != LUA_TNUMBER) {
    raise(L, std::string("attempt to multiply money by a ") + luaL_typename(L, number) + " value");
  }
  const double factor = lua_tonumber(L, number);
  if (std::floor(factor) != factor || std::abs(factor) > kExact) {
    raise(L, "money is multiplied by whole numbers; price:times(1.5) rounds half up");
  }
  const std::int64_t minor = money_operand(L, 3 - number, "multiply");
  push_money(L, checked_money(L, static_cast<Wide>(minor) * static_cast<std::int64_t>(factor)));
  return 1;
}

int money_div(lua_State* L) {
  const Box *a = to_box(L, 1, Boxed::money), *b = to_box(L, 2, Boxed::money);
  if (!a || !b) raise(L, "money is divided by money alone; price:times(0.5) gives a part of it");
  lua_pushnumber(L, static_cast<double>(static_cast<std::int64_t>(a->bits)) /
                        static_cast<double>(static_cast<std::int64_t>(b->bits)));
  return 1;
}

/// `factor` as the shortest decimal that means it: mantissa * 10^exponent.
struct Decimal {
  Wide mantissa = 0;
  int exponent = 0;
};
Decimal decimal_of(double factor) {
  char text[40];
  const auto [end, ec] =
      std::to_chars(text, text + sizeof text, factor, std::chars_format::scientific);
  (void)ec;  // the buffer holds every double
  Decimal out;
  bool fraction = false;
  const char* at = text + (text[0] == '-');
  for (; at < end && *at != 'e'; ++at) {
    if (*at == '.') {
      fraction = true;
    } else {
      out.mantissa = out.mantissa * 10 + (*at - '0');
      out.exponent -= fraction;
    }
  }
  int exponent = 0;
  const char* digits = at + 1 + (at + 1 < end && at[1] == '+');
  std::from_chars(digits, end, exponent);
  out.exponent += exponent;
  if (text[0] == '-') out.mantissa = -out.mantissa;
  return out;
}

/// price:times(1.5): exact in decimals, halves away from zero.
int money_times(lua_State* L) {
  const std::int64_t minor = money_operand(L, 1, "multiply");
  if (lua_type(L, 2) != LUA_TNUMBER || !std::isfinite(lua_tonumber(L, 2))) {
    raise(L, "times takes a number");
  }
  const Decimal factor = decimal_of(lua_tonumber(L, 2));
  Wide product = static_cast<Wide>(minor) * factor.mantissa;
  const bool negative = product < 0;
  if (negative) product = -product;
  for (int e = factor.exponent; e > 0 && product != 0; --e) {
    if (product > kMaxMoney) checked_money(L, product);
    product *= 10;
  }
  if (factor.exponent < -37) {
    product = 0;
  } else if (factor.exponent < 0) {
    Wide unit = 1;
    for (int e = factor.exponent; e < 0; ++e) unit *= 10;
    product = product / unit + (product % unit >= unit - product % unit ? 1 : 0);
  }
  push_money(L, checked_money(L, negative ? -product : product));
  return 1;
}

int money_minor(lua_State* L) {
  lua_pushnumber(L, static_cast<double>(money_operand(L, 1, "read")));
  return 1;
}

Time checked_time(lua_State* L, double micros) {
  constexpr double kFirst = -62167219200e6, kLast = 253402300800e6;  // years 0 to 9999
  if (!(micros >= kFirst && micros < kLast)) raise(L, "a time beyond the years 0 to 9999");
  return from_micros(static_cast<std::int64_t>(micros));
}

/// Seconds as a number may be negative here; text is a duration.
double micros_operand(lua_State* L, int index) {
  if (lua_type(L, index) == LUA_TNUMBER) return std::round(lua_tonumber(L, index) * 1e6);
  const Result<Duration> duration = to_duration(L, index);
  if (!duration) raise(L, duration.error().message);
  return static_cast<double>(duration->count());
}

int time_add(lua_State* L) {
  const int time = to_box(L, 1, Boxed::time) ? 1 : 2;
  const Box* box = to_box(L, time, Boxed::time);
  if (to_box(L, 3 - time)) raise(L, "a time and a duration can be added, not two times");
  const double micros = micros_operand(L, 3 - time);
  push_time(L, checked_time(L, static_cast<double>(static_cast<std::int64_t>(box->bits)) + micros));
  return 1;
}

int time_sub(lua_State* L) {
  const Box *a = to_box(L, 1, Boxed::time), *b = to_box(L, 2, Boxed::time);
  if (!a) raise(L, "a time can be subtracted from a time alone");
  const auto from = static_cast<std::int64_t>(a->bits);
  if (b) {
    lua_pushnumber(L, static_cast<double>(from - static_cast<std::int64_t>(b->bits)) / 1e6);
  } else {
    push_time(L, checked_time(L, static_cast<double>(from) - micros_operand(L, 2)));
  }
  return 1;
}

std::int64_t time_argument(lua_State* L) {
  const Box* box = to_box(L, 1, Boxed::time);
  if (!box) raise(L, "a time was expected: call it as now:floor(\"1h\")");
  return static_cast<std::int64_t>(box->bits);
}

int time_floor(lua_State* L) {
  const std::int64_t micros = time_argument(L);
  const Result<Duration> step = to_duration(L, 2);
  if (!step) raise(L, step.error().message);
  if (step->count() <= 0) raise(L, "floor takes a duration above zero");
  const std::int64_t rest = ((micros % step->count()) + step->count()) % step->count();
  push_time(L, checked_time(L, static_cast<double>(micros - rest)));
  return 1;
}

int time_unix(lua_State* L) {
  lua_pushnumber(L, static_cast<double>(time_argument(L)) / 1e6);
  return 1;
}

int null_tostring(lua_State* L) {
  lua_pushstring(L, is_null(L, 1) ? "null" : "userdata");
  return 1;
}

using Functions = std::initializer_list<std::pair<const char*, lua_CFunction>>;

void set_functions(lua_State* L, const Functions& functions) {
  for (const auto& [name, function] : functions) {
    lua_pushcfunction(L, function);
    lua_setfield(L, -2, name);
  }
}

void protect(lua_State* L) {
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
}

void make_metatable(lua_State* L, Boxed kind, const Functions& operators,
                    const Functions& methods) {
  lua_pushlightuserdata(L, key_of(kind));
  lua_createtable(L, 0, 16);
  set_functions(L, {{"__tostring", guarded<box_tostring>},
                    {"__concat", guarded<box_concat>},
                    {"__eq", box_eq},
                    {"__lt", box_lt},
                    {"__le", box_le}});
  set_functions(L, operators);
  lua_createtable(L, 0, 4);
  set_functions(L, methods);
  lua_setfield(L, -2, "__index");
  protect(L);
  lua_rawset(L, LUA_REGISTRYINDEX);
}

}  // namespace

void open_values(lua_State* L) {
  make_metatable(L, Boxed::money,
                 {{"__add", guarded<money_add>},
                  {"__sub", guarded<money_sub>},
                  {"__unm", guarded<money_unm>},
                  {"__mul", guarded<money_mul>},
                  {"__div", guarded<money_div>}},
                 {{"times", guarded<money_times>}, {"minor", guarded<money_minor>}});
  make_metatable(L, Boxed::time, {{"__add", guarded<time_add>}, {"__sub", guarded<time_sub>}},
                 {{"floor", guarded<time_floor>}, {"unix", guarded<time_unix>}});
  make_metatable(L, Boxed::int64, {}, {});

  lua_pushlightuserdata(L, &list_metatable);
  lua_createtable(L, 0, 1);
  protect(L);
  lua_rawset(L, LUA_REGISTRYINDEX);

  push_null(L);  // light userdata share one metatable
  lua_createtable(L, 0, 2);
  set_functions(L, {{"__tostring", null_tostring}});
  protect(L);
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}

void push_money(lua_State* L, std::int64_t minor) {
  push_box(L, Boxed::money, static_cast<std::uint64_t>(minor));
}
void push_time(lua_State* L, Time time) {
  push_box(L, Boxed::time, static_cast<std::uint64_t>(to_micros(time)));
}
void push_int64(lua_State* L, std::int64_t value) {
  constexpr std::int64_t kLimit = 1LL << 53;
  if (value >= -kLimit && value <= kLimit) {
    lua_pushnumber(L, static_cast<double>(value));
  } else {
    push_box(L, Boxed::int64, static_cast<std::uint64_t>(value));
  }
}
void push_uint64(lua_State* L, std::uint64_t value) {
  if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    push_int64(L, static_cast<std::int64_t>(value));
  } else {
    push_box(L, Boxed::uint64, value);
  }
}
void push_null(lua_State* L) { lua_pushlightuserdata(L, nullptr); }
void push_list_metatable(lua_State* L) {
  lua_pushlightuserdata(L, &list_metatable);
  lua_rawget(L, LUA_REGISTRYINDEX);
}
void mark_list(lua_State* L) {
  push_list_metatable(L);
  lua_setmetatable(L, -2);
}

bool is_null(lua_State* L, int index) {
  return lua_islightuserdata(L, index) && lua_touserdata(L, index) == nullptr;
}
bool is_marked_list(lua_State* L, int index) {
  if (!lua_getmetatable(L, index)) return false;
  lua_pushlightuserdata(L, &list_metatable);
  lua_rawget(L, LUA_REGISTRYINDEX);
  const bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}
std::optional<Boxed> boxed_kind(lua_State* L, int index) {
  const Box* box = to_box(L, index);
  return box ? std::optional(box->kind) : std::nullopt;
}
std::optional<std::int64_t> to_money(lua_State* L, int index) {
  const Box* box = to_box(L, index, Boxed::money);
  return box ? std::optional(static_cast<std::int64_t>(box->bits)) : std::nullopt;
}
std::optional<Time> to_time(lua_State* L, int index) {
  const Box* box = to_box(L, index, Boxed::time);
  return box ? std::optional(from_micros(static_cast<std::int64_t>(box->bits))) : std::nullopt;
}
std::optional<std::uint64_t> to_boxed_bits(lua_State* L, int index) {
  const Box* box = to_box(L, index);
  if (!box || (box->kind != Boxed::int64 && box->kind != Boxed::uint64)) return std::nullopt;
  return box->bits;
}

Result<Duration> to_duration(lua_State* L, int index) {
  if (lua_type(L, index) == LUA_TSTRING) {
    std::size_t size = 0;
    const char* text = lua_tolstring(L, index, &size);
    return parse_duration({text, size});
  }
  if (lua_type(L, index) != LUA_TNUMBER) {
    return make_error(Error::Code::invalid,
                      std::string("a ") + luaL_typename(L, index) + " is no duration",
                      "write \"20s\", \"1m\", or a number of seconds");
  }
  const double seconds = lua_tonumber(L, index);
  if (!(seconds >= 0) || seconds > 9e11) {
    return make_error(Error::Code::invalid, "a duration is not negative and not endless",
                      "write \"20s\", \"1m\", or a number of seconds");
  }
  return Duration{std::llround(seconds * 1e6)};
}

}  // namespace host::script

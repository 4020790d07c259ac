#include "host/adapters/postgres/conninfo.h"

#include <libpq-fe.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <string_view>

#include "host/adapters/postgres/client_library.h"

namespace host::postgres {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
struct FreeText {
  void operator()(char* text) const { PQfreemem(text); }
};

std::string seconds(Duration d) {
  const auto whole = std::chrono::ceil<std::chrono::seconds>(d).count();
  return std::to_string(std::max<std::int64_t>(whole, 1));
}
std::string milliseconds(Duration d) {
  const auto whole = std::chrono::ceil<std::chrono::milliseconds>(d).count();
  return std::to_string(std::max<std::int64_t>(whole, 1));
}

/// A value of a URL.
std::string escaped(const std::string& value) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      out += c;
    } else {
      (out += '%').append({kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return out;
}

}  // namespace

Result<Conninfo> Conninfo::parse(const std::string& url) {
  if (Result<void> loaded = load_client_library(); !loaded) return loaded.error();
  char* problem = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> options(
      PQconninfoParse(url.c_str(), &problem));
  const std::unique_ptr<char, FreeText> why(problem);  // may repeat a part of the password
  if (!options || url.find('\0') != std::string::npos) {
    return make_error(Error::Code::invalid, "the store's URL cannot be read",
                      "it looks like postgresql://USER@HOST:PORT/DATABASE; characters such as "
                      "@ : / % in a name are written as %40 %3A %2F %25");
  }
  Conninfo info;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) info.set(option->keyword, option->val);
  }
  return info;
}

std::string Conninfo::value(const std::string& name) const {
  const auto at = std::find_if(values_.begin(), values_.end(),
                               [&](const auto& entry) { return entry.first == name; });
  return at == values_.end() ? std::string() : at->second;
}

void Conninfo::set(const std::string& name, const std::string& value) {
  std::erase_if(values_, [&](const auto& entry) { return entry.first == name; });
  values_.emplace_back(name, value);
}

void Conninfo::set_missing(const std::string& name, const std::string& wanted) {
  if (value(name).empty()) set(name, wanted);
}

Conninfo Conninfo::with(const std::string& name, const std::string& wanted) const {
  Conninfo changed = *this;
  changed.set(name, wanted);
  return changed;
}

Conninfo Conninfo::prepared(const Limits& limits, const std::string& schema) const {
  Conninfo info = *this;
  info.set_missing("connect_timeout", seconds(limits.connect));
  info.set_missing("keepalives", "1");
  info.set_missing("keepalives_idle", "5");
  info.set_missing("keepalives_interval", "2");
  info.set_missing("keepalives_count", "3");
  info.set_missing("tcp_user_timeout", milliseconds(limits.answer));
  // A standby shows what was: a handler that read it would write over what is.
  info.set_missing("target_session_attrs", "read-write");
  info.set_missing("application_name", "host");
  info.set("client_encoding", "UTF8");
  std::string options =
      "-c statement_timeout=" + milliseconds(limits.statement) +
      " -c lock_timeout=" + milliseconds(limits.lock) +
      " -c idle_in_transaction_session_timeout=" + milliseconds(limits.idle_in_transaction) +
      " -c default_transaction_isolation=read\\ committed"
      // A client that is cut off without a word may hold rows: the server ends it as soon as we do.
      " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
      " -c tcp_user_timeout=" +
      milliseconds(limits.answer);
  if (!schema.empty()) options += " -c search_path=" + schema;
  // What the URL says comes later and wins.
  if (const std::string own = value("options"); !own.empty()) options += " " + own;
  // What texts and values mean is ours to say.
  options +=
      " -c standard_conforming_strings=on -c TimeZone=UTC -c DateStyle=ISO"
      " -c IntervalStyle=postgres -c extra_float_digits=1 -c bytea_output=hex";
  info.set("options", options);
  return info;
}

std::string Conninfo::text() const {
  // Not "name='value'": SOCI takes that apart at spaces, quotes or not.
  std::string text = "postgresql:///";
  char before = '?';
  for (const auto& [name, value] : values_) {
    (text += before).append(name).append("=").append(escaped(value));
    before = '&';
  }
  return text;
}

std::string Conninfo::describe() const {
  const auto or_else = [&](const char* name, const char* unnamed) {
    const std::string given = value(name);
    return given.empty() ? std::string(unnamed) : given;
  };
  const std::string host =
      value("host").empty() ? or_else("hostaddr", "the default host") : value("host");
  return or_else("user", "the default user") + " at " + host + ":" + or_else("port", "5432") +
         ", database " + or_else("dbname", "of the user's name");
}

Destination destination(Conninfo where, PasswordSource password) {
  return [where = std::move(where), password = std::move(password)]() -> Result<Conninfo> {
    if (!password) return where;
    Result<std::string> now = password();
    if (!now) return now.error();
    return now->empty() ? where : where.with("password", *now);
  };
}

Destination destination_of(const std::string& plugin, Conninfo where, LoginSource login,
                           Destination own) {
  if (!login) return own;
  const Result<std::optional<Login>> first = login(plugin);
  if (first && !*first) return own;
  return [plugin, where = std::move(where), login = std::move(login)]() -> Result<Conninfo> {
    const Result<std::optional<Login>> now = login(plugin);
    if (!now) return now.error();
    if (!*now) {
      return make_error(Error::Code::invalid,
                        "the password of plugin " + plugin + "'s role is gone");
    }
    return where.with("user", (*now)->user).with("password", (*now)->password);
  };
}

}  // namespace host::postgres

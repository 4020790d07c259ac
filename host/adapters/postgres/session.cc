#include "host/adapters/postgres/session.h"

#include <poll.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include <algorithm>
#include <cctype>
#include <chrono>

namespace host::postgres {
namespace {

constexpr auto kAskWhyWithin = std::chrono::seconds(2);
constexpr std::size_t kStateSize = 5;

void ignore_notice(void*, const char*) {}  // "relation exists, skipping": libpq prints it else

std::string one_line(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

struct FinishConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};

/// Drives a connection that was started until it is refused, or made; not for long.
void drive(PGconn* connection) {
  const auto until = std::chrono::steady_clock::now() + kAskWhyWithin;
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return;
    pollfd ready{.fd = PQsocket(connection),
                 .events = status == PGRES_POLLING_READING ? short{POLLIN} : short{POLLOUT},
                 .revents = 0};
    if (::poll(&ready, 1, static_cast<int>(left.count())) < 0) return;
    status = PQconnectPoll(connection);
  }
}

/// Why the server refuses, as SQLSTATE: SOCI says only a text, which the server may have
/// translated. Empty: it does not refuse, it is away (or there again).
std::string refusal_of(const std::string& where) {
  const std::unique_ptr<PGconn, FinishConnection> again(PQconnectStart(where.c_str()));
  if (!again || PQstatus(again.get()) == CONNECTION_BAD) return {};
  PQsetErrorVerbosity(again.get(), PQERRORS_SQLSTATE);  // "... FATAL:  28P01"
  PQsetNoticeProcessor(again.get(), ignore_notice, nullptr);
  drive(again.get());
  const std::string text = one_line(PQerrorMessage(again.get()));
  if (PQstatus(again.get()) != CONNECTION_BAD || text.size() < kStateSize) return {};
  const std::string state = text.substr(text.size() - kStateSize);
  const bool is_state = std::all_of(state.begin(), state.end(), [](unsigned char c) {
    return std::isdigit(c) != 0 || std::isupper(c) != 0;
  });
  return is_state ? state : std::string();
}

Failure failure_of(const soci::soci_error& error, PGconn* native) {
  if (PQstatus(native) == CONNECTION_BAD) return Failure::lost(one_line(error.what()));
  if (const auto* precise = dynamic_cast<const soci::postgresql_soci_error*>(&error)) {
    return {precise->sqlstate(), one_line(precise->what())};
  }
  return {"", one_line(error.what())};
}

}  // namespace

Session::Session(const Conninfo& where) {
  const std::string text = where.text();
  try {
    soci_ = std::make_unique<soci::session>(*soci::factory_postgresql(), text);
  } catch (const soci::soci_error& error) {
    const std::string what = "no connection as " + where.describe() + ": " + one_line(error.what());
    const std::string state = refusal_of(text);
    if (state.empty()) throw Failure::lost(what);
    throw Failure(state, what);
  }
  native_ = static_cast<soci::postgresql_session_backend*>(soci_->get_backend())->conn_;
  PQsetNoticeProcessor(native_, ignore_notice, nullptr);
}

Session::~Session() = default;

void Session::run(const std::string& sql) {
  try {
    *soci_ << sql;
  } catch (const soci::soci_error& error) {
    throw failure_of(error, native_);
  }
}

long long Session::number(const std::string& sql) {
  try {
    long long value = 0;
    *soci_ << sql, soci::into(value);
    return value;
  } catch (const soci::soci_error& error) {
    throw failure_of(error, native_);
  }
}

}  // namespace host::postgres

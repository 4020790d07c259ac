// What the server says about SQL of plugins, in words for who wrote it.
#include <algorithm>
#include <array>
#include <string_view>

#include "host/adapters/postgres/plugin_sql.h"
#include "host/adapters/sql/answers.h"

namespace host::postgres {
namespace {

/// The byte at which character `position` (from 1 on) begins.
std::size_t byte_of(std::string_view text, int position) {
  std::size_t at = 0;
  for (int i = 1; i < position && at < text.size(); ++i) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  }
  return at;
}

/// The server knows parameters as "$2"; who wrote them, as ":name".
std::string with_names(std::string_view message, const sql::Numbered& statement) {
  std::string out;
  for (std::size_t at = 0; at < message.size();) {
    std::size_t digits = 0, number = 0;
    while (message[at] == '$' && at + 1 + digits < message.size() && digits < 6 &&
           message[at + 1 + digits] >= '0' && message[at + 1 + digits] <= '9') {
      number = number * 10 + static_cast<std::size_t>(message[at + 1 + digits++] - '0');
    }
    if (number > 0 && number <= statement.parameters.size()) {
      out += ":" + statement.parameters[number - 1].name;
      at += 1 + digits;
    } else {
      out += message[at++];
    }
  }
  return out;
}

/// Whose fault it is, where is_environment() says the server's.
bool is_authors(const Failure& failure) {
  static constexpr std::array kStates{
      kTimeIsOver,
      kReadOnly,  // it writes, in a transaction that only reads
  };
  return !failure.lost() && std::any_of(kStates.begin(), kStates.end(),
                                        [&](const char* state) { return failure.is(state); });
}

}  // namespace

Error explain_to_author(const Failure& failure, const std::string& text, Duration limit) {
  if (is_environment(failure) && !is_authors(failure)) throw failure;
  if (failure.is("26000")) {
    throw Failure("08P01", "the connection lost its prepared statements",
                  "a pooler in front of PostgreSQL must keep sessions, not transactions");
  }
  if (failure.is(kTimeIsOver)) return sql::took_longer_than(limit);
  if (failure.is(kReadOnly)) return sql::a_query_only_reads();
  std::string message = failure.what();
  if (const Result<sql::Tokens> tokens = sql::cut(text)) {
    const sql::Numbered numbered =
        sql::number_parameters(text, *tokens, sql::Numbering::each_place);
    message = with_names(message, numbered);
    if (failure.position() > 0) {
      const std::size_t at = numbered.original(byte_of(numbered.text, failure.position()));
      message += " (" + sql::place(text, at) + ")";
    }
  }
  const bool limit_reached = failure.state().substr(0, 2) == "54";
  std::string hint = failure.hint();
  if (hint.empty() && failure.is("42501")) hint = "a plugin reaches its own tables alone";
  return make_error(limit_reached ? Error::Code::exhausted : Error::Code::invalid,
                    std::move(message), std::move(hint));
}

}  // namespace host::postgres

// Every statement that the project's own plugins, documents and suites write, on both databases:
// the same rows, byte for byte the same JSON.

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/integration/postgres/both.h"

namespace host::postgres_tests {
namespace {

struct Example {
  bool writes = false;
  SqlStatement statement;
};
struct Plugin {
  std::string name;
  std::vector<std::string> tables;
  std::vector<Example> examples;  // in this order
};

Example does(std::string text, SqlParameters parameters = {}) {
  return {true, {std::move(text), std::move(parameters)}};
}
Example asks(std::string text, SqlParameters parameters = {}) {
  return {false, {std::move(text), std::move(parameters)}};
}

std::int64_t whole(std::int64_t value) { return value; }

Plugin master() {
  const char* move =
      "insert into master_moves (universe, clock, name, place, at)"
      " values (:universe, :clock, :name, :place, :at)";
  const char* scene =
      "insert into master_scenes (universe, clock, place, summary, who, destination, at)"
      " values (:universe, :clock, :place, :summary, :who, :destination, :at)";
  const char* chronicle =
      "select clock, place, summary, who, destination, at from master_scenes"
      " where universe = :id and (clock < :clock or (clock = :clock and place > :place))"
      " order by clock desc, place limit :limit";
  const char* journey =
      "select clock, place, at from master_moves where universe = :id and name = :name"
      " and clock > :after order by clock limit :limit";
  const SqlParameters slice{{"universe", "u1"}, {"skip", whole(1)}};
  const SqlParameters upto{{"universe", "u1"}, {"last", whole(2)}};
  Plugin plugin{"master",
                {"create table master_scenes (universe text, clock bigint, place text, summary"
                 " text, who text, destination text, at text,"
                 " primary key (universe, clock, place))",
                 "create table master_moves (universe text, clock bigint, name text, place text,"
                 " at text, primary key (universe, clock, name))",
                 "create index master_moves_by_name on master_moves (universe, name, clock)"},
                {}};
  for (std::int64_t clock = 1; clock <= 3; ++clock) {
    const std::string at = "2026-11-21T22:10:0" + std::to_string(clock) + ".000000Z";
    for (const char* name : {"Harry", "Ginny", "Émile"}) {
      plugin.examples.push_back(does(move, {{"universe", "u1"},
                                            {"clock", clock},
                                            {"name", name},
                                            {"place", "Quidditch"},
                                            {"at", at}}));
    }
    plugin.examples.push_back(does(scene, {{"universe", "u1"},
                                           {"clock", clock},
                                           {"place", clock == 2 ? "azkaban" : "Hogwarts"},
                                           {"summary", "It's \"quiet\"."},
                                           {"who", "Harry, Ginny"},
                                           {"destination", SqlValue{}},
                                           {"at", at}}));
  }
  for (const double clock : {4503599627370496.0, 3.0}) {
    plugin.examples.push_back(
        asks(chronicle, {{"id", "u1"}, {"clock", clock}, {"place", ""}, {"limit", whole(20)}}));
  }
  plugin.examples.push_back(asks(
      chronicle, {{"id", "u1"}, {"clock", whole(3)}, {"place", "Hogsmeade"}, {"limit", whole(1)}}));
  plugin.examples.push_back(
      asks(journey, {{"id", "u1"}, {"name", "Émile"}, {"after", whole(1)}, {"limit", whole(20)}}));
  plugin.examples.push_back(
      asks("select clock from master_scenes where universe = :universe order by clock limit 1"
           " offset :skip",
           slice));
  plugin.examples.push_back(
      asks("select clock from master_moves where universe = :universe order by clock limit 1"
           " offset :skip",
           slice));
  plugin.examples.push_back(
      does("delete from master_moves where universe = :universe and clock <= :last", upto));
  plugin.examples.push_back(
      does("delete from master_scenes where universe = :universe and clock <= :last", upto));
  plugin.examples.push_back(
      does("delete from master_scenes where universe = :universe", {{"universe", "u1"}}));
  plugin.examples.push_back(asks("select * from master_moves order by universe, clock, name"));
  plugin.examples.push_back(asks("select count(*) as n from master_scenes"));
  return plugin;
}

Plugin ledger() {
  const char* book =
      "insert into ledger_totals (account, balance) values (:account, :amount)"
      " on conflict (account) do update set balance = ledger_totals.balance + :amount";
  const char* one = "select balance from ledger_totals where account = :account";
  return {"ledger",
          {"create table ledger_totals (account text primary key, balance bigint)"},
          {does(book, {{"account", "a"}, {"amount", whole(5)}}),
           does(book, {{"account", "a"}, {"amount", whole(-7)}}),
           does(book, {{"account", "B"}, {"amount", whole(9'007'199'254'740'993)}}),
           asks(one, {{"account", "a"}}), asks(one, {{"account", "nobody"}}),
           asks("select account, balance from ledger_totals where account > :after order by account"
                " limit 500",
                {{"after", ""}}),
           asks("select sum(balance) as total from ledger_totals")}};
}

Plugin bad() {
  return {"bad",
          {"create table bad_rows (n bigint not null)"},
          {asks("select n from bad_rows order by n")}};
}

Plugin owls() {
  const char* insert = "insert into owls_letters (id, text, weight) values (:id, :text, :weight)";
  const auto letter = [&](std::int64_t id, SqlValue text, SqlValue weight) {
    return does(insert, {{"id", id}, {"text", std::move(text)}, {"weight", std::move(weight)}});
  };
  return {"owls",
          {"create table owls_letters (id bigint primary key, text text, weight double precision)",
           "create table owls_more (id bigint primary key)"},
          {letter(1, "dear\xC3\xA9", 1.5), letter(5'000'000'000, {}, {}), letter(3, whole(7), 2.0),
           asks("select id, text, weight from owls_letters where id <> :not order by id",
                {{"not", whole(3)}}),
           asks("select id from owls_letters order by id"),
           asks("select * from owls_letters order by id"),
           does("insert into owls_letters (id, text) values (100, 'a')"),
           does("insert into owls_more (id) values (1)"),
           does("delete from owls_letters where id = :id", {{"id", whole(1)}}),
           asks("select id, text, weight from owls_letters order by id desc")}};
}

/// What the suites of whole hosts write.
Plugin worker() {
  return {"worker",
          {"create table worker_jobs (id text)"},
          {does("insert into worker_jobs (id) values (:id)", {{"id", "x"}}),
           does("insert into worker_jobs (id) values (:id)", {{"id", "B"}}),
           asks("select id from worker_jobs order by id"),
           asks("with recursive c(n) as (select 1 union all select n + 1 from c where n < :most)"
                " select n, n * 2 as twice from c",
                {{"most", whole(50)}})}};
}

TEST_CASE("the same statements answer the same JSON on both databases") {
  for (const Plugin& plugin : {master(), ledger(), bad(), owls(), worker()}) {
    DYNAMIC_SECTION(plugin.name) {
      Both both(plugin.name, plugin.tables);
      for (const Example& example : plugin.examples) {
        if (example.writes) {
          both.write(example.statement);
        } else {
          CHECK(both.query(example.statement).front() == '[');
        }
      }
    }
  }
}

std::string one_line(const std::string& text) {
  std::istringstream words(text);
  std::string out, word;
  while (words >> word) out += (out.empty() ? "" : " ") + word;
  return out;
}

struct Written {
  std::string place, text;
  bool goes_on = false;  // ".. and more"
};

/// The texts behind ctx:query(, ctx:exec( and ctx:rows( of a file.
std::vector<Written> written_in(const std::filesystem::path& file) {
  std::ifstream in(file);
  const std::string all{std::istreambuf_iterator<char>(in), {}};
  std::vector<Written> found;
  for (const char* call : {"ctx:query(", "ctx:exec(", "ctx:rows("}) {
    for (std::size_t at = all.find(call); at != std::string::npos; at = all.find(call, at + 1)) {
      std::size_t begin = at + std::string(call).size();
      const std::string close = all.compare(begin, 2, "[[") == 0 ? "]]" : "\"";
      if (all.compare(begin, close.size(), close == "]]" ? "[[" : "\"") != 0) continue;
      begin += close.size();
      const std::size_t end = all.find(close, begin);
      if (end == std::string::npos) continue;
      const std::size_t next = all.find_first_not_of(' ', end + close.size());
      found.push_back({file.filename().string(), one_line(all.substr(begin, end - begin)),
                       next != std::string::npos && all.compare(next, 2, "..") == 0});
    }
  }
  return found;
}

TEST_CASE("no plugin, script or document writes a statement that is not tried on both databases") {
  std::vector<std::string> known;
  for (const Plugin& plugin : {master(), ledger(), bad(), owls(), worker()}) {
    for (const Example& example : plugin.examples)
      known.push_back(one_line(example.statement.text));
  }
  // Their point is that they fail.
  known.insert(known.end(), {"insert into bad_rows (n) values (null)", "select n from nowhere"});
  const std::filesystem::path root(HOST_SOURCE_DIR);
  int files = 0, statements = 0;
  for (const char* folder : {"plugins", "scripts", "examples", "docs", "tests/scripts",
                             "tests/chaos/plugins", "tests/bench/plugins"}) {
    if (!std::filesystem::exists(root / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".lua" && extension != ".md") continue;
      ++files;
      for (const Written& one : written_in(entry.path())) {
        CAPTURE(one.place, one.text);
        ++statements;
        CHECK(std::any_of(known.begin(), known.end(), [&](const std::string& text) {
          return one.goes_on ? text.starts_with(one.text) : text == one.text;
        }));
      }
    }
  }
  CHECK(files > 20);
  CHECK(statements >= 10);
}

}  // namespace
}  // namespace host::postgres_tests

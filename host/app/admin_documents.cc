#include "host/app/admin_documents.h"

#include <nlohmann/json.hpp>
#include <optional>

namespace host::app {
namespace {

using nlohmann::json;

std::string text_of(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

json problem_list(const Problems& problems) {
  json list = json::array();
  for (const Problem& problem : problems) {
    list.push_back({{"file", problem.file},
                    {"line", problem.line},
                    {"column", problem.column},
                    {"message", problem.message},
                    {"hint", problem.hint}});
  }
  return list;
}

/// A payload as JSON; nothing where it is none, or nested deeper than a script may write it: to
/// write it out again takes stack for every level.
std::optional<json> shown_payload(const std::string& text) {
  constexpr int kDeepest = 128;
  bool too_deep = false;
  json payload = json::parse(
      text,
      [&too_deep](int depth, json::parse_event_t, json&) {
        too_deep = too_deep || depth > kDeepest;
        return !too_deep;
      },
      false);
  if (too_deep || payload.is_discarded()) return std::nullopt;
  return payload;
}

json letter_summary(const ports::DeadLetter& letter) {
  json item{{"id", letter.id},
            {"plugin", letter.plugin},
            {"shard", letter.shard},
            {"topic", letter.message.topic},
            {"key", nullptr},
            {"reason", letter.reason},
            {"error",
             {{"message", letter.error.message},
              {"file", letter.error.file},
              {"line", letter.error.line}}},
            {"revision", letter.revision},
            {"attempts", letter.message.attempt},
            {"at", format_time(letter.at)},
            {"state", letter.reason == "stopped" ? "stopped" : "dead"}};
  if (letter.message.key) item["key"] = *letter.message.key;
  return item;
}

}  // namespace

std::string problems_document(const Problems& problems) {
  return text_of({{"problems", problem_list(problems)}});
}

std::string plugins_document(const std::vector<runtime::Reloader::Status>& plugins) {
  json list = json::array();
  for (const runtime::Reloader::Status& plugin : plugins) {
    json item{{"name", plugin.plugin},
              {"file", plugin.file},
              {"revision", plugin.revision},
              {"state", plugin.state}};
    if (!plugin.refused.empty()) item["refused"] = {{"problems", problem_list(plugin.refused)}};
    list.push_back(std::move(item));
  }
  return text_of(list);
}

std::string shards_document(const std::vector<runtime::ShardStatus>& shards, Time now) {
  json list = json::array();
  for (const runtime::ShardStatus& shard : shards) {
    double oldest = 0;
    if (shard.oldest_pending && *shard.oldest_pending < now) {
      oldest = std::chrono::duration<double>(now - *shard.oldest_pending).count();
    }
    list.push_back({{"plugin", shard.shard.plugin},
                    {"shard", shard.shard.number},
                    {"lane", shard.lane},
                    {"epoch", shard.epoch},
                    {"lag", shard.lag},
                    {"pending", shard.pending},
                    {"oldest_pending_s", oldest},
                    {"timers", shard.timers},
                    {"outbox", shard.outbox},
                    {"unfinished", shard.unfinished},
                    {"status", shard.status}});
  }
  return text_of(list);
}

std::string dead_list_document(const ports::DeadList& list) {
  json items = json::array();
  for (const ports::DeadLetter& letter : list.items) items.push_back(letter_summary(letter));
  json document{{"items", std::move(items)}, {"next", nullptr}};
  if (list.next) document["next"] = *list.next;
  return text_of(document);
}

std::string dead_document(const ports::DeadLetter& letter) {
  json document = letter_summary(letter);
  document["error"]["hint"] = letter.error.hint;
  document["time"] = format_time(letter.message.time);
  document["headers"] = json::object();
  for (const auto& [name, value] : letter.message.headers) document["headers"][name] = value;
  // As JSON where it is some, so that people can read it; the text is always there.
  document["payload_text"] = letter.message.payload;
  if (auto payload = shown_payload(letter.message.payload)) document["payload"] = *payload;
  return text_of(document);
}

std::string ready_document(const std::vector<Away>& away) {
  json list = json::array();
  for (const Away& each : away) list.push_back({{"name", each.name}, {"why", each.why}});
  return text_of({{"ready", away.empty()}, {"away", std::move(list)}});
}

}  // namespace host::app

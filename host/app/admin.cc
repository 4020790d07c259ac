#include "host/app/admin.h"

#include <charconv>
#include <iterator>

#include "host/app/admin_documents.h"

namespace host::app {
namespace {

constexpr std::size_t kMaxBody = 1'000'000;
constexpr std::size_t kPage = 100;
constexpr std::size_t kLargestPage = 1000;

std::string query_of(const HttpRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.query) {
    if (key == name) return value;
  }
  return "";
}

HttpResponse wrong_method(const char* allowed) {
  return problem(405, std::string("this path has ") + allowed, {}, {{"allow", allowed}});
}

HttpResponse answer_of(const Error& error) {
  if (error.code == Error::Code::not_found) return problem(404, error.message);
  return problem(503, error.to_string(), {}, {{"retry-after", "1"}});
}

HttpResponse answer_of(const runtime::Reloader::Answer& answer, const std::string& plugin) {
  using Kind = runtime::Reloader::Answer::Kind;
  switch (answer.kind) {
    case Kind::unknown:
      return problem(404, "no plugin " + plugin + " runs here");
    case Kind::refused:
      return json_response(422, problems_document(answer.problems));
    case Kind::away:
      return json_response(503, problems_document(answer.problems), {{"retry-after", "1"}});
    case Kind::live:
    case Kind::unchanged:
      break;
  }
  return json_response(
      200, "{\"name\":" + json_quote(plugin) + ",\"revision\":" + json_quote(answer.revision) +
               ",\"changed\":" + (answer.kind == Kind::live ? "true" : "false") + "}");
}

}  // namespace

std::size_t Admin::max_body(const HttpRequest&) { return kMaxBody; }

void Admin::handle(HttpRequest request, Responder responder) {
  if (auto response = parts_.guard.refuse(request, parts_.clock.now())) {
    return responder->respond(std::move(*response));
  }
  if (auto page = parts_.docs.answer(request, false)) return responder->respond(std::move(*page));
  const std::string& path = request.path;
  const bool get = request.method == "GET" || request.method == "HEAD";
  if (path.rfind("/admin/dead", 0) == 0) return dead(request, std::move(responder));
  if (path.rfind("/admin/plugins", 0) == 0) return plugins(request, std::move(responder));
  const bool known =
      path == "/metrics" || path == "/admin/shards" || path == "/healthz" || path == "/readyz";
  if (known && !get) return responder->respond(wrong_method("GET"));
  if (path == "/metrics") {
    on_control(std::move(responder), [this] {
      return HttpResponse{.status = 200,
                          .headers = {{"content-type", "text/plain; version=0.0.4; charset=utf-8"}},
                          .body = parts_.metrics()};
    });
  } else if (path == "/admin/shards") {
    on_control(std::move(responder), [this] {
      return json_response(200, shards_document(parts_.runtime.shards(), parts_.clock.now()));
    });
  } else if (path == "/healthz") {
    responder->respond(json_response(200, "{\"status\":\"alive\"}"));
  } else if (path == "/readyz") {
    responder->respond(parts_.ready());
  } else {
    responder->respond(
        problem(404, "there are /metrics, /admin/plugins, /admin/shards, /admin/dead, /docs"));
  }
}

// The answer goes back to the lane of the listener: responders are its own.
void Admin::on_control(Responder responder, UniqueFunction<HttpResponse()> work) {
  parts_.control.post([this, responder = std::move(responder), work = std::move(work)]() mutable {
    parts_.lane.post([responder = std::move(responder), response = work()]() mutable {
      responder->respond(std::move(response));
    });
  });
}

void Admin::plugins(const HttpRequest& request, Responder responder) {
  if (request.path == "/admin/plugins") {
    if (request.method != "GET") return responder->respond(wrong_method("GET"));
    on_control(std::move(responder),
               [this] { return json_response(200, plugins_document(parts_.reloader.status())); });
    return;
  }
  const std::string rest = request.path.substr(std::string("/admin/plugins").size());
  const std::size_t slash = rest.rfind('/');
  const std::string action = slash == std::string::npos ? "" : rest.substr(slash + 1);
  if (rest.front() != '/' || slash == 0 || (action != "reload" && action != "rollback")) {
    return responder->respond(
        problem(404, "there are POST /admin/plugins/NAME/reload and .../rollback"));
  }
  if (request.method != "POST") return responder->respond(wrong_method("POST"));
  const std::string name = rest.substr(1, slash - 1);
  on_control(std::move(responder), [this, name, action] {
    return answer_of(
        action == "reload" ? parts_.reloader.reload(name) : parts_.reloader.rollback(name), name);
  });
}

void Admin::dead(const HttpRequest& request, Responder responder) {
  std::string rest = request.path.substr(std::string("/admin/dead").size());
  if (rest.empty()) {
    if (request.method != "GET") return responder->respond(wrong_method("GET"));
    return list_dead(request, std::move(responder));
  }
  if (rest.front() != '/' || rest.size() == 1) {
    return responder->respond(problem(404, "there are /admin/dead and /admin/dead/ID"));
  }
  rest.erase(0, 1);
  // Ids hold slashes, so an id is all of the rest.
  constexpr std::string_view kRedrive = "/redrive";
  if (rest.ends_with(kRedrive)) {
    rest.erase(rest.size() - kRedrive.size());
    if (request.method != "POST") return responder->respond(wrong_method("POST"));
    return redrive(request, rest, std::move(responder));
  }
  if (request.method != "GET") return responder->respond(wrong_method("GET"));
  show_dead(request, rest, std::move(responder));
}

void Admin::list_dead(const HttpRequest& request, Responder responder) {
  std::size_t limit = kPage;
  if (const std::string text = query_of(request, "limit"); !text.empty()) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc() || end != text.data() + text.size() || limit < 1 ||
        limit > kLargestPage) {
      return responder->respond(problem(422, "limit must be a whole number from 1 to 1000"));
    }
  }
  const std::string plugin = query_of(request, "plugin");
  const std::string after = query_of(request, "after");
  with_stopped([this, plugin, after, limit,
                responder = std::move(responder)](std::vector<ports::DeadLetter> stopped) mutable {
    // Stopped messages block their keys, so they come first.
    if (!after.empty()) stopped.clear();
    std::erase_if(stopped, [&](const auto& m) { return !plugin.empty() && m.plugin != plugin; });
    auto listed = [stopped = std::move(stopped),
                   responder = std::move(responder)](Result<ports::DeadList> list) mutable {
      if (!list) return responder->respond(answer_of(list.error()));
      list->items.insert(list->items.begin(), std::make_move_iterator(stopped.begin()),
                         std::make_move_iterator(stopped.end()));
      responder->respond(json_response(200, dead_list_document(*list)));
    };
    parts_.store.list_dead(plugin, after, limit, parts_.lane, std::move(listed));
  });
}

// Asks the control thread, and goes on here on the lane.
void Admin::with_stopped(UniqueFunction<void(std::vector<ports::DeadLetter>)> then) {
  parts_.control.post([this, then = std::move(then)]() mutable {
    parts_.lane.post([stopped = parts_.runtime.stopped_messages(),
                      then = std::move(then)]() mutable { then(std::move(stopped)); });
  });
}

void Admin::show_dead(const HttpRequest& request, const std::string& id, Responder responder) {
  const std::string plugin = query_of(request, "plugin");
  with_stopped([this, id, plugin,
                responder = std::move(responder)](std::vector<ports::DeadLetter> stopped) mutable {
    for (const ports::DeadLetter& message : stopped) {
      if (message.id != id || (!plugin.empty() && message.plugin != plugin)) continue;
      responder->respond(json_response(200, dead_document(message)));
      return;
    }
    if (!plugin.empty()) return find_dead({plugin}, std::nullopt, id, std::move(responder));
    parts_.control.post([this, id, responder = std::move(responder)]() mutable {
      std::vector<std::string> names;
      for (const auto& status : parts_.reloader.status()) names.push_back(status.plugin);
      parts_.lane.post([this, id, names, responder = std::move(responder)]() mutable {
        find_dead(std::move(names), std::nullopt, id, std::move(responder));
      });
    });
  });
}

void Admin::find_dead(std::vector<std::string> plugins, std::optional<ports::DeadLetter> found,
                      const std::string& id, Responder responder) {
  if (plugins.empty()) {
    responder->respond(found ? json_response(200, dead_document(*found))
                             : problem(404, "there is no dead letter " + id));
    return;
  }
  const std::string plugin = plugins.back();
  plugins.pop_back();
  auto looked = [this, id, plugins = std::move(plugins), found = std::move(found),
                 responder = std::move(responder)](Result<ports::DeadLetter> letter) mutable {
    if (letter && found) {
      responder->respond(problem(409, "the plugins " + found->plugin + " and " + letter->plugin +
                                          " have a dead letter of this id: say ?plugin=NAME"));
      return;
    }
    if (!letter && letter.error().code != Error::Code::not_found) {
      responder->respond(answer_of(letter.error()));
      return;
    }
    if (letter) found = std::move(*letter);
    find_dead(std::move(plugins), std::move(found), id, std::move(responder));
  };
  parts_.store.show_dead(plugin, id, parts_.lane, std::move(looked));
}

void Admin::redrive(const HttpRequest& request, const std::string& id, Responder responder) {
  const std::string plugin = query_of(request, "plugin");
  on_control(std::move(responder), [this, id, plugin] {
    std::vector<std::string> names;
    for (const auto& status : parts_.reloader.status()) {
      if (plugin.empty() || status.plugin == plugin) names.push_back(status.plugin);
    }
    for (const std::string& name : names) {
      if (parts_.runtime.release(name, id)) {
        return json_response(200, "{\"id\":" + json_quote(id) + ",\"released\":true}");
      }
    }
    return problem(501,
                   "no stopped message has this id, and to redrive dead letters is not in this "
                   "version");
  });
}

}  // namespace host::app

#include <algorithm>

#include "host/script/lint_tokens.h"
#include "host/script/manifest_reader.h"
#include "host/script/schema_check.h"

namespace host::script {
namespace {

/// ctx:NAME(: the tokens from its first argument on.
struct CallSite {
  std::string method;
  std::size_t arguments;  // index of the first token of the first argument
};

std::vector<CallSite> calls_of(const std::vector<Token>& tokens) {
  std::vector<CallSite> out;
  for (std::size_t i = 0; i + 4 < tokens.size(); ++i) {
    if (!tokens[i].is_name("ctx") || !tokens[i + 1].is(":") ||
        tokens[i + 2].kind != Token::Kind::name || !tokens[i + 3].is("(")) {
      continue;
    }
    out.push_back({tokens[i + 2].text, i + 4});
  }
  return out;
}

/// The argument of that place when it is one text literal and nothing else.
const Token* literal_argument(const std::vector<Token>& tokens, std::size_t at, int place) {
  int depth = 0;
  for (; at < tokens.size() && place > 1; ++at) {
    const Token& token = tokens[at];
    if (token.is("(") || token.is("{") || token.is("[")) ++depth;
    if (token.is(")") || token.is("}") || token.is("]")) --depth;
    if (depth < 0) return nullptr;
    if (depth == 0 && token.is(",")) --place;
  }
  if (at + 1 >= tokens.size() || tokens[at].kind != Token::Kind::text) return nullptr;
  const Token& next = tokens[at + 1];
  return next.is(",") || next.is(")") ? &tokens[at] : nullptr;
}

}  // namespace

/// What a call names by a literal must be declared; raised at run time else. Only the plugin's own
/// file is read: a shared module may serve plugins that declare more.
void ManifestReader::calls() {
  const auto files = sources_.files();
  const std::vector<Token> tokens = tokenize(files.front().second);
  std::vector<std::string_view> topics, timers, policies, metrics;
  for (const auto& emit : out_.emits) topics.push_back(emit.topic);
  for (const auto& timer : out_.manifest.timers) timers.push_back(timer.name);
  for (const auto& policy : out_.policies) policies.push_back(policy.name);
  for (const auto& metric : out_.manifest.metrics) metrics.push_back(metric.name);
  const auto complain = [&](const Token& name, const char* where,
                            const std::vector<std::string_view>& known) {
    const std::string near = nearest(name.text, known);
    problems_.push_back({.file = files.front().first,
                         .line = name.line,
                         .message = "\"" + name.text + "\" is not in " + where,
                         .hint = near.empty() ? "" : "did you mean \"" + near + "\"?"});
  };
  const auto has = [](const std::vector<std::string_view>& known, const std::string& name) {
    return std::find(known.begin(), known.end(), name) != known.end();
  };
  for (const CallSite& call : calls_of(tokens)) {
    const bool timer = call.method == "after" || call.method == "at";
    const Token* name = literal_argument(tokens, call.arguments, timer ? 2 : 1);
    if (!name) continue;
    if ((call.method == "emit" || call.method == "ask") && !out_.find_emit(name->text)) {
      complain(*name, "emits", topics);
    } else if (timer && !has(timers, name->text)) {
      complain(*name, "timers", timers);
    } else if (call.method == "decide" && !has(policies, name->text)) {
      complain(*name, "policies", policies);
    } else if ((call.method == "count" || call.method == "gauge" || call.method == "observe") &&
               !has(metrics, name->text)) {
      complain(*name, "metrics", metrics);
    }
  }
}

}  // namespace host::script

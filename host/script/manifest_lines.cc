#include "host/script/manifest_lines.h"

#include <algorithm>
#include <cctype>

#include "host/script/lint_tokens.h"

namespace host::script {

/// One table constructor; `assigned` ones hold `x.name = ` and `x["name"] = ` of a whole file.
struct SourceLines::Node {
  struct Entry {
    std::string key;
    int line;
    std::vector<std::unique_ptr<Node>> tables;  // in its value
  };
  int line = 0;
  bool returned = false;
  std::vector<Entry> entries;
};

struct SourceLines::File {
  std::vector<std::unique_ptr<Node>> nodes;  // every outermost constructor, and those in functions
};

namespace {

using Node = SourceLines::Node;
using Nodes = std::vector<std::unique_ptr<Node>>;

/// Reads constructors from tokens. Blocks are counted, so that an assignment in a function is not
/// taken for a field.
class Parser {
 public:
  Parser(const std::vector<Token>& tokens, Nodes& loose) : tokens_(tokens), loose_(loose) {}

  void run() {
    auto assigned = std::make_unique<Node>();
    while (at_ < tokens_.size()) {
      const std::size_t before = at_;
      if (Node::Entry entry; assignment(entry)) {
        value(entry.tables);
        assigned->entries.push_back(std::move(entry));
      } else if (peek().is("{")) {
        const bool returned = at_ > 0 && tokens_[at_ - 1].is_name("return");
        loose_.push_back(table());
        loose_.back()->returned = returned;
      }
      if (at_ == before) ++at_;
    }
    loose_.push_back(std::move(assigned));
  }

 private:
  const Token& peek(std::size_t ahead = 0) const {
    static const Token kEnd{Token::Kind::symbol, "", 0};
    return at_ + ahead < tokens_.size() ? tokens_[at_ + ahead] : kEnd;
  }

  /// `x.name =`, `x["name"] =`, `name =`, `function x.name`: stands behind it afterwards.
  bool assignment(Node::Entry& entry) {
    if (peek().is("[") && peek(1).kind == Token::Kind::text && peek(2).is("]") && peek(3).is("=")) {
      entry = {peek(1).text, peek(1).line, {}};
      at_ += 4;
      return true;
    }
    if (peek().kind == Token::Kind::name && peek(1).is("=")) {
      entry = {peek().text, peek().line, {}};
      at_ += 2;
      return true;
    }
    if (peek().is_name("function") && peek(2).is(".") && peek(4).is("(")) {
      entry = {peek(3).text, peek(3).line, {}};
      at_ += 4;
      return true;
    }
    return false;
  }

  std::unique_ptr<Node> table() {
    auto node = std::make_unique<Node>();
    node->line = peek().line;
    ++at_;
    int items = 0;
    while (at_ < tokens_.size() && !peek().is("}")) {
      const std::size_t before = at_;
      Node::Entry entry;
      if (!assignment(entry)) entry = {"#" + std::to_string(++items), peek().line, {}};
      item(entry.tables);
      node->entries.push_back(std::move(entry));
      if (peek().is(",") || peek().is(";")) ++at_;
      if (at_ == before) ++at_;
    }
    ++at_;
    return node;
  }

  /// The value of an entry, up to its comma or the end of the table.
  void item(Nodes& tables) {
    int blocks = 0, parens = 0;
    while (at_ < tokens_.size()) {
      const Token& token = peek();
      if (blocks == 0 && parens == 0 && (token.is(",") || token.is(";") || token.is("}"))) return;
      if (token.is("{")) {
        (blocks == 0 ? tables : loose_).push_back(table());
        continue;
      }
      count(token, blocks, parens);
      ++at_;
    }
  }

  /// The value of an assignment: only a constructor, or a call with one, right behind it.
  void value(Nodes& tables) {
    for (int ahead = 0; ahead < 6 && !peek().is("{"); ++ahead) {
      const bool call = peek().kind == Token::Kind::name || peek().is(".") || peek().is("(");
      if (!call || peek().is_name("function")) return;
      if (peek().kind == Token::Kind::name && peek(1).is("=")) return;
      ++at_;
    }
    if (peek().is("{")) tables.push_back(table());
  }

  static void count(const Token& token, int& blocks, int& parens) {
    if (token.kind == Token::Kind::name) {
      for (const std::string_view opens : {"function", "if", "do", "repeat"}) {
        if (token.text == opens) ++blocks;
      }
      if (token.text == "end" || token.text == "until") --blocks;
    } else if (token.is("(") || token.is("[")) {
      ++parens;
    } else if (token.is(")") || token.is("]")) {
      --parens;
    }
  }

  const std::vector<Token>& tokens_;
  Nodes& loose_;
  std::size_t at_ = 0;
};

struct Match {
  std::size_t depth = 0;  // keys of the path that were found
  int line = 0;
};

Match walk(const Node& node, const SourceLines::Path& path, std::size_t from) {
  Match best{0, node.line};
  if (from == path.size()) return best;
  for (const Node::Entry& entry : node.entries) {
    if (entry.key != path[from]) continue;
    Match match{1, entry.line};
    for (const auto& table : entry.tables) {
      const Match deeper = walk(*table, path, from + 1);
      if (deeper.depth + 1 > match.depth) match = {deeper.depth + 1, deeper.line};
    }
    if (match.depth > best.depth) best = match;
  }
  return best;
}

bool all_nodes(const Node& node, const auto& visit) {
  if (visit(node)) return true;
  for (const Node::Entry& entry : node.entries) {
    for (const auto& table : entry.tables) {
      if (all_nodes(*table, visit)) return true;
    }
  }
  return false;
}

bool telling(const std::string& key) {
  return !std::all_of(key.begin(), key.end(),
                      [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

}  // namespace

SourceLines::SourceLines(const std::vector<std::pair<std::string, std::string>>& files)
    : files_(files) {}
SourceLines::~SourceLines() = default;

const SourceLines::File& SourceLines::parsed(std::size_t index) const {
  std::unique_ptr<File>& file = parsed_[index];
  if (!file) {
    file = std::make_unique<File>();
    Parser(tokenize(files_[index].second), file->nodes).run();
  }
  return *file;
}

SourceLines::Place SourceLines::find(const Path& path) const {
  Place best{files_.empty() ? "" : files_.front().first, 0};
  std::size_t best_depth = 0;
  // Whole paths in returned tables, then in any outermost one; the deepest match wins.
  for (const bool returned : {true, false}) {
    for (std::size_t i = 0; i < files_.size(); ++i) {
      for (const auto& node : parsed(i).nodes) {
        if (node->returned != returned) continue;
        const Match match = walk(*node, path, 0);
        const bool first = best.line == 0 && i == 0 && returned;
        if (match.depth <= best_depth && !first) continue;
        best_depth = match.depth;
        best = {files_[i].first, match.line};
      }
    }
    if (best_depth == path.size()) return best;
  }
  // Ends of the path, anywhere: what was put together from locals.
  for (std::size_t from = 1; from < path.size(); ++from) {
    if (path.size() - from < 2 && !telling(path[from])) break;
    Place found;
    for (std::size_t i = 0; i < files_.size() && found.line == 0; ++i) {
      for (const auto& outer : parsed(i).nodes) {
        const bool hit = all_nodes(*outer, [&](const Node& node) {
          const Match match = walk(node, path, from);
          if (match.depth + from <= best_depth || match.depth + from < path.size()) return false;
          found = {files_[i].first, match.line};
          return true;
        });
        if (hit) break;
      }
    }
    if (found.line != 0) return found;
  }
  return best;
}

SourceLines::Place SourceLines::find_in(std::string_view file, const Path& path) const {
  Place best{std::string(file), 0};
  std::size_t best_depth = 0;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (files_[i].first != file) continue;
    for (const auto& node : parsed(i).nodes) {
      const Match match = walk(*node, path, 0);
      if (match.depth > best_depth) {
        best_depth = match.depth;
        best.line = match.line;
      }
    }
  }
  return best;
}

}  // namespace host::script

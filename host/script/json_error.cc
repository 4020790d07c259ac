#include "host/script/json_error.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "host/script/schema_check.h"
#include "host/script/shortened.h"

namespace host::script {
namespace {

using nlohmann::json;

constexpr std::size_t kLongest = 200;  // bytes of a message

/// Keeps the path while nlohmann's parser reads, and stops at what the host cannot represent.
class Finder : public nlohmann::json_sax<json> {
 public:
  Violation found;

  bool null() override { return step(); }
  bool boolean(bool) override { return step(); }
  bool number_integer(number_integer_t) override { return step(); }
  bool number_unsigned(number_unsigned_t) override { return step(); }
  bool number_float(number_float_t value, const string_t& text) override {
    step();
    if (text.find_first_of(".eE") != std::string::npos && std::isfinite(value)) return true;
    return stop("is a number beyond 64 bits, which cannot be kept exactly");
  }
  bool string(string_t&) override { return step(); }
  bool binary(binary_t&) override { return step(); }
  bool start_object(std::size_t) override { return open({{}, 0, false}); }
  bool key(string_t& name) override {
    levels_.back().name = name;
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open({{}, 0, true}); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string& token,
                   const json::exception& error) override {
    if (error.id == 406) return stop("is a number beyond 64 bits, which cannot be kept exactly");
    std::string why = error.what();
    if (const auto cut = why.find("] "); cut != std::string::npos) why.erase(0, cut + 2);
    (void)position;  // `why` names line and column
    (void)token;
    // It repeats the token that was read, which may be all of the text.
    found = {"", "is not JSON: " + shortened(std::move(why), kLongest)};
    return false;
  }

 private:
  struct Level {
    std::string name;
    std::size_t index = 0;
    bool list = false;
  };

  bool step() {
    if (!levels_.empty() && levels_.back().list) ++levels_.back().index;
    return true;
  }
  bool open(Level level) {
    step();
    levels_.push_back(std::move(level));
    return levels_.size() <= kMaxDepth || stop("is nested deeper than 128 levels");
  }
  bool close() {
    levels_.pop_back();
    return true;
  }
  bool stop(const char* message) {
    std::string at;
    for (const Level& level : levels_) {
      if (level.list) {
        at += "[" + std::to_string(level.index) + "]";
      } else {
        at += (at.empty() ? "" : ".") + level.name;
      }
    }
    found = {levels_.size() > kMaxDepth ? "" : at, message};
    return false;
  }

  std::vector<Level> levels_;
};

}  // namespace

Violation explain_bad_json(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return {"", "is empty"};
  Finder finder;
  if (json::sax_parse(text.begin(), text.end(), &finder)) return {"", "is not JSON"};
  return finder.found;
}

}  // namespace host::script

#include <catch2/catch.hpp>

#include "host/app/scripts.h"

namespace host::app {
namespace {

class PaperRevision final : public ports::Revision {
 public:
  explicit PaperRevision(std::string name) { manifest_.name = std::move(name); }
  const Manifest& manifest() const override { return manifest_; }
  const std::vector<std::pair<std::string, std::string>>& files() const override { return files_; }
  Result<std::unique_ptr<ports::Engine>> make_engine() const override {
    return make_error(Error::Code::unsupported, "paper does not run");
  }

 private:
  Manifest manifest_;
  std::vector<std::pair<std::string, std::string>> files_;
};

/// A plugin named "toll" in x.lua that needs a fee.
struct Fixture {
  RunSettings settings;
  script::LoadRequest last;
  bool needs_fee = false;

  Scripts scripts{
      settings, [this](const script::LoadRequest& request) -> runtime::Loaded {
        last = request;
        if (needs_fee && !request.config.contains("fee")) {
          return {.problems = {
                      {.file = "x.lua", .line = 0, .column = 0, .message = "fee", .hint = {}}}};
        }
        return {.revision = std::make_shared<PaperRevision>("toll")};
      }};

  void set(const std::string& plugin, std::vector<std::string> path, const std::string& value) {
    settings.sets.push_back({plugin, std::move(path), value, true});
  }
};

TEST_CASE_METHOD(Fixture, "settings find their plugin by its name, whatever its file is called") {
  set("toll", {"fee"}, "3.00");
  REQUIRE(scripts.load("x.lua").revision);
  CHECK(last.config.at("fee").text == "3.00");
  CHECK(last.config.at("fee").from_command_line);
}

TEST_CASE_METHOD(Fixture, "a plugin that does not load without its settings gets them") {
  needs_fee = true;
  set("other", {"fee"}, "1.00");
  set("toll", {"fee"}, "3.00");
  REQUIRE(scripts.load("x.lua").revision);
  CHECK(last.config.at("fee").text == "3.00");
}

TEST_CASE_METHOD(Fixture, "the last one said wins, above the deployment file") {
  settings.plugins.push_back({.file = "x.lua", .config = {}, .policies = {}, .policy_config = {}});
  settings.plugins[0].config["fee"] = {.text = "1", .is_json = true};
  settings.plugins[0].config["kept"] = {.text = "2", .is_json = true};
  set("toll", {"fee"}, "3");
  set("toll", {"fee"}, "4");
  set("toll", {"policies", "next_place"}, "dice");
  set("toll", {"policies", "next_place", "edge"}, "0.5");
  REQUIRE(scripts.load("x.lua").revision);
  CHECK(last.config.at("fee").text == "4");
  CHECK(last.config.at("kept").text == "2");
  CHECK(last.policies.at("next_place") == "dice");
  CHECK(last.policy_config.at("next_place").at("edge").text == "0.5");
}

TEST_CASE_METHOD(Fixture, "a setting of a plugin that does not run is told, with what was meant") {
  set("tol", {"fee"}, "3");
  REQUIRE(scripts.load("x.lua").revision);
  REQUIRE(scripts.unused().size() == 1);
  CHECK(scripts.unused()[0].find("did you mean \"toll\"?") != std::string::npos);
}

}  // namespace
}  // namespace host::app

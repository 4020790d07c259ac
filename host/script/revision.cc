#include "host/script/revision.h"

#include "host/script/sandbox.h"
#include "host/script/values.h"
#include "host/script/watchdog.h"

namespace host::script {
namespace {

class ScriptRevision final : public ports::Revision {
 public:
  ScriptRevision(LoadRequest request, Bindings bindings, ScriptServices services,
                 EngineOptions options, const PluginTable& table)
      : request_(std::move(request)),
        bindings_(bindings),
        services_(services),
        options_(options),
        manifest_(table.manifest),
        files_(table.files) {
    request_.files = files_;
  }

  const Manifest& manifest() const override { return manifest_; }
  const std::vector<std::pair<std::string, std::string>>& files() const override { return files_; }

  Result<std::unique_ptr<ports::Engine>> make_engine() const override {
    auto state = make_script_state({.memory_cap = options_.memory_cap, .jit = options_.jit});
    if (!state) return state.error();
    auto loaded = [&] {
      const Turn turn(**state, manifest_.name.c_str(), "loading", 2 * kLoadTime);
      return load_plugin((*state)->get(), bindings_.modules, request_);
    }();
    if (auto* problems = std::get_if<Problems>(&loaded)) {
      return make_error(Error::Code::internal,
                        "a checked revision does not load: " +
                            (problems->empty() ? "no reason" : problems->front().to_string()));
    }
    auto engine = std::make_unique<ScriptEngine>(
        std::move(*state), std::move(std::get<PluginTable>(loaded)), services_, options_);
    if (auto opened = engine->open_ctx(bindings_.open_ctx); !opened) return opened.error();
    return std::unique_ptr<ports::Engine>(std::move(engine));
  }

 private:
  LoadRequest request_;
  const Bindings bindings_;
  const ScriptServices services_;
  const EngineOptions options_;
  const Manifest manifest_;
  const std::vector<std::pair<std::string, std::string>> files_;
};

}  // namespace

Result<std::unique_ptr<LuaState>> make_script_state(LuaState::Options options) {
  auto state = LuaState::make(options);
  if (!state) return state;
  auto values = (*state)->protect([](lua_State* L) { open_values(L); });
  if (!values) return values.error();
  if (auto opened = open_sandbox(**state); !opened) return opened.error();
  return state;
}

std::variant<std::shared_ptr<const ports::Revision>, Problems> load_revision(
    LoadRequest request, Bindings bindings, ScriptServices services, EngineOptions options,
    LoadedFiles* read) {
  auto state = make_script_state({.memory_cap = kLoadMemory, .jit = false});
  if (!state) return Problems{{.file = request.file, .message = state.error().message, .hint = {}}};
  (*state)->on_print = [&services, &request](lua_State*, std::string_view line) {
    services.logger.log(ports::LogLevel::info, line, {{"file", request.file}});
  };
  auto loaded = [&] {
    const Turn turn(**state, request.file.c_str(), "loading", kLoadTime);
    return load_plugin((*state)->get(), bindings.modules, request, read);
  }();
  if (auto* problems = std::get_if<Problems>(&loaded)) return std::move(*problems);
  return std::make_shared<const ScriptRevision>(std::move(request), bindings, services, options,
                                                std::get<PluginTable>(loaded));
}

}  // namespace host::script

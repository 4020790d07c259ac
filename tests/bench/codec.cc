// The JSON codec alone: what a handler's message costs at least.
#include <thread>

#include "bindings/modules.h"
#include "host/script/loader.h"
#include "host/script/revision.h"
#include "tests/bench/benches.h"
#include "tests/bench/work.h"

namespace host::bench {
namespace {

constexpr std::size_t kInARow = 256;  // messages under one protected call

/// Decodes and encodes payload and state by their schemas, as the engine does for one message.
class Codec {
 public:
  explicit Codec(const std::string& plugin) {
    auto state = script::make_script_state({});
    if (!state) give_up(state.error().to_string());
    state_ = std::move(*state);
    script::LoadRequest request;
    request.file = plugin;
    auto loaded = script::load_plugin(state_->get(), bindings::modules(), request);
    if (auto* problems = std::get_if<Problems>(&loaded)) give_up(problems->front().to_string());
    table_ = std::move(std::get<script::PluginTable>(loaded));
    for (std::size_t i = 0; i < kDistinct; ++i) {
      payloads_.push_back(payload_of(i));
      states_.push_back(state_of(i));
    }
  }

  void run_in_a_row() {
    const Result<void> done = state_->protect([this](lua_State* L) {
      for (std::size_t i = 0; i < kInARow; ++i, ++at_) {
        through(L, payloads_[at_ % kDistinct], *table_.on[0].schema);
        through(L, states_[at_ % kDistinct], *table_.state);
      }
    });
    if (!done) give_up(done.error().to_string());
  }

 private:
  void through(lua_State* L, const std::string& json, const script::Schema& schema) {
    violations_.clear();
    std::string out;
    if (!script::push_json(L, json, &schema, violations_) ||
        !script::append_json(L, -1, &schema, out, violations_)) {
      give_up("the work does not fit its schema: " + script::to_string(violations_));
    }
    if (out.size() != json.size()) give_up("the codec changes the work: " + out);
    lua_pop(L, 1);
  }

  std::unique_ptr<script::LuaState> state_;
  script::PluginTable table_;
  script::Violations violations_;
  std::vector<std::string> payloads_, states_;
  std::size_t at_ = 0;
};

}  // namespace

int codec(const Options& options) {
  const std::string plugin = options.text("plugin");
  const auto seconds = static_cast<double>(options.number("seconds", 2));
  std::atomic<std::size_t> done{0};
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < options.number("threads", 2); ++i) {
    threads.emplace_back([&] {
      Codec codec(plugin);
      while (!over) {
        codec.run_in_a_row();
        done += kInARow;
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // traces are compiled, caches warm
  const double began = seconds_now(), cpu = process_cpu_seconds();
  const std::size_t before = done;
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const auto messages = static_cast<double>(done - before);
  Figures figures;
  figures.add("messages_per_s", messages / (seconds_now() - began));
  figures.add("cpu_us", (process_cpu_seconds() - cpu) / messages * 1e6);
  over = true;
  for (std::thread& thread : threads) thread.join();
  figures.print();
  return 0;
}

}  // namespace host::bench

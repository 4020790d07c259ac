#include "host/app/load_revision.h"

#include "bindings/ctx.h"
#include "bindings/modules.h"
#include "host/script/revision.h"

namespace host::app {

Scripts::Load revision_loader(std::size_t memory, ports::Logger& logger, ports::Metrics& metrics) {
  return [memory, &logger, &metrics](const script::LoadRequest& request) {
    runtime::Loaded loaded;
    auto result = script::load_revision(
        request, {.modules = bindings::modules(), .open_ctx = bindings::open_ctx},
        {.logger = logger, .metrics = metrics}, {.memory_cap = memory}, &loaded.read);
    if (auto* problems = std::get_if<Problems>(&result)) {
      loaded.problems = std::move(*problems);
    } else {
      loaded.revision = std::get<0>(std::move(result));
    }
    return loaded;
  };
}

Scripts::Load check_loader(std::size_t memory, ports::Logger& logger, ports::Metrics& metrics) {
  return [load = revision_loader(memory, logger, metrics)](script::LoadRequest request) {
    request.without_settings = true;
    return load(request);
  };
}

}  // namespace host::app

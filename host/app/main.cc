#include <unistd.h>

#include <cstdio>
#include <exception>

#include "host/app/commands.h"

namespace {

host::app::Environ environment() {
  host::app::Environ out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos) out[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return out;
}

int run(const std::vector<std::string>& arguments) {
  using namespace host::app;
  const std::variant<Options, Exit> parsed = parse_options(arguments, environment());
  if (const Exit* exit = std::get_if<Exit>(&parsed)) {
    std::fputs(exit->text.c_str(), exit->code == kFine ? stdout : stderr);
    return exit->code;
  }
  const Options& options = std::get<Options>(parsed);
  switch (options.command) {
    case Options::Command::run:
      return run_command(options);
    case Options::Command::check:
      return check_command(options);
    case Options::Command::test:
      return test_command(options);
    case Options::Command::db_init:
      return db_init_command(options);
  }
  return kUsage;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "host: a defect of the host ended it: %s\n", error.what());
    return host::app::kCannotRun;
  }
}

#include <cstdio>
#include <cstring>
#include <iterator>

#include "tests/bench/benches.h"

namespace {

constexpr struct {
  const char* name;
  int (*run)(const host::bench::Options&);
} kBenches[] = {
    {"codec", host::bench::codec},       {"embedded", host::bench::embedded},
    {"engine", host::bench::engine},     {"hop", host::bench::hop},
    {"sqlite", host::bench::raw_sqlite},
};

}  // namespace

int main(int argc, char** argv) {
  for (const auto& bench : kBenches) {
    if (argc > 1 && std::strcmp(argv[1], bench.name) == 0) {
      return bench.run(host::bench::Options(argc - 2, argv + 2));
    }
  }
  std::fputs("usage: host_bench codec|embedded|engine|hop|sqlite --option value...\n", stderr);
  return 2;
}

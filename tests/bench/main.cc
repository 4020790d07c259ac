#include <cstdio>
#include <cstring>
#include <iterator>

#include "tests/bench/benches.h"

namespace {

constexpr struct {
  const char* name;
  int (*run)(const host::bench::Options&);
} kBenches[] = {
    {"codec", host::bench::codec},       {"copy", host::bench::copy},
    {"embedded", host::bench::embedded}, {"engine", host::bench::engine},
    {"fill", host::bench::fill},         {"hop", host::bench::hop},
    {"records", host::bench::records},   {"sqlite", host::bench::raw_sqlite},
    {"topic", host::bench::topic},
};

}  // namespace

int main(int argc, char** argv) {
  for (const auto& bench : kBenches) {
    if (argc > 1 && std::strcmp(argv[1], bench.name) == 0) {
      return bench.run(host::bench::Options(argc - 2, argv + 2));
    }
  }
  std::fputs(
      "usage: host_bench codec|copy|embedded|engine|fill|hop|records|sqlite|topic --option "
      "value...\n",
      stderr);
  return 2;
}

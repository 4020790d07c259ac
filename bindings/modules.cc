#include "bindings/modules.h"

#include "bindings/hash.h"
#include "bindings/host.h"
#include "bindings/list.h"
#include "bindings/money.h"
#include "bindings/spec.h"
#include "bindings/sql.h"
#include "bindings/time.h"

namespace host::bindings {

const script::NativeModules& modules() {
  static const script::NativeModules kModules{
      {"host", open_host},        {"host.hash", open_hash}, {"host.list", open_list},
      {"host.money", open_money}, {"host.spec", open_spec}, {"host.sql", open_sql},
      {"host.time", open_time},
  };
  return kModules;
}

}  // namespace host::bindings

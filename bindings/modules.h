#pragma once

#include "host/script/loader.h"

namespace host::bindings {

/// Every Lua module that the host provides, by name: the one list of them. Thread-safe.
const script::NativeModules& modules();

}  // namespace host::bindings

#pragma once

#include <string>

#include "host/ports/chance.h"

namespace host::runtime {

/// 32 hexadecimal digits that nobody can guess: ids of asks and of correlations.
std::string random_id(ports::Chance& chance);

}  // namespace host::runtime

#pragma once

#include <map>
#include <string>
#include <vector>

#include "host/app/options.h"

namespace host::app {

/// "PLUGIN.FIELD=VALUE" of --set. Error: invalid, with an example.
Result<Assignment> parse_set(const std::string& text);
/// HOST_SET__PLUGIN__FIELD=VALUE. Error: invalid.
Result<Assignment> parse_set_variable(const std::string& name, const std::string& value);
std::vector<std::string> split_words(const std::string& text);
/// Reads the texts of options ("" = not given) into `options`. Error: invalid, naming the option.
Result<void> read_values(const std::map<std::string, std::string>& texts, Options& options);

}  // namespace host::app

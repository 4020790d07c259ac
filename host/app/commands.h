#pragma once

#include "host/app/options.h"
#include "host/app/scripts.h"

namespace host::app {

/// Each command runs to its end and returns the exit code of the process. What it has to say goes
/// to standard output, what is wrong to standard error.
int run_command(const Options& options);
int check_command(const Options& options);
int test_command(const Options& options);
int db_init_command(const Options& options);

}  // namespace host::app

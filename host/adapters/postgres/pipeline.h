#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/adapters/postgres/connection.h"
#include "host/adapters/postgres/steps.h"
#include "host/adapters/postgres/unit_sql.h"

namespace host::postgres {

/// The statements of plugins in a commit; null where there are none.
struct UnitsSql {
  UnitSql& sql;
  const ports::ShardCommit& commit;
};

/// How a transaction ended that was sent in one go.
struct PipelineEnd {
  enum class Kind {
    committed,
    refused,  // a statement failed, the rest was skipped: nothing was written
    unknown,  // the connection was lost where COMMIT may have been carried out
  };
  Kind kind = Kind::unknown;
  Failure failure = Failure::lost("");     // why it is not committed
  Step::Place place = Step::Place::begin;  // of what was refused
  std::size_t unit = 0;                    // with place unit
};

/// BEGIN, the steps, the units' statements and COMMIT in one round trip. COMMIT counts only with
/// the tag COMMIT. Throws Failure while nothing was sent that could be committed.
PipelineEnd run_pipeline(Connection& db, const Schema& schema, const Steps& steps,
                         const UnitsSql* units);

/// The units of a commit whose statements fail, each tried behind a savepoint of its own, in order;
/// after one that used up its time the rest is not tried. Writes nothing. `fence` comes first: what
/// the units find is what the commit found. Throws Failure for the server's own reasons, and when
/// the fence does not hold.
std::vector<std::pair<std::size_t, Error>> find_failing_units(Connection& db, const Schema& schema,
                                                              const Step& fence,
                                                              const UnitsSql& units);

}  // namespace host::postgres

#pragma once

// The contract of ports::Store. How to include it: contract_support.h.

#include "tests/contract/store_claim_cases.h"
#include "tests/contract/store_outcome_cases.h"
#include "tests/contract/store_state_cases.h"
#include "tests/contract/store_work_cases.h"

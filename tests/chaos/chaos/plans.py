"""Which faults there are in a run on servers, and in which order."""

import time

# Names of the methods of Faults, and how often each comes in a long run.
WEIGHTS = {
    "host_killed": 6,
}

# The short form of each scenario. Hogwarts need not show again what the ledger has shown.
SHORT = {
    "ledger": list(WEIGHTS),
    "hogwarts": ["host_killed"],
}


def each_once(kinds):
    def plan(chance):
        return chance.sample(kinds, len(kinds))
    return plan


def for_long(kinds, seconds):
    def plan(chance):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            yield chance.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
    return plan

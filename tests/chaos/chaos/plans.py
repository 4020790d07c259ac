"""Which faults there are in a run on servers, and in which order."""

import time

# Names of the methods of Faults, and how often each comes in a long run.
WEIGHTS = {
    "host_killed": 4,
    "hosts_bounced": 6,
    "host_killed_while_kafka_stalls": 3,
    "host_stopped": 4,
    "rolling_restart": 1,
    "host_frozen": 3,
    "host_frozen_in_commit": 3,
    "shards_fought_for": 4,
    "kafka_killed": 2,
    "kafka_stalled": 1,
    "postgres_killed": 3,
    "postgres_stalled": 1,
    "connections_cut": 5,
    "disk_full": 2,
    "all_killed": 1,
}

# The short form of each scenario. Hogwarts need not show again what the ledger has shown.
SHORT = {
    "ledger": [kind for kind in WEIGHTS if kind not in ("host_killed", "rolling_restart", "all_killed")],
    "hogwarts": ["hosts_bounced", "rolling_restart", "all_killed"],
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

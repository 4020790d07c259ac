"""Messages: the engine on fakes, the embedded host end to end, a hop."""

import shutil

from .measure import median
from .processes import figures
from .rows import Row, spread_of


def program(setup, name, within, **options):
    """Runs one of the C++ benches, which must be done within so many seconds."""
    command = [setup.program, name]
    for option, value in options.items():
        command += [f"--{option}", str(value)]
    return figures(command, within)


def of(rounds, name):
    return [each[name] for each in rounds]


def ratio(ours, theirs, name="messages_per_s"):
    """The median of the ratios of each round: what disturbs a round disturbs both sides."""
    return median(a[name] / b[name] for a, b in zip(ours, theirs))


STATES = 1024  # as many different ones as the codec goes through
MORE_STATES = 20_000


def engine(setup):
    codec, ours = [], {STATES: [], MORE_STATES: []}
    plugin = setup.root / setup.plugin("work")
    for _ in setup.rounds(7):
        codec.append(program(setup, "codec", 60, plugin=plugin, threads=2, seconds=2))
        for keys, runs in ours.items():
            runs.append(program(setup, "engine", 180, plugin=plugin, lanes=2, keys=keys,
                                messages=setup.seconds(400_000, 100_000)))
    for keys, runs in ours.items():
        yield Row("engine on fakes, 2 lanes: 350 bytes of JSON in, 190 of state, 350 out"
                  if keys == STATES else f"the same with {keys:,} states",
                  median(of(runs, "messages_per_s")), "/s",
                  "JSON codec alone, the same bytes both ways, 2 threads",
                  median(of(codec, "messages_per_s")), ratio(runs, codec),
                  0.5 if keys == STATES else None, on="ratio",
                  cpu_us=median(of(runs, "cpu_us")), spread=spread_of(of(runs, "messages_per_s")),
                  note=f"codec {median(of(codec, 'cpu_us')):.1f} µs CPU a message"
                  if keys == STATES else "")


def embedded_with(setup, keys, label, target, rounds, seconds):
    ours, raw = [], []
    data, raw_data = setup.folder("embedded"), setup.folder("raw")
    plugin = setup.root / setup.plugin("work")
    for _ in rounds:
        raw.append(program(setup, "sqlite", 600, dir=raw_data, keys=keys, batch=500, what="work",
                           seconds=seconds))
        ours.append(program(setup, "embedded", 900, plugin=plugin, dir=data, keys=keys, lanes=2,
                            seconds=seconds))
    shutil.rmtree(data)
    shutil.rmtree(raw_data)
    name = f"embedded, {label} keys at random: keyed state and one emit"
    yield Row(name, median(of(ours, "messages_per_s")), "/s",
              "SQLite alone: rows of the same bytes, 500 a transaction",
              median(of(raw, "messages_per_s")), ratio(ours, raw), target,
              cpu_us=median(of(ours, "cpu_us")), spread=spread_of(of(ours, "messages_per_s")),
              note=f"{median(of(ours, 'commit_messages')):.0f} messages a commit of a shard, "
                   f"file {median(of(ours, 'file_mb')):.0f} MB, "
                   f"WAL {median(of(ours, 'wal_mb')):.0f} MB at the end; "
                   f"SQLite alone {median(of(raw, 'cpu_us')):.1f} µs CPU a message")
    for part, title in (("p50", "p50"), ("p99", "p99"), ("p999", "p99.9")):
        yield Row(f"embedded, {label} keys: a commit at full speed, {title}",
                  median(of(ours, f"commit_{part}_ms")), "ms", "transaction of SQLite alone",
                  median(of(raw, f"commit_{part}_ms")),
                  spread=spread_of(of(ours, f"commit_{part}_ms")))


def embedded(setup):
    yield from embedded_with(setup, 100_000, "100 k", 40_000, setup.rounds(),
                             setup.seconds(8, 4))


def millions(setup):
    yield from embedded_with(setup, 5_000_000, "5 M", 15_000, setup.rounds(2),
                             setup.seconds(10, 4))


def hop(setup):
    ours, raw = [], []
    for _ in setup.rounds():
        data, raw_data = setup.folder("hop"), setup.folder("raw")
        raw.append(program(setup, "sqlite", 60, dir=raw_data, batch=1, what="log",
                           seconds=setup.seconds(3, 1)))
        ours.append(program(setup, "hop", 60, plugin=setup.root / setup.plugin("hop"), dir=data,
                            rate=1000, lanes=2, seconds=setup.seconds(10, 4)))
        shutil.rmtree(data)
        shutil.rmtree(raw_data)
    for part, target in (("p50", 2), ("p99", 15)):
        name = f"hop_{part}_ms"
        yield Row(f"a hop at 1 k/s, from emit to handled, {part}", median(of(ours, name)), "ms",
                  "SQLite alone: a transaction of one row",
                  median(of(raw, f"commit_{part}_ms")),
                  median(a[name] / b[f"commit_{part}_ms"] for a, b in zip(ours, raw)),
                  target, at_least=False,
                  cpu_us=median(of(ours, "cpu_us")) if part == "p50" else None,
                  spread=spread_of(of(ours, name)),
                  note=f"{median(of(ours, 'hops_per_s')):.0f} hops/s")

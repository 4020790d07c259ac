"""The host on Kafka and PostgreSQL. Broker, database, host and peers share this machine's cores."""

import os
import time

from .broker import PARTITIONS, Servers, Streams
from .measure import cpu_seconds, median, resident_mb
from .messages import of, ratio
from .rows import CannotSetUp, Row, spread_of

LOOK_EVERY = 0.05  # seconds
SILENCE = 60.0     # seconds in which nothing is handled: something is wrong
KEYS = 100_000
SETTLE = 8.0       # seconds until a deployment is idle


def handled(host, plugin):
    return host.metrics().get(f'host_messages_handled_total{{plugin="{plugin}"}}', 0.0)


def wait_for(host, plugin, count):
    began = time.monotonic()
    while (now := handled(host, plugin)) < count:
        if time.monotonic() - began > SILENCE:
            raise CannotSetUp(f"{now:.0f} of {count} messages after {SILENCE:.0f} s: {host.tail()}")
        time.sleep(LOOK_EVERY)
    return now


def speed(servers, host, plugin, warm_up, messages, seconds):
    """The rate between so many messages that warmed it up and the end of `seconds`, or of what there
    is; and the CPU time a message of host, broker and database."""
    before = wait_for(host, plugin, warm_up)
    began, cpu = time.monotonic(), (cpu_seconds(host.pid), *servers.cpu())
    while time.monotonic() < began + seconds:
        time.sleep(LOOK_EVERY)
        if handled(host, plugin) > 0.95 * messages:
            break
    done = handled(host, plugin) - before
    took = time.monotonic() - began
    used = [after - at for at, after in zip(cpu, (cpu_seconds(host.pid), *servers.cpu()))]
    if not done:
        raise CannotSetUp(f"no message was handled in {took:.0f} s: {host.tail()}")
    cpu_us, broker_us, database_us = (each / done * 1e6 for each in used)
    return {"messages_per_s": done / took, "cpu_us": cpu_us, "broker_us": broker_us,
            "database_us": database_us, "handled": before + done, "memory": resident_mb(host.pid)}


def run_plugin(servers, setup, plugin, prefix, out, warm_up, messages, seconds):
    """One host on a new database, from the start of the filled topic; what it handled must be in the
    topic that it sends to."""
    before = servers.program("records", 60, topic=out)["records"]
    with servers.host(["--plugin", setup.plugin(plugin)], prefix) as host:
        host.wait_until_serving()
        found = speed(servers, host, plugin, warm_up, messages, seconds)
    sent = servers.program("records", 60, topic=out)["records"] - before
    if sent < found["handled"]:
        raise CannotSetUp(f"{found['handled']:.0f} messages were handled and {sent:.0f} sent")
    return found


def shares(rounds):
    """What a message costs whom."""
    return (f"CPU µs a message: host {median(of(rounds, 'cpu_us')):.1f}, broker "
            f"{median(of(rounds, 'broker_us')):.1f}, database "
            f"{median(of(rounds, 'database_us')):.1f}; all of them on {os.cpu_count()} cores; host "
            f"{median(of(rounds, 'memory')):.0f} MB")


def kafka(setup):
    ours, raw = [], []
    messages = setup.seconds(1_500_000, 400_000)
    with Servers(setup) as servers:
        servers.program("fill", 120, topic="a.work.in", messages=messages, keys=KEYS)
        for number in setup.rounds():
            raw.append(servers.program("copy", 120, messages=messages, to=f"copy{number}",
                                       **{"from": "a.work.in"}))
            ours.append(run_plugin(servers, setup, "change", "a.", "a.change.out", messages // 8,
                                   messages, setup.seconds(12, 6)))
    yield Row("Kafka in, JSON, Lua handler, JSON, Kafka out, no state, 2 lanes",
              median(of(ours, "messages_per_s")), "/s", target=80_000,
              cpu_us=median(of(ours, "cpu_us")), spread=spread_of(of(ours, "messages_per_s")),
              note=shares(ours))
    yield Row("the same, beside a copy by the client alone", median(of(ours, "messages_per_s")),
              "/s", "librdkafka alone, idempotent, unchanged",
              median(of(raw, "messages_per_s")), ratio(ours, raw), 0.15, on="ratio",
              spread=spread_of(of(raw, "messages_per_s")),
              note=f"the copy {median(of(raw, 'cpu_us')):.1f} µs CPU a message")


def streams_beside(setup):
    """Kafka Streams, or None and why there is none."""
    try:
        return Streams(setup), ""
    except CannotSetUp as error:
        return None, str(error)


def keyed(setup):
    ours, theirs = [], []
    messages, seconds = setup.seconds(1_500_000, 500_000), setup.seconds(12, 6)
    warm_up = messages // 8
    streams, missing = streams_beside(setup)
    with Servers(setup) as servers:
        servers.program("fill", 120, topic="a.work.in", messages=messages, keys=KEYS)
        for number in setup.rounds():
            if streams:
                theirs.append(streams.run(servers, f"peer{number}", "a.work.in", warm_up, seconds))
            ours.append(run_plugin(servers, setup, "work", "a.", "a.work.out", warm_up, messages,
                                   seconds))
    name = "Kafka, keyed state in PostgreSQL (100 k keys at random), one emit, 2 lanes"
    yield Row(name, median(of(ours, "messages_per_s")), "/s", target=60_000,
              cpu_us=median(of(ours, "cpu_us")), spread=spread_of(of(ours, "messages_per_s")),
              note=shares(ours))
    beside = Row("the same, beside Kafka Streams", median(of(ours, "messages_per_s")), "/s",
                 "Kafka Streams exactly_once_v2, RocksDB, 2 threads" if theirs
                 else f"none: {missing}", target=2.0, on="ratio")
    if theirs:
        beside.peer_value, beside.ratio = median(of(theirs, "messages_per_s")), ratio(ours, theirs)
        beside.spread = spread_of(of(theirs, "messages_per_s"))
        beside.note = (f"CPU µs a message: Kafka Streams {median(of(theirs, 'cpu_us')):.1f}, "
                       f"broker {median(of(theirs, 'broker_us')):.1f}")
    yield beside


def places(setup):
    with Servers(setup) as servers:
        # The first two are for the broker: its machine code is made while it works.
        _, _, *rounds = (servers.program(
            "hop", 120, store=servers.database(), prefix=f"hop{number}.", rate=1000, lanes=2,
            plugin=setup.root / setup.plugin("hop"), seconds=setup.seconds(10, 4))
            for number in range(len(setup.rounds()) + 2))
    for part, target in (("p50", 4), ("p99", 40)):
        name = f"hop_{part}_ms"
        yield Row(f"a hop over Kafka and PostgreSQL at 1 k/s, from emit to handled, {part}",
                  median(of(rounds, name)), "ms", target=target, at_least=False,
                  cpu_us=median(of(rounds, "cpu_us")) if part == "p50" else None,
                  spread=spread_of(of(rounds, name)),
                  note=f"{median(of(rounds, 'hops_per_s')):.0f} hops/s")


def away(setup):
    """While the database stands still, the topic stays full."""
    seconds = setup.seconds(180, 20)
    messages = setup.seconds(3_000_000, 600_000)
    with Servers(setup) as servers:
        servers.program("fill", 240, topic="a.work.in", messages=messages, keys=KEYS)
        with servers.host(["--plugin", setup.plugin("work")], "a.") as host:
            host.wait_until_serving()
            wait_for(host, "work", messages // 8)
            at_work = peak = resident_mb(host.pid)
            servers.postgres.pause()
            done = before = None
            try:
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    time.sleep(1)
                    peak = max(peak, resident_mb(host.pid))
                    before, done = done, handled(host, "work")
            finally:
                servers.postgres.resume()
            if done != before:
                raise CannotSetUp("messages were handled while the database stood still")
            went_on = wait_for(host, "work", done + messages // 8)
    yield Row(f"resident memory after {seconds} s without the database, under full input", peak,
              "MB", target=at_work + 100, at_least=False,
              note=f"{at_work:.0f} MB at full speed before; then {went_on - done:.0f} more messages")


def idle_plugins(setup, count):
    """Arguments for plugins of different names that read and send."""
    text = (setup.here / "plugins" / "work.lua").read_text("utf-8")
    folder = setup.folder("plugins")
    folder.mkdir()
    arguments = []
    for number in range(count):
        path = folder / f"idle{number}.lua"
        path.write_text(text.replace('name = "work"', f'name = "idle{number}"')
                        .replace("work.", f"idle{number}."), "utf-8")
        arguments += ["--plugin", path]
    return arguments


def shards(setup):
    memories, ours, beside = [], [], []
    plugins, partitions, seconds = 10, 64, setup.seconds(15, 5)
    with Servers(setup) as servers:
        for number in setup.rounds():
            with servers.host(idle_plugins(setup, plugins), f"idle{number}.", partitions) as host:
                host.wait_until_serving()
                time.sleep(SETTLE)
                began, cpu = time.monotonic(), (cpu_seconds(host.pid), *servers.cpu())
                time.sleep(seconds)
                took = time.monotonic() - began
                used = [(after - at) / took * 100 for at, after
                        in zip(cpu, (cpu_seconds(host.pid), *servers.cpu()))]
                ours.append(used[0])
                beside.append(used[1:])
                memories.append(resident_mb(host.pid))
    what = f"{plugins} plugins of {partitions} partitions, idle on Kafka and PostgreSQL"
    broker, database = (median(each[at] for each in beside) for at in (0, 1))
    yield Row(f"{what}: CPU", median(ours), "% of a core", target=3, at_least=False,
              spread=spread_of(ours),
              note=f"broker {broker:.1f} %, database {database:.1f} % of a core")
    yield Row(f"{what}: resident memory", median(memories), "MB", target=100, at_least=False,
              spread=spread_of(memories))

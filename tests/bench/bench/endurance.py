"""Long runs, only when they are named: full speed for minutes, and many kills."""

import pathlib
import random
import sqlite3
import time

from .measure import cpu_seconds, median, resident_mb
from .processes import Host, post
from .rows import CannotSetUp, Row

TOKENS = 4_000
LOOK_EVERY = 5.0  # seconds
SAY_EVERY = 30.0
WINDOW = 10  # restarts whose median counts


def circling_host(setup, data, keys=100_000, max_bytes=8_000_000):
    """A host that keeps itself busy; its log is kept small, so that retention has work, too.
    `max_bytes` is what a partition of a topic keeps."""
    deployment = pathlib.Path(data).with_suffix(".lua")
    if not deployment.exists():
        topics = ", ".join(f'["{name}"] = {{ max_bytes = {max_bytes} }}'
                           for name in ("circle.go", "circle.end"))
        deployment.write_text(f'return {{ topics = {{ {topics} }}, '
                              f'plugins = {{ ["{setup.plugin("circle")}"] = '
                              f'{{ config = {{ keys = {keys} }} }} }} }}\n')
    return Host(setup, ["run", deployment], data, 2)


def send_tokens(host, count, ending=False):
    answer = post(host.port, "/tokens", {"count": count, "ending": ending})
    if answer is None or answer[0] != 202:
        raise CannotSetUp(f"the host does not take the tokens: {answer}")


def size_mb(path):
    try:
        return pathlib.Path(path).stat().st_size / 1e6
    except FileNotFoundError:
        return 0.0


def commit_pauses(metrics):
    """{upper bound in seconds: commits up to it} of the commits so far."""
    prefix = "host_commit_seconds_bucket{"
    return {float(name.split('le="')[1].split('"')[0]): count
            for name, count in metrics.items() if name.startswith(prefix) and 'le="' in name}


def quantile(before, after, share):
    """The bucket's bound in ms that `share` of the commits between two looks stayed below, and
    which share stayed below 100 ms."""
    counts = {bound: after[bound] - before.get(bound, 0) for bound in sorted(after)}
    total = counts[float("inf")]
    if not total:
        raise CannotSetUp("no commit was made")
    bound = next(each for each, count in counts.items() if count >= share * total)
    return bound * 1e3, counts[0.1] / total


def look(host, data):
    metrics = host.metrics()
    return {"time": time.monotonic(), "memory": resident_mb(host.pid),
            "file": size_mb(data / "host.db"), "wal": size_mb(data / "host.db-wal"),
            "handled": metrics.get('host_messages_handled_total{plugin="circle"}', 0.0),
            "cpu": cpu_seconds(host.pid), "pauses": commit_pauses(metrics)}


def say(looks):
    first, last, before = looks[0], looks[-1], looks[max(0, len(looks) - 7)]
    speed = (last["handled"] - before["handled"]) / max(last["time"] - before["time"], 1e-9)
    bound, below = quantile(first["pauses"], last["pauses"], 0.999)
    print(f"  {last['time'] - first['time']:6.0f} s  {speed:8.0f} messages/s  memory "
          f"{last['memory']:6.1f} MB  file {last['file']:7.1f} MB  WAL {last['wal']:6.1f} MB  "
          f"commit p99.9 <= {bound:.0f} ms, {below * 100:.3f} % below 100 ms", flush=True)


def watch(host, data, minutes):
    looks = [look(host, data)]
    said = looks[0]["time"]
    while looks[-1]["time"] - looks[0]["time"] < minutes * 60:
        time.sleep(LOOK_EVERY)
        looks.append(look(host, data))
        if looks[-1]["time"] - said >= SAY_EVERY:
            said = looks[-1]["time"]
            say(looks)
    return looks


def soak(setup):
    data = setup.folder("soak")
    with circling_host(setup, data) as host:
        host.wait_until_serving()
        send_tokens(host, TOKENS)
        time.sleep(LOOK_EVERY)
        looks = watch(host, data, setup.minutes)
    first, last = looks[0], looks[-1]
    handled = last["handled"] - first["handled"]
    memories = [each["memory"] for each in looks]
    fifth = max(1, len(memories) // 5)
    bound, below = quantile(first["pauses"], last["pauses"], 0.999)
    length = f"{setup.minutes:g} min at full speed"
    yield Row(f"{length}: messages", handled / (last["time"] - first["time"]), "/s",
              cpu_us=(last["cpu"] - first["cpu"]) / max(handled, 1) * 1e6)
    yield Row(f"{length}: memory in the last fifth", median(memories[-fifth:]), "MB",
              "in the second fifth", median(memories[fifth:2 * fifth] or memories),
              median(memories[-fifth:]) / median(memories[fifth:2 * fifth] or memories), 1.1,
              at_least=False, on="ratio", note=f"at most {max(memories):.1f} MB")
    yield Row(f"{length}: commit p99.9, upper bound of its bucket", bound, "ms", target=100,
              at_least=False, note=f"{below * 100:.4f} % of the commits took less than 100 ms")
    for what, title in (("wal", "largest WAL"), ("file", "largest data file")):
        yield Row(f"{length}: {title}", max(each[what] for each in looks), "MB")


def rows_of(data, table):
    """How many rows a table of a living host's file has; None: there is no such table."""
    file = sqlite3.connect(f"file:{data / 'host.db'}?mode=ro", uri=True, timeout=10)
    try:
        if not file.execute("select 1 from sqlite_master where name = ?", (table,)).fetchone():
            return None
        return file.execute(f"select count(*) from {table}").fetchone()[0]
    finally:
        file.close()


def one_life(setup, data, chance, first):
    """Starts the host, lets it work for a moment, and kills it. What it looked like."""
    # So few keys and so small a log that all of them are there long before the 10th start.
    host = circling_host(setup, data, keys=2_000, max_bytes=100_000)
    try:
        found = {"start": host.wait_until_serving() * 1e3}
        if first:
            send_tokens(host, TOKENS // 4)
        time.sleep(chance.uniform(0.1, 0.4))
        send_tokens(host, 3, ending=True)  # through the door
        found |= {"file": size_mb(data / "host.db"), "wal": size_mb(data / "host.db-wal")}
        for table in ("host_journal", "host_mark", "host_shard"):
            found[table] = rows_of(data, table)
        metrics = host.metrics()
        found["handled"] = metrics.get('host_messages_handled_total{plugin="circle"}', 0.0)
        host.kill()
    finally:
        host.end()
    return found


def restarts(setup):
    data = setup.folder("restarts")
    chance = random.Random(1)
    count = max(setup.count, 2 * WINDOW)
    lives = []
    for number in range(count):
        lives.append(one_life(setup, data, chance, number == 0))
        if (number + 1) % max(1, count // 20) == 0 or number + 1 == WINDOW:
            last = lives[-1]
            print(f"  {number + 1:5} starts  " + "  ".join(
                f"{name} {value:.1f}" if isinstance(value, float) else f"{name} {value}"
                for name, value in last.items()), flush=True)
    early, late = lives[WINDOW // 2:WINDOW + WINDOW // 2], lives[-WINDOW:]
    for name, title, unit in (("start", "from exec to ready", "ms"), ("file", "data file", "MB"),
                              ("wal", "WAL", "MB"), ("host_journal", "rows of the journal", "rows"),
                              ("host_mark", "marks", "rows"),
                              ("host_shard", "shards and doors", "rows")):
        if late[-1][name] is None:
            yield Row(f"{count} kills under load: {title}", 0, unit, note="there is no such table")
            continue
        before, after = median(of_lives(early, name)), median(of_lives(late, name))
        yield Row(f"{count} kills under load: {title}", after, unit, "about the 10th start", before,
                  after / before if before else None, 2 if before else None, at_least=False,
                  on="ratio")
    yield Row(f"{count} kills under load: lives without a handled message",
              sum(each["handled"] == 0 for each in lives), "lives")


def of_lives(lives, name):
    return [each[name] for each in lives]

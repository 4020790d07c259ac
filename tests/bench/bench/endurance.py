"""Long runs, only when they are named: full speed for minutes, and many kills."""

import pathlib
import random
import sqlite3
import time

from .measure import cpu_seconds, median, resident_mb, waited_seconds
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


def buckets(metrics, histogram, label=""):
    """{upper bound in seconds: how many were up to it}, over all series of a histogram that have
    the label."""
    counts = {}
    for name, count in metrics.items():
        if name.startswith(histogram + "_bucket{") and label in name:
            bound = float(name.split('le="')[1].split('"')[0])
            counts[bound] = counts.get(bound, 0) + count
    return counts


class Times:
    """What a histogram was given between two looks. A time is the upper bound of its bucket."""

    def __init__(self, before, after):
        self.counts = {bound: after[bound] - before.get(bound, 0) for bound in sorted(after)}
        self.total = self.counts.get(float("inf"), 0)
        if not self.total:
            raise CannotSetUp("nothing was measured")

    def quantile_ms(self, share):
        return next(bound for bound, count in self.counts.items()
                    if count >= share * self.total) * 1e3

    def share_above(self, seconds):
        """`seconds` is a bound."""
        return 1 - self.counts[seconds] / self.total

    def text(self):
        p50, p99, p999, longest = (self.quantile_ms(share) for share in (0.5, 0.99, 0.999, 1))
        return (f"p50 <= {p50:g}, p99 <= {p99:g}, p99.9 <= {p999:g}, longest <= {longest:g} ms; "
                f"{self.share_above(0.1) * 100:.4f} % of {self.total:.0f} above 100 ms")


MEASURED = {"transaction": ("host_store_transaction_seconds",),
            "queue": ("host_store_queue_seconds",), "sync": ("host_store_sync_seconds",),
            "commit": ("host_commit_seconds",),
            "restart": ("host_store_checkpoint_seconds", 'by="writer"'),
            "checkpoint": ("host_store_checkpoint_seconds", 'by="housekeeper"')}


def times(first, last, name):
    return Times(first["times"][name], last["times"][name])


def look(host, data):
    metrics = host.metrics()
    return {"time": time.monotonic(), "memory": resident_mb(host.pid),
            "file": size_mb(data / "host.db"), "wal": size_mb(data / "host.db-wal"),
            "handled": metrics.get('host_messages_handled_total{plugin="circle"}', 0.0),
            "cpu": cpu_seconds(host.pid), "waited": waited_seconds(host.pid),
            "times": {name: buckets(metrics, *series) for name, series in MEASURED.items()}}


def say(looks):
    first, last, before = looks[0], looks[-1], looks[max(0, len(looks) - 7)]
    speed = (last["handled"] - before["handled"]) / max(last["time"] - before["time"], 1e-9)
    print(f"  {last['time'] - first['time']:6.0f} s  {speed:8.0f} messages/s  memory "
          f"{last['memory']:6.1f} MB  file {last['file']:7.1f} MB  WAL {last['wal']:6.1f} MB  "
          f"transaction {times(first, last, 'transaction').text()}", flush=True)


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
    length = f"{setup.minutes:g} min at full speed"
    yield Row(f"{length}: messages", handled / (last["time"] - first["time"]), "/s",
              cpu_us=(last["cpu"] - first["cpu"]) / max(handled, 1) * 1e6)
    yield Row(f"{length}: memory in the last fifth", median(memories[-fifth:]), "MB",
              "in the second fifth", median(memories[fifth:2 * fifth] or memories),
              median(memories[-fifth:]) / median(memories[fifth:2 * fifth] or memories), 1.1,
              at_least=False, on="ratio", note=f"at most {max(memories):.1f} MB")
    transaction = times(first, last, "transaction")
    for share, title in ((0.5, "p50"), (0.99, "p99"), (0.999, "p99.9"), (1, "longest")):
        yield Row(f"{length}: the writer's transaction, {title}, upper bound of its bucket",
                  transaction.quantile_ms(share), "ms", target=100 if share == 0.999 else None,
                  at_least=False, note=transaction.text() if share == 0.999 else "")
    yield Row(f"{length}: the writer's transactions above 100 ms",
              transaction.share_above(0.1) * 100, "%")
    # Pauses that flushing makes, and those that nobody but other work on the machine does.
    for name, title, target in (
            ("sync", "of it, the COMMIT with its sync", 100),
            ("restart", "carrying over the WAL while commits wait", 100),
            ("checkpoint", "carrying over the WAL beside the commits", None),
            ("queue", "wait for the writer", None),
            ("commit", "a commit of a shard with its wait", None)):
        try:
            took = times(first, last, name)
        except CannotSetUp:  # the WAL stayed short
            continue
        yield Row(f"{length}: {title}, p99.9", took.quantile_ms(0.999), "ms", target=target,
                  at_least=False, note=took.text())
    seconds = last["time"] - first["time"]
    yield Row(f"{length}: cores that the host was given", (last["cpu"] - first["cpu"]) / seconds, "",
              note=f"its threads waited {last['waited'] - first['waited']:.0f} s for a core, in "
                   f"{seconds:.0f} s; where that is much, the pauses are other work's")
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
                              ("host_journal", "rows of the journal", "rows"),
                              ("host_mark", "marks", "rows"),
                              ("host_shard", "shards and doors", "rows")):
        if late[-1][name] is None:
            yield Row(f"{count} kills under load: {title}", 0, unit, note="there is no such table")
            continue
        before, after = median(of_lives(early, name)), median(of_lives(late, name))
        yield Row(f"{count} kills under load: {title}", after, unit, "about the 10th start", before,
                  after / before if before else None, 2 if before else None, at_least=False,
                  on="ratio")
    # It starts over at 64 MB, which kills let it come to; what counts is that it goes no farther.
    yield Row(f"{count} kills under load: largest WAL", max(of_lives(lives, "wal")), "MB",
              "about the 10th start", median(of_lives(early, "wal")), target=100, at_least=False,
              note=f"{median(of_lives(late, 'wal')):.1f} MB about the last start")
    yield Row(f"{count} kills under load: lives without a handled message",
              sum(each["handled"] == 0 for each in lives), "lives")


def of_lives(lives, name):
    return [each[name] for each in lives]

"""HTTP: a request beside nginx with its Lua module, and a request that sends a message."""

import shutil

from . import setup as setups
from .measure import children, cpu_seconds, median
from .messages import of, program, ratio
from .processes import Host, Server, figures, free_port
from .rows import CannotSetUp, Row, spread_of

CONNECTIONS = (64, 512)


def load(setup, port, connections, what, seconds, server_pids):
    """wrk against a server; adds the server's CPU time a request."""
    path = "/letters" if what == "letters" else "/orders"
    command = [setups.wrk(setup), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
               "-s", setup.here / "wrk.lua", f"http://127.0.0.1:{port}{path}", "--", what]
    before = sum(map(cpu_seconds, server_pids))
    answer = figures(command, seconds + 60, setup.cores()[1])
    used = sum(map(cpu_seconds, server_pids)) - before
    if answer["errors"] or not answer["requests"]:
        raise CannotSetUp(f"wrk counts {answer['errors']} errors in {answer['requests']} requests")
    answer["requests_per_s"] = answer["requests"] / answer["seconds"]
    answer["cpu_us"] = used / answer["requests"] * 1e6
    return answer


class Nginx(Server):
    """nginx with its Lua module, unpacked and never installed: one worker, on the server's core."""

    def __init__(self, setup):
        root, env = setups.nginx(setup)
        self.port = free_port()
        folder = setup.folder("nginx")
        folder.mkdir()
        cpu = setup.cores()[0]
        text = (setup.here / "nginx.conf").read_text()
        for name, value in (("ROOT", root), ("DIR", folder), ("PORT", self.port),
                            ("CPU", "auto" if cpu is None else format(1 << cpu, "b"))):
            text = text.replace(f"@{name}@", str(value))
        (folder / "nginx.conf").write_text(text)
        super().__init__([root / "usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf"],
                         folder / "log", cpu, env)

    def pids(self):
        return [self.pid, *children(self.pid)]


def start_nginx(setup):
    """A running nginx, or None and why there is none."""
    try:
        server = Nginx(setup)
        server.wait_until_ready(server.port)
        return server, ""
    except CannotSetUp as error:
        return None, str(error)


def measure_both(setup, ours, theirs):
    """{connections: ([ours], [theirs])}, in turns: many short ones, for what disturbs a machine that
    others share comes and goes within seconds."""
    found = {each: ([], []) for each in CONNECTIONS}
    seconds = setup.seconds(3, 2)
    for _ in setup.rounds(7):
        for connections in CONNECTIONS:
            found[connections][0].append(
                load(setup, ours.port, connections, "orders", seconds, [ours.pid]))
            if theirs:
                found[connections][1].append(
                    load(setup, theirs.port, connections, "orders", seconds, theirs.pids()))
    return found


def request_rows(connections, ours, theirs, missing):
    name = f"HTTP POST, JSON in, Lua handler, JSON out, one lane, {connections} connections"
    row = Row(name, median(of(ours, "requests_per_s")), "/s", target=1.0, on="ratio",
              peer="nginx + Lua" if theirs else f"none: {missing}",
              cpu_us=median(of(ours, "cpu_us")), spread=spread_of(of(ours, "requests_per_s")))
    late = Row(f"the same, {connections} connections: p99", median(of(ours, "p99_ms")), "ms",
               target=1.0 if connections == max(CONNECTIONS) else None, on="ratio", at_least=False,
               spread=spread_of(of(ours, "p99_ms")))
    if theirs:
        row.peer_value = median(of(theirs, "requests_per_s"))
        row.ratio = ratio(ours, theirs, "requests_per_s")
        row.note = f"nginx {median(of(theirs, 'cpu_us')):.1f} µs CPU a request"
        late.peer, late.peer_value = "nginx + Lua", median(of(theirs, "p99_ms"))
        late.ratio = ratio(ours, theirs, "p99_ms")
    return [row, late]


def http(setup):
    theirs, missing = start_nginx(setup)
    data = setup.folder("http")
    try:
        with Host(setup, ["--plugin", setup.plugin("shop")], data, 1, setup.cores()[0]) as ours:
            ours.wait_until_serving()
            found = measure_both(setup, ours, theirs)
    finally:
        if theirs:
            theirs.end()
    for connections, (mine, other) in found.items():
        yield from request_rows(connections, mine, other, missing)


def post(setup):
    ours, raw = [], []
    data = setup.folder("post")
    with Host(setup, ["--plugin", setup.plugin("shop")], data, 1) as host:
        host.wait_until_serving()
        for _ in setup.rounds():
            raw_data = setup.folder("raw")
            raw.append(program(setup, "sqlite", 60, dir=raw_data, batch=64, what="log",
                               seconds=setup.seconds(3, 1)))
            shutil.rmtree(raw_data)
            ours.append(load(setup, host.port, 64, "letters", setup.seconds(6, 3), [host.pid]))
    yield Row("HTTP POST that sends one durable message, one lane, 64 connections",
              median(of(ours, "requests_per_s")), "/s",
              "SQLite alone: a row each, 64 a transaction", median(of(raw, "messages_per_s")),
              median(a["requests_per_s"] / b["messages_per_s"] for a, b in zip(ours, raw)),
              15_000, cpu_us=median(of(ours, "cpu_us")),
              spread=spread_of(of(ours, "requests_per_s")))
    yield Row("the same: p99 of the answer", median(of(ours, "p99_ms")), "ms",
              "transaction of SQLite alone, p99", median(of(raw, "commit_p99_ms")),
              spread=spread_of(of(ours, "p99_ms")))

"""A host with one plugin and nothing to do."""

import time

from .measure import cpu_seconds, median, resident_mb
from .processes import Host
from .rows import Row, spread_of
from .web import start_nginx

SETTLE = 2.0  # seconds until it is idle


def look(server, seconds):
    """(resident MB, CPU ms a second) of an idle server."""
    time.sleep(SETTLE)
    pids = server.pids() if hasattr(server, "pids") else [server.pid]
    before = sum(map(cpu_seconds, pids))
    time.sleep(seconds)
    used = sum(map(cpu_seconds, pids)) - before
    return sum(map(resident_mb, pids)), used / seconds * 1e3


def nginx_beside(setup, seconds):
    """(resident MB, start in ms, CPU) of nginx with its Lua module, or why there is none."""
    server, missing = start_nginx(setup)
    if server is None:
        return None, f"none: {missing}"
    with server:
        took = time.monotonic() - server.began
        memory, cpu = look(server, seconds)
    return (memory, took * 1e3, cpu), "nginx + Lua, master and worker"


def idle(setup):
    starts, memories, cpus = [], [], []
    seconds = setup.seconds(10, 3)
    for number in range(setup.seconds(9, 3)):
        with Host(setup, ["--plugin", setup.plugin("shop")], setup.folder("idle")) as host:
            starts.append(host.wait_until_serving() * 1e3)
            if number < len(setup.rounds()):
                memory, cpu = look(host, seconds)
                memories.append(memory)
                cpus.append(cpu)
    theirs, peer = nginx_beside(setup, seconds)
    memory, start, cpu = theirs or (None, None, None)
    rows = (("one plugin, idle: resident memory", memories, "MB", memory, 20),
            ("one plugin: ready after its start, new data folder", starts, "ms", start, 150),
            ("one plugin, idle: CPU time", cpus, "ms/s", cpu, None))
    for work, values, unit, peer_value, target in rows:
        yield Row(work, median(values), unit, peer, peer_value,
                  None if peer_value is None or peer_value == 0 else median(values) / peer_value,
                  target, at_least=False, spread=spread_of(values))

#!/usr/bin/env python3
"""Hogwarts beyond one machine, on this one: Kafka, PostgreSQL, and a process for each plugin.

usage: up.py HOST_BINARY [--seconds N]
  Starts all of it on loopback with its data in a temporary folder, says what runs where, and ends it
  after N seconds, at Ctrl-C, or when one of the processes ends by itself. One that is killed, host or
  server, is started again. Nothing is left of it in the end.
  Exit: 0 ended as asked (also by Ctrl-C), 2 a wrong call, 3 something did not start or gave up.
"""

import argparse
import contextlib
import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "servers"))
from servers import CannotStart, Kafka, Postgres  # noqa: E402
from servers.server import end_with_parent  # noqa: E402

# The places by their plugin; who starts universes comes last and is where the walk-through expects it.
PLACES = {"library": "greatLibrary", "gryffindor": "gryffindorTower", "hagrid": "hagridsHut",
          "herbology": "herbologyGreenHouse", "muggle": "muggleWorld",
          "platform": "platform9Quarters", "quidditch": "quidditchPitch"}
PLUGINS = (*PLACES, "master")
FIRST_PORT, FIRST_ADMIN_PORT = 3001, 3101
DATABASE = "hogwarts"
READY_SECONDS = 180  # eight processes begin at once, perhaps on two busy cores
STOP_SECONDS = 30
LOOK_SECONDS = 0.2
AGAIN_SECONDS = 20  # PostgreSQL does not start while processes of the one before it are ending
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """Somebody asked for the end, by this signal; no `except Exception` on the way may keep it."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


class Died(Exception):
    """Something ended that should run on, or does not come up."""


def ports_near(*wanted):
    """Those ports, and any free one in the place of each that somebody has."""
    sockets = []
    for port in wanted:
        try:
            sockets.append(socket.create_server(("127.0.0.1", port)))
        except OSError:
            sockets.append(socket.create_server(("127.0.0.1", 0)))
    found = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return found


@contextlib.contextmanager
def to_its_end():
    """A signal waits: what runs here is short, and half of it would leave processes behind."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


class Host:
    """One `host --plugin` in a session of its own, so that Ctrl-C is for this script alone."""

    def __init__(self, name, port, admin, folder):
        self.name = name
        self.port = port
        self.admin = admin
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{name}.log"
        self.process = None

    def start(self, command, environment):
        """For the first time; again() repeats it."""
        self.command = [*command, "--plugin", f"plugins/{self.name}.lua",
                        "--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin}"]
        self.environment = environment
        self.again()

    def again(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, cwd=ROOT, env=self.environment, stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL,
                                            start_new_session=True, preexec_fn=end_with_parent)

    def ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return answer.status == 200
        except (OSError, urllib.error.HTTPError):
            return False

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, deadline):
        """The exit code, by force if need be."""
        try:
            return self.process.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Town:
    """All that runs, in the order of its start; its folder is made and removed by who makes it."""

    def __init__(self, binary, folder):
        self.binary = binary
        self.folder = folder
        self.passwords = folder / "passwords"
        self.kafka = self.server(Kafka, "kafka")
        self.postgres = self.server(Postgres, "postgres")
        ports = ports_near(*(first + i for first in (FIRST_PORT, FIRST_ADMIN_PORT)
                             for i in range(len(PLUGINS))))
        self.hosts = [Host(*each, folder) for each in
                      zip(PLUGINS, ports, ports[len(PLUGINS):])]

    def server(self, kind, name):
        place = self.folder / name
        place.mkdir()
        return kind(place)

    def start(self):
        for server in (self.kafka, self.postgres):
            say(f"Starting {server.name}.")
            with to_its_end():
                server.prepare()
            server.start()
        with to_its_end():
            self.make_roles()
        say(f"Starting {len(self.hosts)} hosts.")
        environment = self.environment()
        command = [self.binary, "--log", f"kafka://{self.kafka.address}",
                   "--store", self.store("host"), "--passwords", str(self.passwords)]
        for host in self.hosts:
            host.start(command, environment)
        deadline = time.monotonic() + READY_SECONDS
        for host in self.hosts:
            while not host.ready():
                self.check()
                if time.monotonic() > deadline:
                    raise Died(f"{host.name} is not ready in {READY_SECONDS} s\n{end_of(host.log)}")
                time.sleep(LOOK_SECONDS)

    def make_roles(self):
        """A password for each role in a file of its own, as secrets are mounted elsewhere."""
        self.passwords.mkdir(mode=0o700)
        for role in ("host", *(f"host_{name}" for name in PLUGINS)):
            (self.passwords / role).write_text(secrets.token_hex(16), "utf-8")
        administrator = dict(part.split("=") for part in self.postgres.address.split())
        environment = self.environment(PGPASSWORD=administrator["password"])
        for command in (
                ["psql", "-qX", "-c", f"create database {DATABASE}",
                 self.store(administrator["user"], "postgres")],
                [self.binary, "db", "init", "--store", self.store(administrator["user"]),
                 "--passwords", str(self.passwords), *PLUGINS]):
            done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Died(f"{command[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}")

    def store(self, user, database=DATABASE):
        return f"postgresql://{user}@127.0.0.1:{self.postgres.port}/{database}"

    @staticmethod
    def environment(**more):
        """Without the variables of another host of whoever calls."""
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("HOST_", "PG"))}
        return {**kept, **more}

    def check(self):
        """Starts what was killed again. Raises Died when a process has ended by itself."""
        for server in (self.kafka, self.postgres):
            if self.killed(server, self.folder / server.name / f"{server.name}.log"):
                self.start_again(server)
                say(f"--- {server.name} is back as process {server.process.pid}")
        for host in self.hosts:
            if self.killed(host, host.log):
                with to_its_end():
                    host.again()
                say(f"--- {host.name} is back as process {host.process.pid}")

    @staticmethod
    def killed(each, log):
        code = each.process.poll()
        if code is not None and code >= 0:
            raise Died(f"{each.name} ended with {code}\n{end_of(log)}")
        if code is not None:
            say(f"--- {each.name} was killed (signal {-code}); it starts again on the same data")
        return code is not None

    @staticmethod
    def start_again(server):
        deadline = time.monotonic() + AGAIN_SECONDS
        while True:
            try:
                server.start()
                return
            except CannotStart:
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOOK_SECONDS)

    def stop(self):
        """The hosts first, beside each other: they hand over and commit. Says what did not end well."""
        for host in self.hosts:
            host.stop()
        deadline = time.monotonic() + STOP_SECONDS
        for host in self.hosts:
            if host.process is not None and (code := host.wait(deadline)) != 0:
                say(f"{host.name}: exit {code}\n{end_of(host.log)}")
        for server in (self.postgres, self.kafka):
            server.stop()


def end_of(log):
    lines = log.read_text("utf-8", "replace").splitlines()[-20:]
    return "\n".join([f"--- the end of its log, {log.name}:", *lines])


def say(text):
    print(text, file=sys.stderr, flush=True)


def table(town):
    """What runs where."""
    rows = [("", "routes", "admin", "process", "log"),
            ("kafka", town.kafka.address, "", str(town.kafka.process.pid), "kafka/kafka.log"),
            ("postgres", f"127.0.0.1:{town.postgres.port}", "", str(town.postgres.process.pid),
             "postgres/postgres.log")]
    for host in town.hosts:
        rows.append((host.name, host.url, f"127.0.0.1:{host.admin}", str(host.process.pid),
                     host.log.name))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip()
             for row in rows]
    return "\n".join(lines)


def introduce(town):
    """What runs where, and what to do with it. Logs and the list of places are files of the folder."""
    places = {PLACES[host.name]: host.url for host in town.hosts if host.name in PLACES}
    (town.folder / "places.json").write_text(json.dumps(places), "utf-8")
    master = town.hosts[-1]
    print(table(town), flush=True)
    print(textwrap.dedent(f"""
        Each serves its routes, /docs, /openapi.json and /readyz; on admin /metrics and /admin/shards.
        Logs are in {town.folder}. In another terminal:
          M={master.url}
          U=$M/universes/$(curl -s -H 'content-type: application/json' -d '{{"hops": 1000}}' \\
            $M/universes | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
          python3 examples/hogwarts/owl_post.py $U/post    # letters, from process to process
          python3 examples/hogwarts/roll_call.py $U --places {town.folder}/places.json
        Kill any of these processes (kill -9): it starts again, and nobody is lost.
        Ctrl-C here ends all of it.
        """), flush=True)


def watch(town, seconds):
    deadline = time.monotonic() + seconds if seconds is not None else None
    while deadline is None or time.monotonic() < deadline:
        town.check()
        time.sleep(LOOK_SECONDS)


def run(binary, seconds, folder):
    """The exit code."""
    os.chmod(folder, 0o711)  # PostgreSQL is another user where this one is root
    town = Town(binary, pathlib.Path(folder))
    try:
        town.start()
        introduce(town)
        watch(town, seconds)
        return 0
    except (Died, CannotStart) as error:
        say(str(error))
        return 3
    except Ended as asked:
        return 0 if asked.number == signal.SIGINT else 128 + asked.number
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave anything behind
        say("Ending all of it.")
        town.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float)
    options = parser.parse_args()

    def end(number, _frame):
        raise Ended(number)

    for number in SIGNALS:
        signal.signal(number, end)
    try:
        with tempfile.TemporaryDirectory(prefix="hogwarts-up-") as folder:
            return run(os.path.abspath(options.binary), options.seconds, folder)
    except Ended as asked:  # before anything ran
        return 128 + asked.number


if __name__ == "__main__":
    sys.exit(main())

"""Real servers for a bench, and what runs beside the host on them."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from .measure import cpu_seconds
from .processes import Host, figures
from .rows import CannotSetUp

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "servers"))
from servers import CannotStart, Kafka, Postgres  # noqa: E402
from servers.postgres import PASSWORD, USER, programs  # noqa: E402
from servers.server import children_of  # noqa: E402

PARTITIONS = 16  # of the benches' topics, as in work.h
COMPILE_SECONDS = 300


class Broker(Kafka):
    """With all of its compilers and room: as it is run for work, not started often."""

    def _java(self):
        small, rest = super()._java(), 0
        while small[rest] == "java" or small[rest].startswith("-X"):
            rest += 1
        return ["java", "-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData",
                *small[rest:]]


class Servers:
    """Kafka and PostgreSQL on this machine, as the tests have them. `with` ends them."""

    def __init__(self, setup):
        self.setup = setup
        self.databases = 0
        # Not below the repository: PostgreSQL does not run as root, and must get there.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="host-bench-"))
        self.folder.chmod(0o711)
        self.kafka = self.postgres = None
        try:
            self.kafka = self.start(Broker)
            self.postgres = self.start(Postgres)
        except CannotStart as error:
            self.end()
            raise CannotSetUp(str(error)) from error
        except BaseException:
            self.end()
            raise

    def start(self, kind):
        place = self.folder / kind.name
        place.mkdir()
        server = kind(place)
        try:
            server.prepare()
            server.start()
        except BaseException:
            server.kill() if server.process else None
            raise
        return server

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        for server in (self.postgres, self.kafka):
            if server:
                server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def brokers(self):
        return self.kafka.address

    def database(self):
        """The URL of a new one, without its password."""
        self.databases += 1
        name = f"bench{self.databases}"
        done = subprocess.run(
            [str(programs() / "psql"), "-qX", "-h", "127.0.0.1", "-p", str(self.postgres.port),
             "-U", USER, "-c", f"create database {name}", "postgres"],
            env=self.environment(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CannotSetUp(f"no database: {done.stderr.strip()}")
        return f"postgresql://{USER}@127.0.0.1:{self.postgres.port}/{name}"

    @staticmethod
    def environment():
        return {**os.environ, "PGPASSWORD": PASSWORD}

    def host(self, arguments, prefix, partitions=PARTITIONS, lanes=2):
        """A host on these servers and a new database."""
        return Host(self.setup,
                    [*arguments, "--log", f"kafka://{self.brokers}", "--store", self.database(),
                     "--prefix", prefix, "--partitions", partitions],
                    self.setup.folder("host"), lanes, env=self.environment())

    def program(self, name, within, **options):
        """Runs one of the C++ benches against the broker."""
        command = [self.setup.program, name, "--brokers", self.brokers]
        for option, value in options.items():
            command += [f"--{option}", str(value)]
        return figures(command, within, env=self.environment())

    def cpu(self):
        """CPU seconds so far of broker and database, with all that belong to them."""
        return tuple(sum(cpu_or_nothing(pid) for pid in (server.process.pid,
                                                         *children_of(server.process.pid)))
                     for server in (self.kafka, self.postgres))


def cpu_or_nothing(pid):
    try:
        return cpu_seconds(pid)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # it ended meanwhile


class Streams:
    """Kafka Streams from its jars, and the work compiled for it."""

    def __init__(self, setup):
        here = setup.here / "streams"
        folder = setup.cache / "streams"
        for program, package in (("javac", "openjdk-17-jdk-headless"), ("mvn", "maven")):
            if shutil.which(program) is None:
                raise CannotSetUp(f"{program} is not installed (package {package})")
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            must_run(["mvn", "-q", "-B", "-f", here / "pom.xml", "dependency:copy-dependencies",
                      f"-DoutputDirectory={folder}/lib"])
            (folder / "complete").touch()
        self.classes = setup.folder("classes")
        must_run(["javac", "-d", self.classes, "-cp", f"{folder}/lib/*", here / "Work.java"])
        (self.classes / "log4j.properties").write_text(
            "log4j.rootLogger=ERROR, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n"
            "log4j.appender.out.target=System.err\n"
            "log4j.appender.out.layout=org.apache.log4j.SimpleLayout\n", "utf-8")
        self.command = ["java", "-Xms256m", "-Xmx768m", "-XX:-UsePerfData",
                        f"-Djava.io.tmpdir={self.classes}", "-cp", f"{self.classes}:{folder}/lib/*",
                        "Work"]
        self.setup = setup

    def run(self, servers, application, source, warm_up, seconds):
        """From the start of `source`; what it handled must be in the topic that it sends to, but for
        what was not committed yet."""
        to = f"{application}.out"
        servers.program("topic", 60, topic=to)
        before = servers.cpu()[0]
        found = figures([*self.command, servers.brokers, application, source, to,
                         self.setup.folder("streams"), "2", str(warm_up), str(seconds)],
                        180 + seconds)
        found["broker_us"] = (servers.cpu()[0] - before) / found["handled"] * 1e6
        sent = servers.program("records", 60, topic=to)["records"]
        if sent < 0.9 * found["handled"]:
            raise CannotSetUp(f"Kafka Streams handled {found['handled']} and sent {sent:.0f}")
        return found


def must_run(command):
    done = subprocess.run([str(each) for each in command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False, timeout=COMPILE_SECONDS)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[-500:]
        raise CannotSetUp(f"{command[0]} ended with {done.returncode}: {said}")

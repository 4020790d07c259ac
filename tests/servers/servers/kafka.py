"""Apache Kafka in KRaft mode, one node, from its published jars."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

from .server import CannotStart, Server, free_ports

HERE = pathlib.Path(__file__).resolve().parents[1]
CACHE = HERE.parents[1] / "build" / "servers" / "kafka"
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"
JAVA = ["java", "-Xms64m", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
        "-XX:-UsePerfData"]
LOGGING = """log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %p %m (%c)%n
"""


def jars():
    """The folder of the jars; fetched the first time. Raises CannotStart."""
    if (CACHE / "complete").exists():
        return CACHE / "lib"
    for program, package in (("java", "openjdk-17-jre-headless"), ("mvn", "maven")):
        if shutil.which(program) is None:
            raise CannotStart(f"{program} is not installed (package {package}): ./dev setup")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        done = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies",
             f"-DoutputDirectory={folder}/lib"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CannotStart(f"Kafka's jars cannot be fetched: {done.stdout[-2000:]}")
        shutil.rmtree(CACHE / "lib", ignore_errors=True)
        os.replace(f"{folder}/lib", CACHE / "lib")
    (CACHE / "complete").touch()
    return CACHE / "lib"


# For tests that kill it: it is taken back after 7 s instead of 16, but on a busy machine it may
# also be thought dead when it is not.
SOON_BACK = {"broker.session.timeout.ms": 2000}


class Kafka(Server):
    name = "kafka"
    format_options = ()

    def __init__(self, folder, settings=None):
        super().__init__(folder)
        self.port, self.controller = free_ports(2)
        self.settings = settings or {}

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def prepare(self):
        (self.folder / "log4j.properties").write_text(LOGGING, "utf-8")
        settings = {
            "process.roles": "broker,controller", "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},"
                         f"CONTROLLER://127.0.0.1:{self.controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.folder / "logs",
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            # By default half of its memory: after hours of kills a start found no room for the rest.
            "log.cleaner.dedupe.buffer.size": 8_000_000,
            "auto.create.topics.enable": "false", **self.settings}
        (self.folder / "server.properties").write_text(
            "".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8")
        done = subprocess.run([*self._java(), "kafka.tools.StorageTool", "format", "-t", CLUSTER,
                               "-c", str(self.folder / "server.properties"), *self.format_options],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CannotStart(f"Kafka's storage cannot be formatted: {done.stdout}{done.stderr}")

    def command(self):
        return [*self._java(), "kafka.Kafka", str(self.folder / "server.properties")]

    def ready(self):
        """Whether it answers a request: an open port alone says too little."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                # ApiVersions, version 0, correlation id 1, client id "w".
                body = bytes.fromhex("001200000000000100") + b"\x01w"
                connection.sendall(len(body).to_bytes(4, "big") + body)
                connection.settimeout(2)
                return len(connection.recv(8)) == 8
        except OSError:
            return False

    def _java(self):
        # What it unpacks goes with its folder, also when it is killed.
        return [*JAVA, f"-Djava.io.tmpdir={self.folder}",
                f"-Dlog4j.configuration=file:{self.folder / 'log4j.properties'}", "-cp", f"{jars()}/*"]

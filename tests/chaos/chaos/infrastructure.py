"""Kafka and PostgreSQL of a run, and what hosts are told about them."""

import os
import pathlib
import subprocess
import tempfile

from servers import Kafka, Postgres
from servers.kafka import SOON_BACK
from servers.postgres import PASSWORD, USER

from .client import Broken


class Servers:
    """Used in a `with`, which starts and ends them. Each scenario has a database and topics of its
    own."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="chaos-servers-")
        folder = pathlib.Path(self._folder.name)
        folder.chmod(0o711)
        for name in ("kafka", "postgres"):
            (folder / name).mkdir()
        self.kafka = Kafka(folder / "kafka", SOON_BACK)
        self.postgres = Postgres(folder / "postgres")
        self.environment = {"PGPASSWORD": PASSWORD}
        self._url = f"postgresql://{USER}@127.0.0.1:{self.postgres.port}/"

    def __enter__(self):
        try:
            for server in (self.kafka, self.postgres):
                server.prepare()
                server.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.kafka.stop()
        self.postgres.stop()
        self._folder.cleanup()

    def arguments(self, database, member):
        return ["--log", f"kafka://{self.kafka.address}", "--prefix", f"{database}.",
                "--store", f"{self._url}{database}?application_name={member}"]

    def sql(self, text, database="postgres"):
        """What psql says. Raises Broken: the server was there, or so the caller thought."""
        done = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text,
                               self._url + database], capture_output=True, text=True, check=False,
                              timeout=60, env={**os.environ, **self.environment})
        if done.returncode != 0:
            raise Broken(f"psql: {done.stderr.strip()} ({text})")
        return done.stdout.strip()

    def database(self, name):
        self.sql(f'create database "{name}"')

    def drop_database(self, name):
        self.sql(f'drop database "{name}" with (force)')

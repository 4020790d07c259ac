"""Kafka and PostgreSQL of a run, and what hosts are told about them."""

import os
import pathlib
import shutil
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
        self.disk = SmallDisk(folder / "disk")
        self.environment = {"PGPASSWORD": PASSWORD}
        self._server = f"127.0.0.1:{self.postgres.port}"
        self._url = f"postgresql://{USER}@{self._server}/"

    def __enter__(self):
        try:
            for server in (self.kafka, self.postgres):
                server.prepare()
                server.start()
            self._use_disk()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.kafka.stop()
        self.postgres.stop()
        self.disk.close()
        self._folder.cleanup()

    def keep_logs(self, folder):
        for server in (self.kafka, self.postgres):
            shutil.copy(server.folder / f"{server.name}.log", folder)

    def arguments(self, database, member):
        return ["--log", f"kafka://{self.kafka.address}", "--prefix", f"{database}.",
                "--store", f"postgresql://host@{self._server}/{database}?application_name={member}"]

    def sql(self, text, database="postgres"):
        """What psql says. Raises Broken: the server was there, or so the caller thought."""
        done = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text,
                               self._url + database], capture_output=True, text=True, check=False,
                              timeout=60, env={**os.environ, **self.environment})
        if done.returncode != 0:
            raise Broken(f"psql: {done.stderr.strip()} ({text})")
        return done.stdout.strip()

    def _use_disk(self):
        """Databases are there from now on."""
        if self.disk.unusable:
            return
        shutil.chown(self.disk.folder, *owner_of(self.postgres.data))
        self.sql(f"create tablespace small location '{self.disk.folder}'")

    def database(self, name, host, plugins):
        """A role for each of the plugins (files), as an operator makes them with `host`. Raises
        Broken."""
        self.sql(f'create database "{name}"'
                 + ("" if self.disk.unusable else " tablespace small"))
        for role in ("host", *(f"host_{plugin.stem}" for plugin in plugins)):
            self.environment[f"HOST_PASSWORD__{role}"] = f"secret of {role}"
        done = subprocess.run(
            [host, "db", "init", "--store", self._url + name, *plugins], capture_output=True,
            text=True, check=False, timeout=60, env={**os.environ, **self.environment})
        if done.returncode != 0:
            raise Broken(f"host db init: {done.stderr.strip()}")

    def full_disk_errors(self):
        said = (self.postgres.folder / "postgres.log").read_text("utf-8", "replace")
        return said.count("No space left on device")

    def cut(self, database, application):
        """Ends the connections to a database, all or those of one host; how many."""
        whose = f"and application_name = '{application}'" if application else ""
        return int(self.sql("select count(*) filter (where pg_terminate_backend(pid))"
                            f" from pg_stat_activity where datname = '{database}' {whose}"))

    def steal_leases(self, database, part):
        """Gives about such a part of the shards to other living members; how many."""
        return int(self.sql(f"""
            with other as (
              select l.plugin, l.number, m.id, row_number() over
                (partition by l.plugin, l.number order by random()) as n
              from host.lease l join host.member m on not m.gone and not m.leaving
                and m.id <> l.owner and l.plugin = any(string_to_array(m.plugins, E'\n'))
              where l.number < 1000 and l.owner <> ''),
            moved as (
              update host.lease l set owner = other.id, turn = turn + 1, former = owner
              from other where other.n = 1 and random() < {part}
                and l.plugin = other.plugin and l.number = other.number returning 1)
            select count(*) from moved""", database))

    def watch(self, database="postgres"):
        return Watch(self._url + database, {**os.environ, **self.environment})

    def drop_database(self, name):
        self.sql(f'drop database "{name}" with (force)')


class SmallDisk:
    """A file system of its own, which can be made full: a tmpfs, where one may be mounted."""

    SIZE = "8G"  # an upper bound, as long as it is not full
    TRIES = 50   # to fill it

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        done = self._mount(f"size={self.SIZE}")
        self.unusable = "" if done.returncode == 0 else "no tmpfs can be mounted: " + done.stderr.strip()

    def _mount(self, options):
        return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "chaos", str(self.folder)],
                              capture_output=True, text=True, check=False)

    def fill(self):
        """No room beyond what is used. It grows meanwhile, and cannot be made smaller than it is."""
        for _ in range(self.TRIES):
            used = os.statvfs(self.folder)
            done = self._resize((used.f_blocks - used.f_bfree) * used.f_frsize)
            if done.returncode == 0:
                return
        raise Broken(f"the small disk: {done.stderr}")

    def free(self):
        done = self._resize(self.SIZE)
        if done.returncode != 0:
            raise Broken(f"the small disk: {done.stderr}")

    def _resize(self, size):
        return self._mount(f"remount,size={size}")

    def close(self):
        if not self.unusable:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)


class Watch:
    """One connection for many looks at a database. Used in a `with`."""

    LOOKS = 2000

    def __init__(self, url, environment):
        self.psql = subprocess.Popen(["psql", "-qAtX", url], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True, env=environment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.psql.stdin.close()
        self.psql.wait(10)
        self.psql.stdout.close()

    def count(self, what):
        self.psql.stdin.write(f"select count(*) from {what};\n")
        self.psql.stdin.flush()
        answer = self.psql.stdout.readline().strip()
        if not answer:
            raise Broken(f"the connection that looks at {what} is gone")
        return int(answer)

    def in_transaction(self, application):
        return self.count("pg_stat_activity where application_name ="
                          f" '{application}' and xact_start is not null") > 0

    def until_in_transaction(self, application):
        """Or not at all: it may have nothing to do."""
        for _ in range(self.LOOKS):
            if self.in_transaction(application):
                return

    def is_leaving(self, admin_port):
        """Whether the member with this admin listener hands over, or is gone."""
        return self.count("host.member where not gone and not leaving"
                          f" and admin like '%:{admin_port}'") == 0


def owner_of(path):
    status = path.stat()
    return status.st_uid, status.st_gid

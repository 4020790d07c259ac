"""PostgreSQL of the distribution."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess

from .server import CannotStart, Server, free_ports

USER = PASSWORD = "tester"


def programs():
    """The folder of initdb and postgres, which Debian keeps out of the path."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    if (there := shutil.which("initdb")) is not None:
        return pathlib.Path(there).resolve().parent
    raise CannotStart("PostgreSQL is not installed: ./dev setup")


class Postgres(Server):
    name = "postgres"

    def __init__(self, folder, settings=None):
        super().__init__(folder)
        self.port, = free_ports(1)
        self.data = self.folder / "data"
        self.settings = {"fsync": "on", "max_connections": "200", **(settings or {})}

    @property
    def address(self):
        """A connection string of libpq, as a superuser."""
        return (f"host=127.0.0.1 port={self.port} user={USER} password={PASSWORD} "
                "dbname=postgres")

    def prepare(self):
        self.folder.chmod(0o711)
        self.data.mkdir()
        secret = self.folder / "password"
        secret.write_text(PASSWORD, "utf-8")
        if os.geteuid() == 0:
            entry = self._unprivileged()
            for path in (self.data, secret):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        done = subprocess.run(
            [*self._as_user(), str(programs() / "initdb"), "-D", str(self.data), "-U", USER,
             "--pwfile", str(secret), "--auth", "scram-sha-256", "--encoding", "UTF8",
             "--locale", "C.UTF-8"], capture_output=True, text=True, check=False)
        secret.unlink()
        if done.returncode != 0:
            raise CannotStart(f"initdb: {done.stderr}")

    def command(self):
        settings = [f"--{name}={value}" for name, value in self.settings.items()]
        return [*self._as_user(), str(programs() / "postgres"), "-D", str(self.data),
                "-p", str(self.port), "-h", "127.0.0.1", "-k", "", *settings]

    def ready(self):
        return subprocess.run([str(programs() / "pg_isready"), "-q", "-h", "127.0.0.1",
                               "-p", str(self.port)], check=False).returncode == 0

    def stop(self, how=signal.SIGINT):  # fast shutdown: open connections are closed
        super().stop(how)

    @staticmethod
    def _unprivileged():
        try:
            return pwd.getpwnam("postgres")
        except KeyError as error:
            raise CannotStart("PostgreSQL does not run as root, and there is no user "
                              "postgres") from error

    def _as_user(self):
        if os.geteuid() != 0:
            return []
        entry = self._unprivileged()
        return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups",
                "--pdeathsig", "KILL"]

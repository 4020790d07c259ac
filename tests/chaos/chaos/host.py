"""One host process that is started, killed and started again on the same data folder."""

import signal
import subprocess
import threading
import time

from .client import Broken, Client, Lost, Refused, free_ports

START_SECONDS = 60
STOP_SECONDS = 20


class Host:
    """Starts `binary arguments` on fixed ports; kills it; says when it serves. One thread starts
    and kills, any thread may wait for `serving`. Its log is host.log in `folder`, and without a
    `store` in the arguments its data too."""

    def __init__(self, binary, arguments, folder, root, lanes=None, environment=None):
        self.folder = folder
        self.root = root
        self.environment = environment
        self.port, self.admin_port = free_ports(2)
        self.command = [str(binary), *arguments, "--listen", f"127.0.0.1:{self.port}",
                        "--admin", f"127.0.0.1:{self.admin_port}"]
        if "--store" not in arguments:
            self.command += ["--data", str(folder / "data")]
        if lanes:
            self.command += ["--lanes", str(lanes)]
        self.process = None
        self.kills = 0
        self.stops = 0
        self.slowest_start = 0.0
        self.serving = threading.Event()

    def spawn(self):
        with open(self.folder / "host.log", "ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.root, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.environment)

    def start(self):
        """Starts it and waits until it is ready."""
        self.spawn()
        self.wait_until_ready()

    def wait_until_ready(self):
        began = time.monotonic()
        client = Client(self.port)
        while not self.is_ready(client):
            if self.process.poll() is not None:
                raise Broken(f"the host ended by itself with {self.process.returncode}")
            if time.monotonic() - began > START_SECONDS:
                raise Broken(f"the host is not ready after {START_SECONDS} s")
            time.sleep(0.02)
        client.close()
        self.slowest_start = max(self.slowest_start, time.monotonic() - began)
        self.serving.set()

    @staticmethod
    def is_ready(client):
        try:
            return client.request("GET", "/readyz")[0] == 200
        except (Refused, Lost):
            return False

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def must_live(self):
        if not self.is_running():
            raise Broken(f"the host ended by itself with {self.process.returncode}\n"
                         + self.log_tail())

    def kill(self):
        """SIGKILL, at whatever it does right now."""
        self.must_live()
        self.serving.clear()
        self.process.kill()
        self.process.wait()
        self.kills += 1

    def kill_while_starting(self, seconds):
        """Starts it and kills it before it may be ready."""
        self.spawn()
        time.sleep(seconds)
        self.kill()

    def stop(self):
        """SIGTERM: it must finish or park what it does and exit with 0."""
        self.begin_stop()
        self.wait_until_stopped()

    def begin_stop(self):
        self.must_live()
        self.serving.clear()
        self.process.send_signal(signal.SIGTERM)

    def wait_until_stopped(self):
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise Broken(f"SIGTERM did not end the host in {STOP_SECONDS} s") from error
        if status != 0:
            raise Broken(f"SIGTERM ended the host with {status}, not 0")
        self.stops += 1

    def close(self):
        if self.is_running():
            self.process.kill()
            self.process.wait()

    def client(self):
        return Client(self.port)

    def get(self, path):
        """The JSON of a GET that must succeed, on a living host."""
        return self._get(self.port, path)

    def get_admin(self, path):
        return self._get(self.admin_port, path)

    def _get(self, port, path):
        client = Client(port)
        try:
            status, body = client.request("GET", path)
        except (Refused, Lost) as error:
            raise Broken(f"GET {path} on a host that nobody killed: {error!r}") from error
        finally:
            client.close()
        if status != 200:
            raise Broken(f"GET {path} is {status}: {body}")
        return body

    def is_quiet(self):
        """Whether no shard has anything left to take, to repeat or to send."""
        return all(shard[what] == 0 for shard in self.get_admin("/admin/shards")
                   for what in ("lag", "pending", "outbox"))

    def dead_letters(self):
        return self.get_admin("/admin/dead")["items"]

    def log_tail(self, lines=15):
        text = (self.folder / "host.log").read_text("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])


def kill_at_random(host, kills, chance, between, meddle=lambda: None):
    """Kills and restarts a host that serves; it serves again at the end. After one kill in five it
    is killed once more while it starts; now and then it is stopped in good order instead. `meddle`
    is called some time before each."""
    while host.kills < kills:
        time.sleep(chance.uniform(*between) / 2)
        meddle()
        time.sleep(chance.uniform(*between) / 2)
        if chance.random() < 0.1:
            host.stop()
        else:
            host.kill()
            if host.kills < kills and chance.random() < 0.2:
                host.kill_while_starting(chance.uniform(0, 0.3))
        host.start()


def wait_until(what, condition, seconds):
    """Polls until it holds; raises Broken at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Broken(f"{what} does not come within {seconds} s")
        time.sleep(0.2)


def wait_until_quiet(host, snapshot, seconds=90, still_seconds=3):
    """What `snapshot` says once the shards were quiet for a while and it stays as it is; longer
    than the timers of the plugins are. Raises Broken at the deadline."""
    deadline = time.monotonic() + seconds
    quiet_since = time.monotonic()
    while time.monotonic() < deadline:
        if not host.is_quiet():
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > still_seconds:
            first = snapshot()
            if first == snapshot() and host.is_quiet():
                return first
            quiet_since = time.monotonic()
        time.sleep(0.2)
    busy = [shard for shard in host.get_admin("/admin/shards")
            if shard["lag"] or shard["pending"] or shard["outbox"]]
    raise Broken(f"not quiet after {seconds} s; busy shards: {busy[:5]}")

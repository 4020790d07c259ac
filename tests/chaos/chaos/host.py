"""One host process that is started, killed and started again on the same data folder."""

import http.client
import json
import signal
import socket
import subprocess
import threading
import time

START_SECONDS = 60
STOP_SECONDS = 20
REQUEST_SECONDS = 40
ANSWER_SECONDS = 120


class Broken(Exception):
    """The host did something that no kill explains: a violation that ends the scenario."""


class Refused(Exception):
    """Nobody listens: the request was certainly not made."""


class Lost(Exception):
    """The request may have been made; its answer did not come."""


class Unanswered(Exception):
    """A request was repeated for long, and none of its repeats was answered for good."""


def free_ports(count):
    """Distinct ports of 127.0.0.1 that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Client:
    """One connection, used by one thread; it is opened again when the host came back."""

    def __init__(self, port):
        self.port = port
        self.connection = None
        self.repeats = 0  # of requests with a key
        self.replays = 0  # answers that were kept for such a repeat

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def request(self, method, path, body=None):
        """(status, decoded JSON or text); raises Refused or Lost."""
        response, answer = self._send(method, path, body, {})
        return response.status, answer

    def request_until_answered(self, serving, key, method, path, body=None):
        """The same with an Idempotency-Key, repeated whenever the answer was lost or says that a
        repeat may help, while the host is killed and started again. Raises Unanswered."""
        deadline = time.monotonic() + ANSWER_SECONDS
        last = None
        while time.monotonic() < deadline:
            if not serving.wait(0.1):
                continue
            try:
                response, answer = self._send(method, path, body, {"Idempotency-Key": key})
                if response.getheader("Idempotency-Replayed"):
                    self.replays += 1
                last = f"{response.status}: {answer}"
                # 504: the handler waited in vain for its reply.
                if response.status != 504 and not response.getheader("Retry-After"):
                    return response.status, answer
            except (Refused, Lost) as error:
                last = repr(error)
            self.repeats += 1
            time.sleep(0.02)
        raise Unanswered(f"{method} {path} ({key}) has no answer in {ANSWER_SECONDS} s; {last}")

    def _send(self, method, path, body, headers):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                         timeout=REQUEST_SECONDS)
            try:
                self.connection.connect()
            except OSError as error:
                self.close()
                raise Refused(str(error)) from error
        try:
            data = None if body is None else json.dumps(body)
            if body is not None:
                headers = {"Content-Type": "application/json", **headers}
            self.connection.request(method, path, data, headers)
            response = self.connection.getresponse()
            text = response.read().decode("utf-8")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Lost(str(error)) from error
        if response.will_close:
            self.close()
        try:
            return response, json.loads(text)
        except ValueError:
            return response, text


class Host:
    """Starts `binary arguments` on fixed ports; kills it; says when it serves. One thread starts
    and kills, any thread may wait for `serving`."""

    def __init__(self, binary, arguments, folder, root, lanes=None):
        self.folder = folder
        self.root = root
        self.port, self.admin_port = free_ports(2)
        self.command = [str(binary), *arguments, "--data", str(folder / "data"),
                        "--listen", f"127.0.0.1:{self.port}",
                        "--admin", f"127.0.0.1:{self.admin_port}"]
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
                                            stdout=log, stderr=log)

    def start(self):
        """Starts it and waits until it is ready."""
        began = time.monotonic()
        self.spawn()
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

    def kill(self):
        """SIGKILL, at whatever it does right now."""
        if self.process.poll() is not None:
            raise Broken(f"the host ended by itself with {self.process.returncode}")
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
        self.serving.clear()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise Broken(f"SIGTERM did not end the host in {STOP_SECONDS} s") from error
        if status != 0:
            raise Broken(f"SIGTERM ended the host with {status}, not 0")
        self.stops += 1

    def close(self):
        if self.process and self.process.poll() is None:
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

"""Processes of a bench: programs that print their figures, and servers that are ended by pid."""

import http.client
import json
import pathlib
import socket
import subprocess
import time

from .rows import CannotSetUp

END_SECONDS = 20
START_SECONDS = 60
PORT_TRIES = 10
REQUEST_SECONDS = 30
# If the driver is killed without a chance to clean up, the kernel ends what it started.
WITH_DRIVER = ["setpriv", "--pdeathsig", "KILL"]


def pinned(command, cpu):
    """On one core, where there is more than one to keep server and client apart."""
    return [str(each) for each in command] if cpu is None else \
        ["taskset", "-c", str(cpu), *(str(each) for each in command)]


def figures(command, seconds, cpu=None, env=None):
    """Runs a program whose last line is JSON; raises CannotSetUp with what it said."""
    try:
        done = subprocess.run([*WITH_DRIVER, *pinned(command, cpu)], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=seconds, check=False, env=env)
    except subprocess.TimeoutExpired as error:
        raise CannotSetUp(f"{command[1]} is not done after {seconds} s") from error
    if done.returncode != 0 or not done.stdout.strip():
        why = (done.stderr or done.stdout).strip()[-500:]
        raise CannotSetUp(f"{pathlib.Path(command[0]).name} ended with {done.returncode}: {why}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def get(port, path):
    """Status and text of a GET; None: nobody listens, or it went away."""
    return ask(port, "GET", path)


def post(port, path, value):
    return ask(port, "POST", path, json.dumps(value), {"Content-Type": "application/json"})


def ask(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class Server:
    """A server that was started here. `with` ends it."""

    def __init__(self, command, log, cpu=None, env=None, cwd=None):
        self.log = pathlib.Path(log)
        with open(log, "ab") as out:
            self.began = time.monotonic()
            self.process = subprocess.Popen([*WITH_DRIVER, *pinned(command, cpu)], stdout=out,
                                            stderr=out, stdin=subprocess.DEVNULL, env=env, cwd=cwd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    @property
    def pid(self):
        return self.process.pid

    def wait_until_ready(self, port, path="/readyz"):
        """Seconds from exec to the first 200."""
        while True:
            answer = get(port, path)
            if answer and answer[0] == 200:
                return time.monotonic() - self.began
            if self.process.poll() is not None:
                raise CannotSetUp(f"it ended with {self.process.returncode}: {self.tail()}")
            if time.monotonic() - self.began > START_SECONDS:
                self.end()
                raise CannotSetUp(f"it is not ready after {START_SECONDS} s: {self.tail()}")
            time.sleep(0.0005)

    def tail(self):
        return self.log.read_text("utf-8", "replace")[-500:]

    def kill(self):
        """SIGKILL, at whatever it does right now."""
        self.process.kill()
        self.process.wait()

    def end(self):
        if self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


class Host(Server):
    """The built host with one plugin, or a deployment file, on free ports."""

    def __init__(self, setup, arguments, data, lanes=None, cpu=None, env=None):
        self.port, self.admin_port = free_port(), free_port()
        command = [setup.host, *arguments, "--data", data, "--listen", f"127.0.0.1:{self.port}",
                   "--admin", f"127.0.0.1:{self.admin_port}", "--log-level", "warn"]
        if lanes:
            command += ["--lanes", lanes]
        log = pathlib.Path(data).with_suffix(".log")
        self.log_before = log.stat().st_size if log.exists() else 0
        self.again = lambda: Host.__init__(self, setup, arguments, data, lanes, cpu, env)
        super().__init__(command, log, cpu, env, cwd=setup.root)

    def wait_until_serving(self):
        """Seconds from exec to ready. A port that somebody else took since it was found free is no
        fault of the host: it is started again on others."""
        for _ in range(PORT_TRIES):
            try:
                return self.wait_until_ready(self.port)
            except CannotSetUp:
                if not self.port_taken():
                    raise
                self.again()
        return self.wait_until_ready(self.port)

    def port_taken(self):
        with open(self.log, "rb") as log:
            log.seek(self.log_before)
            return self.process.poll() == 3 and b"the port is taken" in log.read()

    def metrics(self):
        """{name with labels: value} of the admin listener."""
        answer = get(self.admin_port, "/metrics")
        if answer is None or answer[0] != 200:
            raise CannotSetUp(f"/metrics does not answer: {answer}")
        lines = (line.rsplit(" ", 1) for line in answer[1].splitlines()
                 if line and not line.startswith("#"))
        return {name: float(value) for name, value in lines}

"""What the servers have in common: a process with its data in a folder, ended by its pid."""

import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import time

START_SECONDS = 60
STOP_SECONDS = 20
PR_SET_PDEATHSIG = 1


class CannotStart(Exception):
    """The server is not there, or does not come up: what, and how to mend it."""


def free_ports(count):
    """Distinct ports of 127.0.0.1 that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def end_with_parent():
    """In the child, before exec: the kernel ends it when we are gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """One server process. `folder` is made for it and removed by whoever made it."""

    name = "server"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.process = None

    # What a server is ---------------------------------------------------------------------------

    def prepare(self):
        """Makes its data folder, once."""

    def command(self):
        raise NotImplementedError

    def ready(self):
        raise NotImplementedError

    # What is done to it -------------------------------------------------------------------------

    def start(self):
        """Starts it and waits until it serves. Raises CannotStart."""
        with open(self.folder / f"{self.name}.log", "ab") as log:
            # In a session of its own: a Ctrl-C in the terminal is for whoever started it.
            self.process = subprocess.Popen(self.command(), cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True,
                                            preexec_fn=end_with_parent)
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            if self.process.poll() is not None:
                raise CannotStart(f"{self.name} ended with {self.process.returncode}\n{self.said()}")
            if time.monotonic() > deadline:
                raise CannotStart(f"{self.name} is not ready in {START_SECONDS} s\n{self.said()}")
            time.sleep(0.05)
        return self

    def kill(self):
        """SIGKILL, with the processes that it has started."""
        for pid in [*children_of(self.process.pid), self.process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def pause(self):
        self._signal_all(signal.SIGSTOP)

    def resume(self):
        self._signal_all(signal.SIGCONT)

    def stop(self, how=signal.SIGTERM):
        if self.process is None or self.process.poll() is not None:
            return
        self.resume()
        self.process.send_signal(how)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def said(self, lines=20):
        text = (self.folder / f"{self.name}.log").read_text("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])

    def _signal_all(self, number):
        for pid in [self.process.pid, *children_of(self.process.pid)]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass


def children_of(pid):
    """All that descend from it."""
    found, parents = [], {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # gone meanwhile
        parents.setdefault(int(fields[1]), []).append(int(entry.name))
    waiting = [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found

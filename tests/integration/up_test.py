#!/usr/bin/env python3
"""./dev up: Hogwarts as eight processes on Kafka and PostgreSQL, until it ends and nothing is left.

usage: up_test.py HOST_BINARY [TEST...]
"""

import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
UP = ROOT / "examples" / "hogwarts" / "up.py"
BINARY = None
DEADLINE_SECONDS = 240
PLUGINS = {"library", "gryffindor", "hagrid", "herbology", "muggle", "platform", "quidditch",
           "master"}


class Up:
    """One run, with a folder for all that it writes."""

    def __init__(self, case, *command):
        self.folder = tempfile.mkdtemp(prefix="up-test-")
        os.chmod(self.folder, 0o711)  # PostgreSQL is another user where the tests are root
        case.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.process = subprocess.Popen(
            command or [sys.executable, str(UP), BINARY], cwd=ROOT, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "TMPDIR": self.folder})
        case.addCleanup(self.close)
        self.text = ""

    def close(self):
        if self.process.poll() is None:
            self.process.kill()  # the kernel ends what it has started
        self.process.wait()
        self.process.stdout.close()

    def read(self, deadline):
        """Adds what it says; false at its end."""
        out = self.process.stdout
        if not select.select([out], [], [], max(0, deadline - time.monotonic()))[0]:
            raise AssertionError("nothing more was said after:\n" + self.text)
        data = os.read(out.fileno(), 65536)
        self.text += data.decode("utf-8", "replace")
        return bool(data)

    def says(self, pattern):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (found := re.search(pattern, self.text, re.MULTILINE)):
            if not self.read(deadline):
                raise AssertionError(f"ended without {pattern}:\n{self.text}")
        return found

    def exit_code(self):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.read(deadline):
            pass
        return self.process.wait(DEADLINE_SECONDS)

    def table(self):
        """Name: URL of the routes, address of the admin listener."""
        self.says("Ctrl-C here")
        return {name: (url, f"http://{admin}") for name, url, admin in re.findall(
            r"^(\w+) +(http://[\d.:]+) +([\d.:]+) +\d+ +\w+\.log$", self.text, re.MULTILINE)}

    def processes(self):
        """Process number: command line, of those that name the folder."""
        found = {}
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if self.folder in command:
                found[int(entry.name)] = command
        return found

    def left(self):
        return [*self.processes().values(), *os.listdir(self.folder)]


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def scenes(universe):
    """How many were told, of any place: each sends somebody on to another process."""
    try:
        return ask(universe)["decisions"]["dice"]
    except urllib.error.HTTPError as error:
        if error.code == 404:  # its first letter is not there yet
            return 0
        raise


class UpTest(unittest.TestCase):
    def test_letters_travel_between_processes_also_when_these_are_killed_until_ctrl_c(self):
        up = Up(self, "./dev", "up")
        table = up.table()
        self.assertEqual(PLUGINS, set(table))
        self.assertEqual(len(PLUGINS), len([line for line in up.processes().values()
                                            if "--plugin plugins/" in line]))
        for name, (_, admin) in table.items():
            plugins = ask(admin + "/admin/plugins")
            self.assertEqual([name], [each["name"] for each in plugins])
        universe = self.universe(table)
        self.letters_travel(up, universe)
        for name in ("hagrid", "kafka", "postgres"):
            pid = re.search(rf"(?m)^{name} .* (\d+) +\S+\.log$", up.text).group(1)
            self.unpacks_in_its_folder(up, pid)
            os.kill(int(pid), signal.SIGKILL)
            up.says(rf"^--- {name} is back as process \d+$")
            self.letters_travel(up, universe)
        self.all_are_there(up, universe)
        up.process.send_signal(signal.SIGINT)
        self.assertEqual(0, up.exit_code(), up.text)
        self.assertNotIn("exit ", up.text)
        self.assertEqual([], up.left())

    def unpacks_in_its_folder(self, up, pid):
        """Kafka's library for lz4 stayed in /tmp when it was killed."""
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text("utf-8")
        for library in re.findall(r"\S*/liblz4-java\S*", maps):
            self.assertTrue(library.startswith(up.folder), library)

    def universe(self, table):
        master = table["master"][0] + "/universes"
        return f"{master}/{ask(master, {'pace': '0.1s', 'hops': 1000})['id']}"

    def letters_travel(self, up, universe, more=20):
        deadline = time.monotonic() + DEADLINE_SECONDS
        seen = []
        while not seen or seen[-1] < seen[0] + more:
            self.assertLess(time.monotonic(), deadline, up.text)
            try:
                seen.append(scenes(universe))
            except OSError:  # what the master needs is being started
                pass
            time.sleep(0.1)

    def all_are_there(self, up, universe):
        places = re.search(r"--places (\S+)", up.text).group(1)
        counted = subprocess.run(
            [sys.executable, str(UP.with_name("roll_call.py")), universe, "--within", "60",
             "--places", places], capture_output=True, text=True, check=False, timeout=120)
        self.assertIn("42 characters, each in one place exactly once.", counted.stdout,
                      counted.stderr)

    def test_one_that_ends_by_itself_is_named_with_the_end_of_its_log_and_all_ends(self):
        up = Up(self)
        up.table()
        victim, = [pid for pid, line in up.processes().items() if "plugins/hagrid.lua" in line]
        os.kill(victim, signal.SIGTERM)
        self.assertEqual(3, up.exit_code())
        self.assertRegex(up.text, r"(?m)^hagrid ended with 0\n--- the end of its log, "
                                  r"hagrid\.log:\n.*\S")
        self.assertEqual([], up.left())

    def test_it_ends_by_itself_and_at_sigterm_while_it_starts(self):
        up = Up(self, sys.executable, str(UP), BINARY, "--seconds", "1")
        self.assertEqual(0, up.exit_code(), up.text)
        self.assertEqual([], up.left())
        up = Up(self)
        up.says("Starting postgres")
        up.process.terminate()
        self.assertEqual(128 + signal.SIGTERM, up.exit_code(), up.text)
        self.assertEqual([], up.left())

    def test_a_wrong_call_starts_nothing(self):
        for arguments in (["--seconds", "soon"], ["--second"], ["now"]):
            up = Up(self, "./dev", "up", *arguments)
            self.assertEqual(2, up.exit_code(), up.text)
            self.assertNotIn("Starting", up.text)


if __name__ == "__main__":
    BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)

"""What people see of ./dev demo: the owl post, kill -9 in the middle, the end by itself and by Ctrl-C.

Runs ./dev demo in a terminal of its own (a pty), as a person would. Nothing may outlive it: no process
of its data folder, no file.
"""

import os
import pathlib
import pty
import re
import select
import shutil
import signal
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
CTRL_C = b"\x03"
DEADLINE_SECONDS = 60


class Demo:
    """One ./dev demo in a terminal, with a folder for all that it writes."""

    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix="demo-test-")
        self.text = ""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.environ.update(TMPDIR=self.folder, TERM="xterm", COLUMNS="100")
            os.execv("./dev", ["./dev", "demo", *options])

    def read(self, deadline):
        """Adds what the terminal shows; false when the demo has closed it."""
        ready, _, _ = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise AssertionError("nothing more was shown after:\n" + self.text)
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            return False
        self.text += re.sub(r"\x1b\[\d+m", "", data.decode("utf-8", "replace")).replace("\r", "")
        return bool(data)

    def shows(self, pattern, after=0):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (found := re.search(pattern, self.text[after:], re.MULTILINE)):
            if not self.read(deadline):
                raise AssertionError(f"ended without {pattern}:\n{self.text}")
        return found

    def type(self, keys):
        os.write(self.terminal, keys)

    def exit_code(self):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.read(deadline):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def left(self):
        """Processes that name the folder, and files in it."""
        running = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if self.folder in command:
                running.append(command)
        return running + os.listdir(self.folder)

    def close(self):
        try:
            os.kill(self.pid, signal.SIGTERM)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass  # it has ended, as it should
        os.close(self.terminal)
        shutil.rmtree(self.folder, ignore_errors=True)


class DemoTest(unittest.TestCase):
    def demo(self, *options):
        demo = Demo(*options)
        self.addCleanup(demo.close)
        return demo

    def test_it_ends_by_itself_with_everybody_counted(self):
        demo = self.demo("--seconds", "5")
        demo.shows(r"^From +Characters +Scene +Sent To$")
        demo.shows(r"^[1-9]\d* letters were sent\.$")
        demo.shows(r"^42 characters, each in one place exactly once\.$")
        self.assertEqual(0, demo.exit_code())
        self.assertEqual([], demo.left())

    def test_no_line_is_wider_than_the_terminal_of_100_columns(self):
        demo = self.demo("--seconds", "3")
        demo.exit_code()
        table = demo.text[demo.text.index("From "):]
        self.assertEqual([], [line for line in table.splitlines() if len(line) > 100])

    def test_a_killed_host_comes_back_with_everybody_until_ctrl_c(self):
        demo = self.demo()
        host = int(demo.shows(r"kill -9 (\d+)").group(1))
        demo.shows(r"^(hagridsHut|platform9Quarters) ")
        os.kill(host, signal.SIGKILL)
        demo.shows(r"the host was killed \(signal 9\)")
        demo.shows(r"the host is back as process \d+")
        demo.shows(r"^[a-zA-Z9]+ +[A-Z]\w+.*(Tower|Library|Hut|House|World|Quarters|Pitch)$",
                   after=demo.text.index("the host is back"))
        demo.type(CTRL_C)
        demo.shows(r"^42 characters, each in one place exactly once\.$")
        self.assertEqual(0, demo.exit_code())
        self.assertEqual([], demo.left())

    def test_a_second_ctrl_c_ends_it_at_once(self):
        demo = self.demo()
        demo.shows(r"^From +Characters")
        demo.type(CTRL_C)
        demo.shows(r"letters were sent")
        demo.type(CTRL_C)
        self.assertEqual(0, demo.exit_code())
        self.assertEqual([], demo.left())


class Tally(unittest.TextTestResult):
    def stopTestRun(self):
        failed = len(self.failures) + len(self.errors)
        print(f"{self.testsRun - failed} passed, {failed} failed", flush=True)


if __name__ == "__main__":
    unittest.main(testRunner=unittest.TextTestRunner(resultclass=Tally, verbosity=2), buffer=False)

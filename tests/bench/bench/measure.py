"""Numbers about processes and the machine, read from /proc and from small probes."""

import datetime
import os
import pathlib
import platform
import statistics
import subprocess
import time

median = statistics.median


def cpu_seconds(pid):
    """CPU time of all threads that live, to the nanosecond; of ended ones nothing."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return total / 1e9


def waited_seconds(pid):
    """How long its threads that live could have run, and others had the cores."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return total / 1e9


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(f"process {pid} has no memory any more")


def children(pid):
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in text.split()]


def load_average():
    return os.getloadavg()[0]


def sync_ms(folder, times=200):
    """The median time that 4 KB need to be safe on the disk below `folder`."""
    path = pathlib.Path(folder) / "sync.probe"
    took = []
    with open(path, "wb") as file:
        for _ in range(times):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    path.unlink()
    return median(took) * 1e3


def first_value(path, name):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(name):
            return line.split(":", 1)[1].strip()
    return "unknown"


def machine(folder):
    """What a reader must know of the machine, as a sentence."""
    memory = int(first_value("/proc/meminfo", "MemTotal").split()[0]) / 1e6
    release = platform.freedesktop_os_release().get("PRETTY_NAME", "unknown system")
    return (f"{os.cpu_count()} x {first_value('/proc/cpuinfo', 'model name')}, {memory:.0f} GB, "
            f"{release}, Linux {platform.release()}; fdatasync of 4 KB "
            f"{sync_ms(folder):.2f} ms (median)")


def git(root, *arguments):
    return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True,
                          check=True).stdout.strip()


def commit(root):
    """The commit that is measured; "+" behind it: with changes in what is measured."""
    try:
        changed = git(root, "status", "--porcelain", "--", "host", "bindings", "CMakeLists.txt")
        return git(root, "rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def today():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")

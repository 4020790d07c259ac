"""What the benches are given: the built programs, a scratch folder, lengths and rounds."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import uuid

from .rows import CannotSetUp

NGINX_PACKAGES = ["nginx", "libnginx-mod-http-lua", "libnginx-mod-http-ndk", "libluajit2-5.1-2",
                  "lua-cjson", "lua-resty-core", "lua-resty-lrucache", "libpcre3"]


@dataclasses.dataclass
class Setup:
    root: pathlib.Path
    host: pathlib.Path
    program: pathlib.Path
    cache: pathlib.Path    # packages of peers; stays
    scratch: pathlib.Path  # data folders; goes at the end
    quick: bool
    minutes: float
    count: int

    @property
    def here(self):
        return self.root / "tests" / "bench"

    def plugin(self, name):
        return (self.here / "plugins" / f"{name}.lua").relative_to(self.root)

    def folder(self, name):
        """A new data folder's path; the folder is not there yet."""
        return self.scratch / f"{name}-{uuid.uuid4().hex[:8]}"

    def rounds(self, usual=3):
        return range(1 if self.quick else usual)

    def seconds(self, usual, quick):
        return quick if self.quick else usual

    def cores(self):
        """(server's core, client's core), or none where there is only one."""
        allowed = sorted(os.sched_getaffinity(0))
        return (allowed[0], allowed[1]) if len(allowed) > 1 else (None, None)


def unpack(cache, name, packages):
    """Debian packages unpacked below `cache`/`name`, never installed: libnginx-mod-http-lua would
    remove the LuaJIT that the host is built with."""
    target = cache / name
    if (target / "complete").exists():
        return target / "root"
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise CannotSetUp(f"{name}: this is no Debian, its packages cannot be unpacked")
    shutil.rmtree(target, ignore_errors=True)
    (target / "packages").mkdir(parents=True)
    done = subprocess.run(["apt-get", "download", *packages], cwd=target / "packages",
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotSetUp(f"{name}: apt-get download failed: {done.stderr.strip()[-300:]}")
    for package in (target / "packages").glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, target / "root"], check=True)
    (target / "complete").touch()
    return target / "root"


def wrk(setup):
    """The HTTP client's path: the installed one, else an unpacked one."""
    installed = shutil.which("wrk")
    if installed:
        return pathlib.Path(installed)
    return unpack(setup.cache, "wrk", ["wrk"]) / "usr" / "bin" / "wrk"


def nginx(setup):
    """Root of the unpacked nginx with its Lua module, and the environment that it needs."""
    root = unpack(setup.cache, "nginx", NGINX_PACKAGES)
    libraries = [root / "usr/lib/x86_64-linux-gnu", root / "lib/x86_64-linux-gnu"]
    return root, dict(os.environ, LD_LIBRARY_PATH=":".join(map(str, libraries)))

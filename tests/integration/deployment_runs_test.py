#!/usr/bin/env python3
"""Each `host` of compose.yaml and kubernetes.yaml runs, with its arguments, variables and secrets.

usage: tests/servers/with kafka postgres -- deployment_runs_test.py HOST_BINARY [TEST...]
"""

import os
import pathlib
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import host_process_test as process
from deployment_files_test import (COMPOSE, HOGWARTS, PLUGINS, ROOT, image_environment, of_kind,
                                   pods, port_of, said)

IMAGE_ROOT = "/srv/host"
READY_SECONDS = 120


class RunTest(unittest.TestCase):
    """Addresses of servers, folders and ports are put in the place of
    the containers' own, all else is as it stands there."""

    @classmethod
    def setUpClass(cls):
        cls.postgres = dict(re.findall(r"(\w+)=(\S+)", os.environ["TEST_POSTGRES"]))
        cls.secrets = {name: secrets.token_hex(32) for name in COMPOSE["secrets"]}
        cls.psql("postgres", f"create role postgres superuser login password "
                             f"'{cls.secrets['postgres']}'", "create database hogwarts")

    @classmethod
    def psql(cls, database, *statements):
        address = f"127.0.0.1:{cls.postgres['port']}"
        subprocess.run(
            ["psql", "-qX", "-v", "ON_ERROR_STOP=1",
             *(word for text in statements for word in ("-c", text)),
             f"postgresql://{cls.postgres['user']}@{address}/{database}"],
            check=True, timeout=60, env={**os.environ, "PGPASSWORD": cls.postgres["password"]})

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="deployment_files_"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.running = {}

    def place(self, name, given, mounts):
        """Variables with the places that they have here. `mounts`: a folder of the container, and the
        names of the secrets in it."""
        for path, names in mounts.items():
            there = self.folder / name / path.strip("/")
            there.mkdir(parents=True)
            for each in names:
                (there / each).write_text(self.secrets[each] + "\n", "utf-8")
            given = {key: value.replace(path, str(there)) for key, value in given.items()}
            auth = (HOGWARTS / "auth.lua").read_text("utf-8").replace("/run/secrets", str(there))
            if "ops_token" in names:
                (self.folder / name / "auth.lua").write_text(auth, "utf-8")
        return {key: value.replace("/etc/host", str(self.folder / name)).replace(IMAGE_ROOT, str(ROOT))
                .replace("kafka:9092", os.environ["TEST_KAFKA"])
                .replace("@postgres/", f"@127.0.0.1:{self.postgres['port']}/")
                for key, value in given.items()}

    def start(self, name, arguments, environment, mounts):
        """One container's process."""
        here = self.place(name, {**image_environment(), **environment}, mounts)
        words = self.place_of_words(name, arguments, mounts)
        for variable in ("HOST_LISTEN", "HOST_ADMIN"):
            if variable in environment or variable == "HOST_LISTEN":
                address = here[variable].rpartition(":")[0]
                here[variable] = f"{address}:{process.free_port()}"
        log = self.folder / f"{name}.log"
        with open(log, "wb") as out:
            started = subprocess.Popen([process.BINARY, *words], cwd=ROOT, stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=out, env=process.clean_environment(**here))
        self.addCleanup(lambda: (started.kill(), started.wait()))
        self.running[name] = (started, here, log)

    def place_of_words(self, name, arguments, mounts):
        words = []
        for word in arguments:
            for path in mounts:
                word = word.replace(path, str(self.folder / name / path.strip("/")))
            words.append(word.replace("@postgres/", f"@127.0.0.1:{self.postgres['port']}/"))
        return words

    def ends_well(self, name):
        started, _, log = self.running.pop(name)
        self.assertEqual(0, started.wait(READY_SECONDS), log.read_text("utf-8"))
        self.assertNotIn("means nothing", log.read_text("utf-8"))

    def all_become_ready(self):
        deadline = time.monotonic() + READY_SECONDS
        for name, (started, here, log) in self.running.items():
            while self.status(here["HOST_LISTEN"], "/readyz") != 200:
                said_so_far = log.read_text("utf-8")
                self.assertIsNone(started.poll(), said_so_far)
                self.assertLess(time.monotonic(), deadline, said_so_far)
                time.sleep(0.1)
            self.assertEqual(200, self.status(here["HOST_LISTEN"], "/healthz"))
            self.assertNotIn("means nothing", log.read_text("utf-8"), name)

    def status(self, address, path, method="GET", token=None):
        headers = {"Authorization": f"Bearer {self.secrets[token]}"} if token else {}
        try:
            return process.Host.request(None, port_of(address), method, path, headers=headers)[0]
        except OSError:
            return None

    def tokens_open_what_they_should(self):
        _, here, _ = self.running["master"]
        start = (here["HOST_LISTEN"], "/universes", "POST")
        self.assertEqual(401, self.status(*start))
        self.assertEqual(403, self.status(*start, token="metrics_token"))
        self.assertEqual(201, self.status(*start, token="ops_token"))
        self.assertEqual(401, self.status(here["HOST_ADMIN"], "/metrics"))
        self.assertEqual(200, self.status(here["HOST_ADMIN"], "/metrics", token="metrics_token"))

    def stop_all(self):
        for started, _, _ in self.running.values():
            started.terminate()
        for name in list(self.running):
            self.ends_well(name)

    def each_uses_its_role(self):
        """And no more connections than docs/operations.md counts."""
        rows = said("env", f"PGPASSWORD={self.postgres['password']}", "psql", "-qAtX", "-c",
                    "select usename, count(*) from pg_stat_activity where datname = 'hogwarts' "
                    "group by 1", f"postgresql://{self.postgres['user']}@127.0.0.1:"
                    f"{self.postgres['port']}/postgres")
        counted = {role: int(n) for role, n in (row.split("|") for row in rows.split())}
        self.assertEqual({"host", *(f"host_{name}" for name in PLUGINS)}, set(counted))
        self.assertLessEqual(counted.pop("host"), 7 * len(PLUGINS))
        self.assertLessEqual(max(counted.values()), 3)

    def test_all_of_compose_runs(self):
        services = COMPOSE["services"]
        mounts = {name: {"/run/secrets": services[name]["secrets"]} for name in ["db-init", *PLUGINS]}
        self.start("db-init", services["db-init"]["command"], {}, mounts["db-init"])
        self.ends_well("db-init")
        for name in PLUGINS:
            self.start(name, services[name]["command"], services[name]["environment"], mounts[name])
        self.all_become_ready()
        self.tokens_open_what_they_should()
        self.each_uses_its_role()
        self.stop_all()

    def test_all_of_kubernetes_runs(self):
        for name, pod in pods().items():
            container, = pod["containers"]
            keys = {"passwords": [name for name in self.secrets if "token" not in name],
                    "tokens": ["ops_token", "metrics_token"]}
            for volume in pod["volumes"]:
                if items := volume.get("secret", {}).get("items"):
                    keys[volume["name"]] = [item["path"] for item in items]
            mounts = {mount["mountPath"]: keys[mount["name"]] for mount in container["volumeMounts"]
                      if mount["name"] in keys}
            environment = {each["name"]: each["value"] for each in container.get("env", [])}
            self.start(name, container["args"], environment, mounts)
            if name == "db-init":
                self.ends_well(name)
        self.all_become_ready()
        self.tokens_open_what_they_should()
        self.each_uses_its_role()
        self.paths_lead_to_their_plugins()
        self.stop_all()

    def paths_lead_to_their_plugins(self):
        """Each path of the Ingress is served by the plugin behind it."""
        rule, = of_kind("Ingress")["hogwarts"]["spec"]["rules"]
        self.assertEqual(len(PLUGINS), len(rule["http"]["paths"]))
        for path in rule["http"]["paths"]:
            _, here, _ = self.running[path["backend"]["service"]["name"]]
            described = process.Host.request(None, port_of(here["HOST_LISTEN"]), "GET",
                                             "/openapi.json")[1]
            self.assertTrue(any(served.startswith(path["path"]) for served in described["paths"]),
                            path)


if __name__ == "__main__":
    process.BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)

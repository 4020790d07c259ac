#!/usr/bin/env python3
"""`host db init` on a real server, which tests/servers/with postgres starts.

usage: db_init_test.py HOST_BINARY [TEST...]
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOST = None
PLUGIN = """return { api = 1, name = "owls", tables = { "create table owls_t (id bigint)" },
  on = { letters = { schema = require "host.spec".any, handle = function() end } } }"""


def server():
    """The server's port, and its superuser's name and password."""
    return dict(re.findall(r"(\w+)=(\S+)", os.environ["TEST_POSTGRES"]))


class DbInitTest(unittest.TestCase):
    count = 0

    def setUp(self):
        DbInitTest.count += 1
        self.server = server()
        self.database = f"init_{os.getpid()}_{DbInitTest.count}"
        self.role = f"r_{self.database}"  # roles are the server's, not the database's
        self.sql(f"create database {self.database}", "postgres")

    def tearDown(self):
        self.sql(f"drop database {self.database} with (force)", "postgres")
        for role in self.sql("select rolname from pg_roles where rolname like "
                             f"'{self.role}%'", "postgres").split():
            self.sql(f'drop role "{role}"', "postgres")

    def psql(self, text, database, user, password):
        url = f"postgresql://{user}@127.0.0.1:{self.server['port']}/{database}"
        return subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text, url],
                              capture_output=True, text=True, check=False, timeout=30,
                              env={**os.environ, "PGPASSWORD": password})

    def sql(self, text, database=None):
        done = self.psql(text, database or self.database, self.server["user"],
                         self.server["password"])
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout.strip()

    def init(self, *arguments, **variables):
        url = f"postgresql://{self.server['user']}@127.0.0.1:{self.server['port']}/{self.database}"
        environment = {**os.environ, "PGPASSWORD": self.server["password"], **variables}
        return subprocess.run([HOST, "db", "init", "--store", url, "--role", self.role,
                               *arguments], capture_output=True, text=True, check=False,
                              timeout=60, cwd=ROOT, env=environment)

    def passwords(self, *plugins):
        names = [self.role, *(f"{self.role}_{plugin}" for plugin in plugins)]
        return {f"HOST_PASSWORD__{name}": f"secret of {name}" for name in names}

    def test_it_makes_roles_that_can_log_in_and_reach_their_schema_alone(self):
        done = self.init("owls", "plugins/master.lua", **self.passwords("owls", "master"))
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertIn(f"role {self.role}_owls: made, password set", done.stdout)
        self.assertIn("schema plugin_master: made", done.stdout)
        self.assertNotIn("secret", done.stdout)
        who = f"{self.role}_owls"
        made = self.psql("create table owls_t (id bigint); insert into owls_t values (1);"
                         " select current_user", self.database, who, f"secret of {who}")
        self.assertIn("no schema has been selected", made.stderr)  # without the host's search_path
        made = self.psql("create table plugin_owls.owls_t (id bigint)", self.database, who,
                         f"secret of {who}")
        self.assertEqual(0, made.returncode, made.stderr)
        for other in ("plugin_master.t", "host.t", "public.t"):
            refused = self.psql(f"create table {other} (id bigint)", self.database, who,
                                f"secret of {who}")
            self.assertIn("permission denied", refused.stderr)
        again = self.init("owls", "plugins/master.lua")
        self.assertEqual(0, again.returncode, again.stderr)
        self.assertNotIn("made", again.stdout)

    def test_passwords_come_from_files_too(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in (self.role, f"{self.role}_owls"):
                (pathlib.Path(folder) / name).write_text(f"of a file: {name}\n", "utf-8")
            administrator = pathlib.Path(folder) / self.server["user"]
            administrator.write_text(self.server["password"], "utf-8")
            done = self.init("owls", "--passwords", folder, PGPASSWORD="not the one")
            self.assertEqual(0, done.returncode, done.stderr)
        who = f"{self.role}_owls"
        self.assertEqual(f"{who}\n", self.psql("select current_user", self.database, who,
                                               f"of a file: {who}").stdout)

    def test_a_deployment_names_its_plugins(self):
        with tempfile.TemporaryDirectory() as folder:
            plugin = pathlib.Path(folder) / "owls.lua"
            plugin.write_text(PLUGIN, "utf-8")
            deployment = pathlib.Path(folder) / "deployment.lua"
            deployment.write_text('return { plugins = { ["owls.lua"] = {} } }', "utf-8")
            done = self.init(str(deployment), "--root", folder, **self.passwords("owls"))
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("schema plugin_owls: made", done.stdout)

    def test_what_goes_wrong_is_said_leaks_nothing_and_leaves_nothing(self):
        cases = [
            ({"arguments": ["owls"]}, 3, "no password for the new role"),
            ({"arguments": ["owls"], "PGPASSWORD": "wrong secret"}, 3, "password authentication"),
            ({"arguments": ["missing.lua"]}, 1, "missing.lua"),
            ({"arguments": ["Owls.txt"]}, 1, "Owls.txt"),
            ({"arguments": []}, 2, "plugins"),
        ]
        for call, code, text in cases:
            with self.subTest(text=text):
                arguments = call.pop("arguments")
                done = self.init(*arguments, **call)
                self.assertEqual(code, done.returncode, done.stderr)
                self.assertIn(text, done.stderr + done.stdout)
                self.assertNotIn("wrong secret", done.stderr + done.stdout)
                self.assertEqual("0", self.sql("select count(*) from pg_roles where rolname like"
                                               f" '{self.role}%'"))


if __name__ == "__main__":
    HOST = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()

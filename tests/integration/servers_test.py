#!/usr/bin/env python3
"""The binary on Kafka and PostgreSQL, which tests/servers/with kafka postgres starts.

usage: servers_test.py HOST_BINARY [TEST...]
"""

import concurrent.futures
import http.client
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import host_process_test as process

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "servers"))
from servers import Postgres  # noqa: E402
from servers.server import free_ports  # noqa: E402

TAKEN_OVER_SECONDS = 15  # from the kill of a host
# The counter, whose shards are asked, listed and listened to from any host.
SHARED = process.COUNTER.replace(
    "ctx.state.total + msg.n * STEP end",
    "ctx.state.total + msg.n * STEP; ctx:reply { total = ctx.state.total } end").replace(
    "routes = {", """routes = {
    ["GET /hits"] = { auth = "none", stream = { topic = "counter.hits" } },
    ["POST /asked/:id"] = {
      auth = "none", body = { n = spec.int },
      handle = function(ctx, req)
        local reply, err = ctx:ask("counter.hits", req.params.id, req.body)
        if not reply then return nil, err end
        return 200, reply
      end,
    },
    ["GET /listed"] = {
      auth = "none",
      handle = function(ctx)
        local found = {}
        for key, state in ctx:each() do found[#found + 1] = key .. " " .. state.total end
        return 200, found
      end,
    },""")


def server():
    """Port, superuser and password of the PostgreSQL that serves all tests."""
    return dict(re.findall(r"(\w+)=(\S+)", os.environ["TEST_POSTGRES"]))


class ServersCase(unittest.TestCase):
    """A database and a prefix for each test."""
    count = 0

    def setUp(self):
        ServersCase.count += 1
        temporary = tempfile.TemporaryDirectory(prefix="servers_")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        (self.folder / "counter.lua").write_text(process.COUNTER, "utf-8")
        self.server = server()
        self.name = f"t{os.getpid()}_{ServersCase.count}"  # of the database, and before the topics
        self.sql(f"create database {self.name}", "postgres")
        self.addCleanup(self.sql, f"drop database {self.name} with (force)", "postgres")

    def sql(self, text, database=None):
        url = (f"postgresql://{self.server['user']}@127.0.0.1:{self.server['port']}/"
               f"{database or self.name}")
        done = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text, url],
                              capture_output=True, text=True, check=False, timeout=60,
                              env={**os.environ, "PGPASSWORD": self.server["password"]})
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout.strip()

    def store(self, database=None, port=None):
        return (f"postgresql://{self.server['user']}@127.0.0.1:{port or self.server['port']}/"
                f"{database or self.name}")

    def arguments(self, *more, store=None, log=None, partitions=8):
        return ["--plugin", "counter.lua", "--log", log or f"kafka://{os.environ['TEST_KAFKA']}",
                "--store", store or self.store(), "--prefix", f"{self.name}.",
                "--partitions", str(partitions), "--lanes", "2", *more]

    def environment(self, **more):
        return {"PGPASSWORD": self.server["password"], **more}

    def host(self, *more, name="a", plugin=process.COUNTER, **how):
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "counter.lua").write_text(plugin, "utf-8")
        return process.Host(self, folder, *self.arguments(*more, **how),
                            environment=self.environment())

    def ends(self, *more, environment=None, **how):
        arguments = [*self.arguments(*more, **how), "--listen", "127.0.0.1:0", "--admin", "none"]
        return process.ends(self.folder, *arguments,
                            environment=environment or self.environment())

    def hit(self, host, key="ada", n=1):
        self.assertEqual(host.post(f"/counters/{key}", {"n": n})[0], 202)

    def total_becomes(self, host, total, key="ada"):
        want = (200, {"total": total, "unit": "hits"})
        host.wait(f"a total of {total} of {key}", lambda: host.get(f"/counters/{key}") == want)

    def shards(self, host):
        return {(each["plugin"], each["shard"]) for each in host.admin("/admin/shards")[1]
                if each["status"] == "running"}


class ServersTest(ServersCase):
    # ---- one host ----

    def test_state_survives_kill_9(self):
        host = self.host()
        for key in range(20):
            self.hit(host, f"k{key}", key + 1)
        host.kill()
        host.start()
        for key in range(20):
            self.total_becomes(host, key + 1, f"k{key}")

    def test_it_says_where_log_and_store_are_and_never_the_password(self):
        host = self.host()
        self.assertIn(f"log on Kafka at {os.environ['TEST_KAFKA']}", host.logged())
        self.assertIn(f"database {self.name}", host.logged())
        self.assertEqual(0, host.stop())
        self.assertNotIn(f"password={self.server['password']}", host.logged())

    def db_init(self, role, passwords):
        done = subprocess.run([process.BINARY, "db", "init", "--store", self.store(), "--role", role,
                               "--passwords", str(passwords), "counter"], cwd=self.folder,
                              capture_output=True, text=True, timeout=60, check=False,
                              env=process.clean_environment(**self.environment()))
        self.assertEqual(0, done.returncode, done.stderr)

    def host_with_roles(self, role):
        """A host whose passwords are files of a folder, and that folder."""
        passwords = self.folder / "passwords"
        passwords.mkdir()
        for each in (role, f"{role}_counter"):
            (passwords / each).write_text(f"secret of {each}\n", "utf-8")
        self.db_init(role, passwords)
        self.addCleanup(self.drop_roles, role)
        url = f"postgresql://{role}@127.0.0.1:{self.server['port']}/{self.name}"
        folder = self.folder / "a"
        folder.mkdir()
        (folder / "counter.lua").write_text(process.COUNTER, "utf-8")
        arguments = self.arguments("--passwords", str(passwords), store=url)
        return process.Host(self, folder, *arguments), passwords

    def test_roles_of_plugins_are_used_and_all_passwords_are_files(self):
        role = f"r_{self.name}"
        host, _ = self.host_with_roles(role)
        self.hit(host)
        self.total_becomes(host, 1)
        who = self.sql("select distinct usename from pg_stat_activity "
                       f"where datname = '{self.name}'").split()
        self.assertIn(f"{role}_counter", who)
        host.kill()

    def test_new_passwords_are_taken_while_it_runs(self):
        role = f"r_{self.name}"
        host, passwords = self.host_with_roles(role)
        self.hit(host)
        self.total_becomes(host, 1)
        for each in (role, f"{role}_counter"):
            (passwords / each).write_text(f"new secret of {each}\n", "utf-8")
        self.db_init(role, passwords)
        cut = self.sql("select count(pg_terminate_backend(pid)) from pg_stat_activity "
                       f"where datname = '{self.name}' and usename like '{role}%'")
        self.assertGreater(int(cut), 3)
        host.wait("messages to be taken again",
                  lambda: host.post("/counters/ada", {"n": 1})[0] == 202)
        self.total_becomes(host, 2)
        host.wait("readiness", host.ready)
        self.assertEqual(0, host.stop())

    def test_a_wrong_password_of_a_plugin_ends_the_start(self):
        role = f"r_{self.name}"
        host, passwords = self.host_with_roles(role)
        host.kill()
        (passwords / f"{role}_counter").write_text("alohomora\n", "utf-8")
        url = f"postgresql://{role}@127.0.0.1:{self.server['port']}/{self.name}"
        code, said = self.ends("--passwords", str(passwords), store=url)
        self.assertEqual(3, code, said)
        self.assertRegex(said, f'connecting for plugin counter: .*"{role}_counter"')
        self.assertNotIn("alohomora", said)

    def test_a_password_that_is_gone_is_named_and_no_other_role_is_used(self):
        role = f"r_{self.name}"
        host, passwords = self.host_with_roles(role)
        self.hit(host)
        self.total_becomes(host, 1)
        (passwords / f"{role}_counter").rename(passwords / "away")
        self.sql("select count(pg_terminate_backend(pid)) from pg_stat_activity "
                 f"where datname = '{self.name}' and usename = '{role}_counter'")
        self.hit(host)
        host.wait("the log to name it",
                  lambda: "the password of plugin counter's role is gone" in host.logged())
        (passwords / "away").rename(passwords / f"{role}_counter")
        self.total_becomes(host, 2)
        self.assertEqual(0, host.stop())

    def drop_roles(self, role):
        for each in (f"{role}_counter", role):
            self.sql(f'reassign owned by "{each}" to {self.server["user"]};'
                     f' drop owned by "{each}"')
            self.sql(f'drop role "{each}"', "postgres")

    # ---- several hosts ----

    def test_two_hosts_share_the_shards_and_answer_for_all_of_them(self):
        first, second = self.host(name="a"), self.host(name="b")
        first.wait("fair shares", lambda: len(self.shards(first)) == len(self.shards(second)) == 4)
        for key in range(16):
            self.hit(first, f"k{key}", key + 1)
        for key in range(16):
            self.total_becomes(second, key + 1, f"k{key}")

    def test_asks_lists_repeats_and_streams_reach_the_shards_of_all_hosts(self):
        first = self.host(name="a", plugin=SHARED)
        second = self.host(name="b", plugin=SHARED)
        first.wait("fair shares", lambda: len(self.shards(first)) == len(self.shards(second)) == 4)
        heard = {host: self.listen(host, 16) for host in (first, second)}
        for key in range(16):
            asked, repeated = (first, second) if key % 2 else (second, first)
            once = {"Idempotency-Key": f"{self.name}-{key}"}
            for host in (asked, repeated, asked):
                answer = host.request(host.port, "POST", f"/asked/k{key}", {"n": key + 1}, once)
                self.assertEqual((200, {"total": key + 1}), answer)
        want = sorted(f"k{key} {key + 1}" for key in range(16))
        for host in (first, second):
            # Reads see what was committed, and a reply goes out with the commit.
            status, listed = host.get("/listed")
            self.assertEqual((200, want), (status, sorted(listed)))
            self.assertEqual(list(range(1, 17)), sorted(heard[host].result(process.DEADLINE_SECONDS)))

    def listen(self, host, count):
        """A future of the numbers of so many events of its stream, which is open from now on."""
        connection = http.client.HTTPConnection("127.0.0.1", host.port,
                                                timeout=process.DEADLINE_SECONDS)
        self.addCleanup(connection.close)
        connection.request("GET", "/hits")
        stream = connection.getresponse()
        self.assertEqual(200, stream.status)

        def numbers():
            found = []
            while len(found) < count:
                line = stream.readline()
                if not line:
                    raise AssertionError(f"the stream ended after {found}")
                found += [int(n) for n in re.findall(rb'^data:.*"n":(\d+)', line)]
            return found

        pool = concurrent.futures.ThreadPoolExecutor(1)
        self.addCleanup(pool.shutdown)
        return pool.submit(numbers)

    def test_a_killed_host_is_followed_and_nothing_is_lost(self):
        first, second = self.host(name="a"), self.host(name="b")
        first.wait("fair shares", lambda: len(self.shards(first)) == len(self.shards(second)) == 4)
        for key in range(16):
            self.hit(second, f"k{key}", key + 1)
        second.kill()
        began = time.monotonic()
        first.wait("all shards", lambda: len(self.shards(first)) == 8)
        self.assertLess(time.monotonic() - began, TAKEN_OVER_SECONDS)
        for key in range(16):
            self.total_becomes(first, key + 1, f"k{key}")

    def test_a_stopped_host_hands_over(self):
        first, second = self.host(name="a"), self.host(name="b")
        first.wait("fair shares", lambda: len(self.shards(first)) == len(self.shards(second)) == 4)
        going, sent = threading.Event(), []

        def send():
            while not going.is_set():
                self.hit(first, f"k{len(sent) % 16}")
                sent.append(1)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            self.assertEqual(0, second.stop(), second.logged())
            first.wait("all shards", lambda: len(self.shards(first)) == 8)
        finally:
            going.set()
            sender.join()
        for key in range(min(16, len(sent))):
            self.total_becomes(first, len(sent[key::16]), f"k{key}")
        self.assertNotIn("a member is dead", first.logged())

    # ---- servers that are away, and what is wrong ----

    def test_it_waits_for_a_store_that_is_away(self):
        port, = free_ports(1)
        listen, = free_ports(1)
        folder = self.folder / "away"
        folder.mkdir()
        log = open(folder / "log", "w+", encoding="utf-8")
        self.addCleanup(log.close)
        waiting = subprocess.Popen(
            [process.BINARY, *self.arguments(store=self.store(port=port)),
             "--listen", f"127.0.0.1:{listen}", "--admin", "none"],
            cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            env=process.clean_environment(**self.environment()))
        self.addCleanup(lambda: (waiting.kill(), waiting.wait()))
        answer = self.when_it_answers(listen, "/readyz")
        self.assertEqual((503, False, "store"),
                         (answer[0], answer[1]["ready"], answer[1]["away"][0]["name"]))
        self.assertEqual(200, self.when_it_answers(listen, "/healthz")[0])
        self.assertEqual(503, self.when_it_answers(listen, "/counters/ada")[0])
        waiting.send_signal(signal.SIGTERM)
        self.assertEqual(0, waiting.wait(process.DEADLINE_SECONDS))
        log.seek(0)
        self.assertIn("waiting for the store", log.read())

    def test_it_begins_when_the_servers_come(self):
        folder = self.folder / "postgres"
        folder.mkdir()
        self.folder.chmod(0o711)
        late = Postgres(folder)
        self.addCleanup(late.stop)
        late.prepare()
        url = f"postgresql://tester@127.0.0.1:{late.port}/postgres"
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            starting = pool.submit(process.Host, self, self.folder, *self.arguments(store=url),
                                   environment={"PGPASSWORD": "tester"})
            said = self.folder / "host.log"
            deadline = time.monotonic() + process.DEADLINE_SECONDS
            while not said.exists() or "waiting for the store" not in said.read_text("utf-8"):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)
            late.start()
            host = starting.result()
        self.hit(host)
        self.total_becomes(host, 1)
        host.kill()

    def when_it_answers(self, port, path):
        asking = process.Host.request
        deadline = time.monotonic() + process.DEADLINE_SECONDS
        while True:
            try:
                return asking(None, port, "GET", path)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def test_what_cannot_work_ends_it_with_a_hint(self):
        wrong = {"PGPASSWORD": "wrong secret"}
        cases = [
            ("a wrong password", {"environment": wrong}, "password"),
            ("no such database", {"store": self.store("nowhere")}, "nowhere"),
        ]
        for what, how, text in cases:
            with self.subTest(what):
                code, said = self.ends(**how)
                self.assertEqual(3, code, said)
                self.assertIn(text, said)
                self.assertNotIn("wrong secret", said)

    def test_another_partition_count_or_a_newer_schema_ends_it(self):
        host = self.host()
        self.assertEqual(0, host.stop())
        code, said = self.ends(partitions=9)
        self.assertEqual((3, True), (code, "8" in said and "9" in said), said)
        other = f"{self.name}_other"
        self.sql(f"create database {other}", "postgres")
        self.addCleanup(self.sql, f"drop database {other} with (force)", "postgres")
        code, said = self.ends(partitions=9, store=self.store(other))
        self.assertEqual((3, True), (code, "has 8 partitions, not 9" in said), said)
        self.sql("update host.meta set value = '999' where name = 'schema_version'")
        code, said = self.ends()
        self.assertEqual((3, True), (code, "newer" in said), said)

    def test_a_mixed_pair_is_a_wrong_call(self):
        code, said = process.ends(self.folder, "--plugin", "counter.lua", "--store", self.store())
        self.assertEqual((2, True), (code, "--log is missing" in said), said)
        code, said = process.ends(self.folder, "--plugin", "counter.lua", "--log", "kafka://b")
        self.assertEqual((2, True), (code, "--store is missing" in said), said)


if __name__ == "__main__":
    process.BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main()

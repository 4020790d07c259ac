#!/usr/bin/env python3
"""The binary as a user meets it: start, state over kill -9, stop, reload, exit codes.

usage: host_process_test.py HOST_BINARY [TEST...]
"""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

BINARY = None
DEADLINE_SECONDS = 30

COUNTER = """
local spec = require "host.spec"
local STEP = 1
return {
  api = 1, name = "counter",
  emits = { ["counter.hits"] = { n = spec.int } },
  config = { unit = "hits" },
  state = { total = 0 },
  on = {
    ["counter.hits"] = {
      schema = { n = spec.int },
      handle = function(ctx, msg) ctx.state.total = ctx.state.total + msg.n * STEP end,
    },
  },
  routes = {
    ["POST /counters/:id"] = {
      auth = "none", body = { n = spec.int },
      handle = function(ctx, req)
        ctx:emit("counter.hits", req.params.id, req.body)
        return 202
      end,
    },
    ["GET /counters/:id"] = {
      auth = "none",
      handle = function(ctx, req)
        local counter, err = ctx:read(req.params.id)
        if not counter then return nil, err end
        return 200, { total = counter.total, unit = ctx.config.unit }
      end,
    },
  },
}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clean_environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOST_")}
    return {**kept, **more}


class Host:
    """One process on ports of its own; stopped at the end of the test whatever happens."""

    def __init__(self, case, folder, *arguments, environment=None, address="127.0.0.1"):
        self.port, self.admin_port = free_port(), free_port()
        self.folder = folder
        self.command = [BINARY, *arguments, "--data", str(folder / "data"),
                        "--listen", f"{address}:{self.port}",
                        "--admin", f"{address}:{self.admin_port}"]
        self.environment = clean_environment(**(environment or {}))
        self.log = folder / "host.log"
        self.process = None
        case.addCleanup(self.kill)
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env=self.environment)
        self.wait("readiness", lambda: self.process.poll() is not None or self.ready())
        if self.process.poll() is not None:
            raise AssertionError(f"exit {self.process.returncode}\n{self.logged()}")

    def ready(self):
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def wait(self, what, condition):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} does not come\n{self.logged()}")
            time.sleep(0.02)

    def logged(self):
        return self.log.read_text("utf-8", "replace")

    def request(self, port, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)
        try:
            data = None if body is None else json.dumps(body)
            given = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, path, data, {**given, **(headers or {})})
            response = connection.getresponse()
            text = response.read().decode("utf-8")
        finally:
            connection.close()
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, text

    def get(self, path):
        return self.request(self.port, "GET", path)

    def post(self, path, body):
        return self.request(self.port, "POST", path, body)

    def admin(self, path, method="GET", headers=None):
        return self.request(self.admin_port, method, path, headers=headers)

    def plugin(self):
        return self.admin("/admin/plugins")[1][0]

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_SECONDS)


def ends(folder, *arguments, environment=None):
    """(exit code, what was said) of a process that ends by itself."""
    done = subprocess.run([BINARY, *arguments], cwd=folder, timeout=DEADLINE_SECONDS, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env=clean_environment(**(environment or {})))
    return done.returncode, done.stdout


class ProcessTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="host_process_")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.write("counter.lua", COUNTER)

    def write(self, name, text):
        """As editors save: a new file takes the place of the old one."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".new").write_text(text, "utf-8")
        path.with_suffix(".new").replace(path)

    def host(self, *arguments, **more):
        return Host(self, self.folder, *(arguments or ("--plugin", "counter.lua")), **more)

    def total_becomes(self, host, total, key="ada"):
        want = (200, {"total": total, "unit": "hits"})
        host.wait(f"a total of {total}", lambda: host.get(f"/counters/{key}") == want)

    # ---- messages and state ----

    def test_a_message_changes_state_that_a_request_reads(self):
        host = self.host()
        self.assertEqual(host.get("/counters/ada")[0], 404)
        self.assertEqual(host.post("/counters/ada", {"n": 3})[0], 202)
        self.total_becomes(host, 3)

    def test_state_survives_kill_9(self):
        host = self.host()
        for _ in range(20):
            self.assertEqual(host.post("/counters/ada", {"n": 1})[0], 202)
        host.kill()
        host.start()
        self.total_becomes(host, 20)

    def test_sigterm_and_sigint_stop_in_good_order(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            host = self.host()
            host.post("/counters/ada", {"n": 1})
            self.assertEqual(host.stop(number), 0, host.logged())

    def test_sigterm_lets_a_request_that_runs_be_answered(self):
        self.write("counter.lua", COUNTER.replace(
            "ctx:emit(\"counter.hits\", req.params.id, req.body)",
            "for _ = 1, 50 do ctx:yield() end"
            " ctx:emit(\"counter.hits\", req.params.id, req.body)"))
        host = self.host()
        connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=DEADLINE_SECONDS)
        connection.request("POST", "/counters/ada", "{\"n\":2}",
                           {"Content-Type": "application/json"})
        host.process.send_signal(signal.SIGTERM)
        try:
            status = connection.getresponse().status
        except (http.client.HTTPException, OSError):
            status = None  # it had not been accepted yet
        connection.close()
        self.assertIn(status, (202, None))
        self.assertEqual(host.process.wait(DEADLINE_SECONDS), 0)
        host.start()
        if status == 202:
            self.total_becomes(host, 2)

    def test_a_stop_ends_streams_and_does_not_wait_for_its_deadline(self):
        self.write("counter.lua", COUNTER.replace("routes = {", """routes = {
            ["GET /hits"] = { auth = "none", stream = { topic = "counter.hits" } },"""))
        host = self.host("--plugin", "counter.lua", "--stop-timeout", "300s")
        connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=DEADLINE_SECONDS)
        self.addCleanup(connection.close)
        connection.request("GET", "/hits")
        stream = connection.getresponse()
        host.post("/counters/ada", {"n": 7})
        line = stream.readline()
        while not line.startswith(b"data:"):
            line = stream.readline()
        self.assertIn(b'"n":7', line)
        self.assertEqual(host.stop(), 0)
        self.assertNotIn(b"data:", stream.read())

    def test_a_second_signal_ends_at_once(self):
        self.write("counter.lua", COUNTER.replace(
            "ctx.state.total = ctx.state.total + msg.n * STEP",
            "while true do ctx:yield() end"))
        host = self.host("--plugin", "counter.lua", "--stop-timeout", "300s")
        host.post("/counters/ada", {"n": 1})
        host.wait("the handler", lambda: "host_running{plugin=\"counter\"} 1"
                  in host.admin("/metrics")[1])
        host.process.send_signal(signal.SIGTERM)
        host.wait("the first signal", lambda: "stopping" in host.logged())
        self.assertEqual(host.stop(), 128 + signal.SIGTERM)

    def test_a_stray_signal_does_not_make_it_deaf_for_sigterm(self):
        host = self.host()
        host.process.send_signal(signal.SIGUSR2)  # of a lower number: it is taken first
        self.assertEqual(host.stop(), 0, host.logged())

    # ---- reload ----

    def test_an_edited_file_is_live_after_a_moment(self):
        host = self.host()
        before = host.plugin()["revision"]
        self.write("counter.lua", COUNTER.replace("STEP = 1", "STEP = 10"))
        host.wait("the new revision", lambda: host.plugin()["revision"] != before)
        host.post("/counters/ada", {"n": 1})
        self.total_becomes(host, 10)

    def test_a_broken_edit_keeps_the_running_revision_and_says_where(self):
        host = self.host()
        before = host.plugin()
        self.write("counter.lua", COUNTER.replace("return 202\n      end,", "return 202"))
        host.wait("the refusal", lambda: "refused" in host.plugin())
        plugin = host.plugin()
        self.assertEqual(plugin["revision"], before["revision"])
        self.assertEqual(plugin["state"], "live")
        problem = plugin["refused"]["problems"][0]
        self.assertEqual(problem["file"], "counter.lua")
        self.assertGreater(problem["line"], 0)
        self.assertIn("not reloaded: counter.lua:", host.logged())
        host.post("/counters/ada", {"n": 1})
        self.total_becomes(host, 1)
        self.write("counter.lua", COUNTER)
        host.wait("the end of the refusal", lambda: "refused" not in host.plugin())

    def test_the_admin_api_reloads_and_rolls_back(self):
        host = self.host()
        first = host.plugin()["revision"]
        self.assertEqual(host.admin("/admin/plugins/counter/reload", "POST"),
                         (200, {"name": "counter", "revision": first, "changed": False}))
        self.write("counter.lua", COUNTER.replace("STEP = 1", "STEP = 10"))
        status, answer = host.admin("/admin/plugins/counter/reload", "POST")
        self.assertEqual((status, answer["revision"] != first), (200, True))
        self.assertEqual(host.admin("/admin/plugins/counter/rollback", "POST"),
                         (200, {"name": "counter", "revision": first, "changed": True}))
        host.post("/counters/ada", {"n": 1})
        self.total_becomes(host, 1)
        self.write("counter.lua", "return {")
        status, answer = host.admin("/admin/plugins/counter/reload", "POST")
        self.assertEqual((status, answer["problems"][0]["file"]), (422, "counter.lua"))
        self.assertEqual(host.admin("/admin/plugins/nobody/reload", "POST")[0], 404)

    def test_sighup_reloads_all(self):
        host = self.host()
        self.write("counter.lua", COUNTER.replace("STEP = 1", "STEP = 10"))
        host.process.send_signal(signal.SIGHUP)
        host.wait("the reload", lambda: "a new revision is live" in host.logged())
        self.assertIsNone(host.process.poll())

    def test_a_module_beside_the_plugin_belongs_to_its_revision(self):
        self.write("step.lua", "return { step = 1 }")
        self.write("counter.lua", COUNTER.replace("STEP = 1", "STEP = require(\"step\").step"))
        host = self.host()
        before = host.plugin()["revision"]
        self.write("step.lua", "return { step = 5 }")
        host.wait("the new revision", lambda: host.plugin()["revision"] != before)
        host.post("/counters/ada", {"n": 1})
        self.total_becomes(host, 5)

    # ---- admin ----

    def test_the_admin_listener_tells_metrics_shards_and_dead_letters(self):
        host = self.host("--plugin", "counter.lua", "--partitions", "4")
        host.post("/counters/ada", {"n": 1})
        self.total_becomes(host, 1)
        status, text = host.admin("/metrics")
        self.assertEqual(status, 200)
        for name in ("host_pending", "host_lag", "host_timers", "host_outbox_rows"):
            self.assertIn(name + "{plugin=\"counter\"}", text)
        self.assertRegex(text, r'host_lua_memory_bytes\{plugin="counter",revision="[0-9a-f]+"\}')
        status, shards = host.admin("/admin/shards")
        self.assertEqual([shard["shard"] for shard in shards], [0, 1, 2, 3])
        self.assertEqual({shard["status"] for shard in shards}, {"running"})
        self.assertEqual(host.admin("/admin/dead"), (200, {"items": [], "next": None}))
        self.assertEqual(host.admin("/admin/dead/counter/0/1-1")[0], 404)
        self.assertEqual(host.admin("/admin/dead/counter/0/1-1/redrive", "POST")[0], 501)
        self.assertEqual(host.admin("/admin/shards", "POST")[0], 405)
        self.assertEqual(host.admin("/nothing")[0], 404)

    def test_a_message_that_never_works_is_listed_as_dead(self):
        self.write("counter.lua", COUNTER.replace("schema = { n = spec.int },\n      handle",
                                                  "retry = { attempts = 1 },\n      handle")
                   .replace("ctx.state.total = ctx.state.total + msg.n * STEP",
                            "error(\"it breaks\")"))
        host = self.host()
        host.post("/counters/ada", {"n": 1})
        host.wait("the dead letter", lambda: host.admin("/admin/dead")[1]["items"])
        item = host.admin("/admin/dead")[1]["items"][0]
        self.assertEqual((item["plugin"], item["key"], item["attempts"]), ("counter", "ada", 1))
        self.assertIn("it breaks", item["error"]["message"])
        self.assertEqual(item["error"]["file"], "counter.lua")
        for query in ("", "?plugin=counter"):
            status, letter = host.admin("/admin/dead/" + item["id"] + query)
            self.assertEqual((status, letter["payload"]), (200, {"n": 1}))
        self.assertEqual(host.admin("/admin/dead/" + item["id"] + "?plugin=other")[0], 404)
        self.assertEqual(host.admin("/admin/dead?plugin=counter")[1]["items"][0]["id"], item["id"])
        self.assertEqual(host.admin("/admin/dead?limit=0")[0], 422)

    def test_a_stopped_message_is_listed_and_released(self):
        stopping = COUNTER.replace(
            "schema = { n = spec.int },\n      handle",
            "retry = { attempts = 1, last = \"stop\" },\n      handle")
        self.write("counter.lua", stopping.replace(
            "ctx.state.total = ctx.state.total + msg.n * STEP", "error(\"it breaks\")"))
        host = self.host()
        host.post("/counters/ada", {"n": 1})
        host.post("/counters/ada", {"n": 2})
        host.wait("the stop", lambda: host.admin("/admin/dead")[1]["items"])
        item = host.admin("/admin/dead?plugin=counter")[1]["items"][0]
        self.assertEqual((item["state"], item["key"]), ("stopped", "ada"))
        self.assertIn("it breaks", item["error"]["message"])
        self.assertEqual(host.admin("/admin/dead?plugin=other")[1]["items"], [])
        self.assertEqual(host.admin("/admin/dead/" + item["id"])[1]["state"], "stopped")
        before = host.plugin()["revision"]
        self.write("counter.lua", stopping)
        host.wait("the new revision", lambda: host.plugin()["revision"] != before)
        self.assertEqual(host.admin("/admin/dead/" + item["id"] + "/redrive", "POST"),
                         (200, {"id": item["id"], "released": True}))
        self.total_becomes(host, 3)
        self.assertEqual(host.admin("/admin/dead")[1]["items"], [])

    def test_web_pages_of_other_sites_cannot_use_the_admin_listener(self):
        host = self.host()
        for headers in ({"Host": "evil.example"}, {"Host": "127.evil.example"},
                        {"Origin": "http://evil.example"}):
            self.assertEqual(host.admin("/admin/plugins", headers=headers)[0], 403, headers)
        self.assertEqual(host.admin("/admin/plugins",
                                    headers={"Origin": f"http://localhost:{host.port}"})[0], 200)

    # ---- settings ----

    def test_settings_come_from_options_and_variables(self):
        host = self.host("--plugin", "counter.lua", "--set", "counter.unit=visits")
        host.post("/counters/ada", {"n": 1})
        host.wait("the unit", lambda: host.get("/counters/ada")[1].get("unit") == "visits")
        host.stop()
        host = self.host(environment={"HOST_SET__counter__unit": "calls"})
        host.wait("the unit", lambda: host.get("/counters/ada")[1].get("unit") == "calls")

    def test_a_deployment_file_runs_plugins_below_its_root(self):
        self.write("system/scripts/policies/x.lua", "return { decide = function() end }")
        self.write("system/plugins/counter.lua", COUNTER)
        self.write("system/some/deployment.lua", """return {
          listen = "127.0.0.1:1", partitions = 2,
          plugins = { ["plugins/counter.lua"] = { config = { unit = "calls" } } },
        }""")
        host = self.host("run", "system/some/deployment.lua")
        host.post("/counters/ada", {"n": 1})
        host.wait("the unit", lambda: host.get("/counters/ada")[1].get("unit") == "calls")
        self.assertEqual(len(host.admin("/admin/shards")[1]), 2)
        self.assertEqual(host.plugin()["file"], "system/plugins/counter.lua")

    # ---- exit codes ----

    def test_a_plugin_that_does_not_load_is_exit_1_with_all_findings(self):
        self.write("bad.lua", "return { api = 1, name = \"bad\", rotes = {}, sate = {} }")
        code, text = ends(self.folder, "--plugin", "bad.lua", "--listen", "127.0.0.1:0",
                          "--admin", "none")
        self.assertEqual(code, 1, text)
        self.assertRegex(text, r"bad\.lua:1: .*rotes")
        self.assertIn("routes", text)
        self.assertIn("sate", text)

    def test_check_finds_problems_and_can_say_them_in_json(self):
        self.assertEqual(ends(self.folder, "check", "counter.lua")[0], 0)
        self.write("bad.lua", "return { api = 1, name = \"bad\", rotes = {} }")
        code, text = ends(self.folder, "check", "counter.lua", "bad.lua")
        self.assertEqual(code, 1)
        self.assertRegex(text, r"bad\.lua:1: .*rotes")
        code, text = ends(self.folder, "check", "--json", "bad.lua")
        problem = json.loads(text)["problems"][0]
        self.assertEqual((code, problem["file"], problem["line"]), (1, "bad.lua", 1))
        self.assertEqual(set(problem), {"file", "line", "column", "message", "hint"})

    def test_check_finds_what_two_plugins_share(self):
        self.write("twin.lua", COUNTER)
        code, text = ends(self.folder, "check", "counter.lua", "twin.lua")
        self.assertEqual(code, 1)
        self.assertIn("twin.lua", text)

    def test_check_of_a_deployment_checks_its_plugins_with_their_settings(self):
        self.write("twin.lua", COUNTER.replace('name = "counter"', 'name = "twin"'))
        self.write("fine.lua", 'return { plugins = { ["counter.lua"] = {} } }')
        self.assertEqual(ends(self.folder, "check", "fine.lua"),
                         (0, "2 files, no problem\n"))
        self.write("both.lua", """return {
  partition = 4,
  plugins = { ["counter.lua"] = {}, ["twin.lua"] = {} },
}""")
        code, text = ends(self.folder, "check", "both.lua")
        self.assertEqual(code, 1)
        self.assertRegex(text, r'both\.lua:2: unknown field "partition".*partitions')
        self.write("both.lua", 'return { plugins = { ["counter.lua"] = {}, ["twin.lua"] = {} } }')
        code, text = ends(self.folder, "check", "both.lua", "counter.lua")
        self.assertEqual(code, 1)
        self.assertRegex(text, r'twin\.lua.*matches the same requests.*counter\.lua')
        self.write("set.lua", 'return { plugins = { ["counter.lua"] = { config = { unti = "cm" } } } }')
        code, text = ends(self.folder, "check", "set.lua")
        self.assertEqual(code, 1)
        self.assertRegex(text, r'counter\.lua:7: .*unti.*did you mean "unit"')

    def test_texts_of_a_deployment_are_read_by_the_schema_of_their_setting(self):
        self.write("toll.lua", """local spec = require "host.spec"
return { api = 1, name = "toll",
  config = { fee = spec.money, wait = spec.duration { default = "1s" }, unit = "x" },
}""")
        self.write("priced.lua", """return { plugins = {
  ["toll.lua"] = { config = { fee = "3.00", wait = "5m", unit = "7" } } } }""")
        self.assertEqual(ends(self.folder, "check", "priced.lua"), (0, "2 files, no problem\n"))
        self.write("priced.lua", 'return { plugins = { ["toll.lua"] = { config = { fee = "much" } } } }')
        code, text = ends(self.folder, "check", "priced.lua")
        self.assertEqual(code, 1)
        self.assertRegex(text, r"toll\.lua:3: .*toll\.fee is")

    def test_a_test_that_fails_is_exit_1_and_told_with_its_line(self):
        self.write("counter_test.lua", """return {
  plugins = { "counter.lua" },
  ["one is one"] = function(t) t:same(1, t:send("counter.hits", "ada", { n = 1 }).state.total) end,
  ["one is two"] = function(t)
    t:same(2, t:send("counter.hits", "ada", { n = 1 }).state.total)
  end,
}""")
        code, text = ends(self.folder, "test", "counter_test.lua")
        self.assertEqual(code, 1, text)
        self.assertRegex(text, r"ok +one is one\n")
        self.assertRegex(text, r"FAILED +one is two\n +counter_test\.lua:5: wanted 2, got 1")
        self.assertIn("1 passed, 1 failed", text)

    def test_a_test_keeps_the_turn_limit_that_is_said(self):
        self.write("endless.lua", """return { api = 1, name = "endless",
  on = { ["endless.in"] = { handle = function() while true do end end } },
  smoke = { ["it ends"] = function(t) t:send("endless.in", "k", {}) end },
}""")
        code, text = ends(self.folder, "test", "--turn-limit", "7ms", "endless.lua")
        self.assertEqual(code, 1, text)
        self.assertIn("endless.lua:2: stopped after 7ms of CPU time", text)

    def test_plugins_that_clash_do_not_start_and_are_named_at_once(self):
        self.write("twin.lua", COUNTER.replace('name = "counter"', 'name = "twin"'))
        code, text = ends(self.folder, "--plugin", "counter.lua", "twin.lua", "--listen",
                          "127.0.0.1:0", "--admin", "none")
        self.assertEqual(code, 1, text)
        self.assertEqual(len(re.findall("matches the same requests", text)), 2, text)

    def test_a_wrong_call_is_exit_2(self):
        for arguments in ((), ("--lisen", "x"), ("tap", "topic"),
                          ("--plugin", "counter.lua", "--listen", "nonsense"),
                          ("--plugin", "counter.lua", "--admin", "0.0.0.0:9"),
                          ("--plugin", "counter.lua", "--log", "kafka://b"),
                          ("--plugin", "counter.lua", "--listen", "127.0.0.1:0", "--admin", "none",
                           "--set", "countr.unit=x")):
            code, text = ends(self.folder, *arguments)
            self.assertEqual(code, 2, (arguments, text))
            self.assertTrue(text.strip())

    def test_a_taken_port_and_a_held_folder_are_exit_3(self):
        host = self.host()
        code, text = ends(self.folder, "--plugin", "counter.lua", "--data", "other",
                          "--listen", f"127.0.0.1:{host.port}", "--admin", "none")
        self.assertEqual(code, 3, text)
        self.assertIn(str(host.port), text)
        code, text = ends(self.folder, "--plugin", "counter.lua", "--data", "data",
                          "--listen", "127.0.0.1:0", "--admin", "none")
        self.assertEqual(code, 3, text)
        self.assertIn(str(host.process.pid), text)

    def test_another_partition_count_is_exit_3_and_names_both(self):
        host = self.host()
        host.stop()
        code, text = ends(self.folder, "--plugin", "counter.lua", "--data", "data",
                          "--partitions", "3", "--listen", "127.0.0.1:0", "--admin", "none")
        self.assertEqual(code, 3, text)
        self.assertRegex(text, r"16.*3|3.*16")

    def test_a_role_beyond_loopback_is_exit_3_with_a_hint(self):
        self.write("counter.lua", COUNTER.replace("auth = \"none\"", "auth = \"player\""))
        code, text = ends(self.folder, "--plugin", "counter.lua", "--listen", "0.0.0.0:0",
                          "--admin", "none")
        self.assertEqual(code, 3, text)
        self.assertIn("/counters/:id", text)
        self.assertIn("127.0.0.1", text)

    def test_only_a_host_on_postgresql_loads_its_client_library(self):
        host = self.host()
        mapped = pathlib.Path(f"/proc/{host.process.pid}/maps").read_text("utf-8")
        self.assertIn("libsqlite3", mapped)
        self.assertNotIn("libpq", mapped)
        self.write("libsoci_postgresql.so.4.0", "no library")
        store = "postgresql://ada@127.0.0.1:1/owls"
        environment = {"LD_LIBRARY_PATH": str(self.folder), "HOST_STORE": store}
        for arguments in (["db", "init", "counter"],
                          ["--plugin", "counter.lua", "--log", "kafka://127.0.0.1:1",
                           "--store", store, "--listen", "127.0.0.1:0", "--admin", "none"]):
            code, text = ends(self.folder, *arguments, environment=environment)
            self.assertEqual(3, code, text)
            self.assertIn("apt-get install libsoci-postgresql4.0 libpq5", text)

    def test_a_file_that_is_not_there_is_named(self):
        self.assertEqual(ends(self.folder, "run", "nowhere.lua")[0], 3)
        code, text = ends(self.folder, "--plugin", "nowhere.lua", "--listen", "127.0.0.1:0",
                          "--admin", "none")
        self.assertEqual(code, 1, text)
        self.assertIn("nowhere.lua", text)


if __name__ == "__main__":
    BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main()

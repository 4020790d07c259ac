#!/usr/bin/env python3
"""docs/metrics.md, the code that counts, and what a working host shows, value by value.

usage: metrics_test.py HOST_BINARY
"""

import http.client
import json
import pathlib
import re
import sys
import tempfile
import time
import unittest

import host_process_test as process

ROOT = pathlib.Path(__file__).resolve().parents[2]

# They come with their first event, and a healthy host on one file without TLS has none; members are
# where processes share a deployment.
NOT_IN_HEALTH = {
    "host_fences_total", "host_log_gaps_total", "host_metric_misuse_total",
    "host_member_deaths_total", "host_member_rejoins_total", "host_members",
    "host_metric_series_dropped_total", "host_tls_certificate_expires_seconds",
}

WORKER = """
local spec = require "host.spec"
local work = { event = spec.string, what = spec.string }
return {
  api = 1, name = "worker",
  emits = { ["worker.jobs"] = work, ["worker.done"] = {} },
  state = { done = 0 },
  tables = { "create table worker_jobs (id text)" },
  metrics = { jobs = { "counter", "jobs done", labels = { "what" } } },
  on = {
    ["worker.jobs"] = {
      schema = work, once = { by = "event", within = "1d" },
      retry = { attempts = 2, backoff = "10ms" },
      handle = function(ctx, msg)
        if msg.what == "raise" then error("as asked") end
        if msg.what == "forget" then return ctx:forget("1d") end
        if msg.what == "later" then ctx:after(0, "later") end
        ctx.state.done = ctx.state.done + 1
        ctx:exec("insert into worker_jobs (id) values (:id)", { id = msg.event })
        ctx:count("jobs", 1, { what = msg.what })
        ctx:emit("worker.done", ctx.key, {})
        ctx:reply({})
      end,
    },
  },
  timers = { later = function() end },
  every = { tick = { period = "1s", handle = function() end } },
  routes = {
    ["POST /jobs/:id"] = { auth = "none", body = work, handle = function(ctx, req)
      ctx:emit("worker.jobs", req.params.id, req.body)
      return 202
    end },
    ["POST /pairs/:id"] = { auth = "none", body = work, handle = function(ctx, req)
      ctx:emit("worker.jobs", req.params.id, { event = req.body.event .. "a", what = "do" })
      ctx:emit("worker.jobs", req.params.id, { event = req.body.event .. "b", what = "do" })
      return 202
    end },
    ["POST /questions/:id"] = { auth = "none", body = work, handle = function(ctx, req)
      local reply, err = ctx:ask("worker.jobs", req.params.id, req.body)
      if not reply then return nil, err end
      return 200, reply
    end },
    ["GET /jobs"] = { auth = "none", handle = function(ctx)
      return 200, ctx:query("select id from worker_jobs order by id")
    end },
    ["GET /done"] = { auth = "none", stream = { topic = "worker.done" } },
  },
}
"""


def documented():
    """{ name: kind } of the tables."""
    text = (ROOT / "docs/metrics.md").read_text("utf-8")
    return dict(re.findall(r"^\| `((?:host|process)_\w+)` \| (\w+) \|", text, re.MULTILINE))


def described():
    """{ name: kind } as the host tells Prometheus, and its own two."""
    text = (ROOT / "host/app/metric_names.cc").read_text("utf-8")
    return {**dict(re.findall(r'\{"(\w+)", "(\w+)",', text)),
            "host_metric_misuse_total": "counter", "host_metric_series_dropped_total": "counter"}


def in_code():
    """Names that the code hands to its metrics."""
    names = set()
    for source in sorted((ROOT / "host").rglob("*.*")):
        # metric_names.cc describes, and counts nothing
        if source.suffix not in (".cc", ".h") or source.name == "metric_names.cc":
            continue
        names.update(re.findall(r'"((?:host|process)_[a-z_]+)"', source.read_text("utf-8")))
    return names


class Scrape:
    """What /metrics shows at one moment."""

    def __init__(self, case, host):
        status, self.text = host.admin("/metrics")
        case.assertEqual(status, 200)
        self.kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", self.text, re.MULTILINE))
        self.helped = set(re.findall(r"^# HELP (\w+) \S", self.text, re.MULTILINE))

    def value(self, name, **labels):
        """Of one series, whose labels are all given; None where it is not there."""
        for line in self.text.splitlines():
            found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if not found or found[1] != name:
                continue
            if dict(re.findall(r'(\w+)="([^"]*)"', found[2] or "")) == labels:
                return float(found[3])
        return None

    def of_worker(self, name, **labels):
        return self.value(name, plugin="worker", **labels)


class MetricsTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="host-metrics-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.write(WORKER)
        self.number = 0
        self.sent = []

    def write(self, text):
        (self.folder / "worker.lua").write_text(text, "utf-8")

    def host(self):
        return process.Host(self, self.folder, "--plugin", "worker.lua")

    def post(self, host, path, what, event=None, status=202):
        self.number += 1
        body = {"event": event or f"e{self.number}", "what": what}
        self.assertEqual(host.post(path, body)[0], status)
        self.sent.append(body)

    def wait(self, host, what, condition):
        """The first scrape of which the condition holds."""
        found = []

        def holds():
            found[:] = [Scrape(self, host)]
            return condition(found[0])

        host.wait(what, holds)
        return found[0]

    def test_the_tables_and_the_code_name_the_same_metrics(self):
        self.assertEqual(documented(), described())
        self.assertEqual(set(documented()), in_code())

    def test_what_a_working_host_shows_is_documented_and_the_other_way_round(self):
        host = self.host()
        self.post(host, "/jobs/a", "do", "same")
        self.post(host, "/jobs/a", "do", "same")
        self.post(host, "/jobs/b", "raise")
        self.post(host, "/jobs/l", "later")
        self.post(host, "/jobs/c", "forget")
        self.post(host, "/jobs/c", "do")
        self.assertEqual(host.get("/jobs")[0], 200)
        for _ in range(2):
            self.assertEqual(host.request(host.port, "POST", "/jobs/d", {"event": "d", "what": "once"},
                                          {"Idempotency-Key": '"d"'})[0], 202)
        self.write(WORKER + "end")
        self.assertEqual(host.admin("/admin/plugins/worker/reload", "POST")[0], 422)
        self.write(WORKER + "-- edited")
        self.assertEqual(host.admin("/admin/plugins/worker/reload", "POST")[0], 200)
        expected = {name: kind for name, kind in documented().items() if name not in NOT_IN_HEALTH}

        def whole(scrape):
            kinds = ("topic", "worker.jobs"), ("timer", "later"), ("every", "tick")
            return set(expected) <= set(scrape.kinds) and \
                scrape.value("worker_jobs_total", what="do") == 1 and \
                scrape.value("worker_jobs_total", what="once") == 1 and \
                scrape.of_worker("host_late_dropped_total") == 1 and \
                all(scrape.of_worker("host_handler_seconds_count", kind=kind, handler=handler)
                    for kind, handler in kinds)

        scrape = self.wait(host, "every documented metric", whole)
        own = {name: kind for name, kind in scrape.kinds.items() if not name.startswith("worker_")}
        self.assertEqual(own, expected)
        self.assertEqual(set(own) - scrape.helped, set())
        for name, value in (("once_dropped", 1), ("late_dropped", 1), ("dead_letters", 1),
                            ("retries", 1), ("script_errors", 2)):
            self.assertEqual(scrape.of_worker(f"host_{name}_total"), value, name)
        self.assertEqual(scrape.of_worker("host_http_replays_total", route="POST /jobs/:id"), 1)
        for result in ("live", "refused"):
            self.assertEqual(scrape.of_worker("host_reloads_total", result=result), 1)
        revision = host.plugin()["revision"]
        self.assertGreater(scrape.of_worker("host_lua_memory_bytes", revision=revision), 10_000)

    def test_messages_and_bytes_are_counted_once_in_and_once_out(self):
        host = self.host()
        for number in range(20):
            self.post(host, f"/jobs/k{number % 7}", "do")
        self.post(host, "/questions/q", "do", status=200)
        payloads = list(self.sent)
        for number in range(5):
            self.post(host, f"/pairs/p{number}", "do", f"pair{number}")
            payloads += [{"event": f"pair{number}{part}", "what": "do"} for part in "ab"]
        count = len(payloads)
        size = sum(len(json.dumps(each, separators=(",", ":"))) for each in payloads)
        # How things stand is asked for before the counters are read: they are of two moments.
        scrape = self.wait(host, "all that was sent", lambda scrape: count == scrape.of_worker(
            "host_messages_sent_total", topic="worker.done") == scrape.value(
                "host_log_records", topic="worker.done"))
        for way in ("taken", "sent"):
            self.assertEqual((scrape.of_worker(f"host_messages_{way}_total", topic="worker.jobs"),
                              scrape.of_worker(f"host_messages_{way}_bytes_total",
                                               topic="worker.jobs")), (count, size), way)
        self.assertEqual(scrape.of_worker("host_messages_sent_bytes_total", topic="worker.done"),
                         count * len("{}"))
        self.assertIsNone(scrape.of_worker("host_messages_taken_total", topic="worker.done"))
        ticks = scrape.of_worker("host_handler_seconds_count", kind="every", handler="tick")
        self.assertEqual(scrape.of_worker("host_messages_handled_total"), count + (ticks or 0))
        self.assertEqual(scrape.of_worker("host_handler_seconds_count", kind="topic",
                                          handler="worker.jobs"), count)
        self.assertEqual(scrape.of_worker("host_sql_seconds_count", kind="write"), count)
        self.assertEqual(scrape.value("host_log_records", topic="worker.jobs"), count)
        self.assertEqual(scrape.value("host_log_records", topic="worker.done"), count)
        for route, requests in (("POST /jobs/:id", 20), ("POST /pairs/:id", 5)):
            for series in ("host_http_requests_total", "host_http_request_seconds_count"):
                self.assertEqual(scrape.of_worker(series, route=route, status="202"), requests)
            self.assertEqual(scrape.of_worker("host_handler_seconds_count", kind="route",
                                              handler=route), requests)

    def test_open_streams_and_connections_are_told_while_they_are_open(self):
        host = self.host()
        stream = http.client.HTTPConnection("127.0.0.1", host.port, timeout=30)
        self.addCleanup(stream.close)
        stream.request("GET", "/done")
        answer = stream.getresponse()
        self.assertEqual(answer.status, 200)
        scrape = self.wait(host, "one connection", lambda scrape: scrape.value(
            "host_http_connections", listener="routes") == 1)
        self.assertEqual(scrape.of_worker("host_http_open_streams"), 1)
        self.assertEqual(scrape.of_worker("host_http_requests_total", route="GET /done",
                                          status="200"), 1)
        self.assertIsNone(scrape.of_worker("host_http_request_seconds_count", route="GET /done",
                                           status="200"))
        answer.close()
        stream.close()
        self.wait(host, "no stream", lambda scrape:
                  scrape.of_worker("host_http_open_streams") == 0 and
                  scrape.value("host_http_connections", listener="routes") == 0)

    def test_the_process_and_its_files_are_measured(self):
        before = time.time()
        host = self.host()
        self.post(host, "/jobs/a", "do")
        scrape = self.wait(host, "a transaction", lambda scrape: scrape.value(
            "host_store_transaction_seconds_count") and scrape.of_worker("host_journal_bytes"))
        files = self.folder / "data"
        self.assertEqual(scrape.value("host_store_file_bytes"), (files / "host.db").stat().st_size)
        self.assertGreater(scrape.value("host_store_wal_bytes"), 0)
        self.assertGreater(scrape.value("host_store_disk_free_bytes"), 0)
        self.assertLess(scrape.of_worker("host_journal_oldest_seconds"), 60)
        self.assertEqual(scrape.value("host_store_transaction_seconds_count"),
                         scrape.value("host_store_sync_seconds_count"))
        self.assertGreaterEqual(scrape.value("host_store_transaction_seconds_sum"),
                                scrape.value("host_store_sync_seconds_sum"))
        self.assertGreater(scrape.value("process_resident_memory_bytes"), 5e6)
        self.assertGreater(scrape.value("process_open_fds"), 5)
        # The kernel tells ticks since a boot of a whole second.
        self.assertAlmostEqual(scrape.value("process_start_time_seconds"), before, delta=5)
        self.assertGreater(scrape.value("host_log_lines_total", level="info"), 0)
        self.assertEqual(scrape.value("host_log_lines_left_out_total"), 0)


if __name__ == "__main__":
    process.BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()

#!/usr/bin/env python3
"""The table of metrics in docs/running.md, the code that counts, and what a working host shows.

usage: metrics_test.py HOST_BINARY
"""

import pathlib
import re
import sys
import tempfile
import unittest

import host_process_test as process

ROOT = pathlib.Path(__file__).resolve().parents[2]

# They tell of what a healthy host on one file does not meet.
NOT_IN_HEALTH = {
    "host_duplicates_dropped_total", "host_fences_total", "host_log_gaps_total",
    "host_metric_misuse_total", "host_metric_series_dropped_total",
}

WORKER = """
local spec = require "host.spec"
local work = { event = spec.string, what = spec.string }
return {
  api = 1, name = "worker",
  emits = { ["worker.jobs"] = work, ["worker.done"] = {} },
  state = { done = 0 },
  metrics = { jobs = { "counter", "jobs done", labels = { "what" } } },
  on = {
    ["worker.jobs"] = {
      schema = work, once = { by = "event", within = "1d" },
      retry = { attempts = 2, backoff = "10ms" },
      handle = function(ctx, msg)
        if msg.what == "raise" then error("as asked") end
        if msg.what == "forget" then return ctx:forget("1d") end
        ctx.state.done = ctx.state.done + 1
        ctx:count("jobs", 1, { what = msg.what })
        ctx:emit("worker.done", ctx.key, {})
      end,
    },
  },
  routes = {
    ["POST /jobs/:id"] = { auth = "none", body = work, handle = function(ctx, req)
      ctx:emit("worker.jobs", req.params.id, req.body)
      return 202
    end },
  },
}
"""


def documented():
    """{ name: kind } of the table."""
    text = (ROOT / "docs/running.md").read_text("utf-8")
    return dict(re.findall(r"^\| `(host_\w+)` \| (\w+) \|", text, re.MULTILINE))


def in_code():
    """Names that the code hands to its metrics."""
    names = set()
    for source in sorted((ROOT / "host").rglob("*.*")):
        # run_command.cc describes, and counts nothing
        if source.suffix not in (".cc", ".h") or source.name == "run_command.cc":
            continue
        names.update(re.findall(r'"(host_[a-z_]+)"', source.read_text("utf-8")))
    return names


class MetricsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="host-metrics-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.write(WORKER)

    def write(self, text):
        (self.folder / "worker.lua").write_text(text, "utf-8")

    def scrape(self, host):
        """({ name: kind }, names without help, text) of the host's own families."""
        status, text = host.admin("/metrics")
        self.assertEqual(status, 200)
        kinds = dict(re.findall(r"^# TYPE (host_\w+) (\w+)$", text, re.MULTILINE))
        helped = set(re.findall(r"^# HELP (host_\w+) \S", text, re.MULTILINE))
        return kinds, set(kinds) - helped, text

    def test_the_table_and_the_code_name_the_same_metrics(self):
        self.assertEqual(set(documented()), in_code())

    def test_what_a_working_host_shows_is_documented_and_the_other_way_round(self):
        host = process.Host(self, self.folder, "--plugin", "worker.lua")
        number = 0

        def job(key, what, event=None, headers=None):
            nonlocal number
            number += 1
            body = {"event": event or f"e{number}", "what": what}
            answer = host.request(host.port, "POST", f"/jobs/{key}", body, headers)
            self.assertEqual(answer[0], 202)

        job("a", "do", "same")
        job("a", "do", "same")
        job("b", "raise", "once", {"Idempotency-Key": "1"})
        job("b", "raise", "once", {"Idempotency-Key": "1"})
        job("c", "do")
        job("c", "forget")
        job("c", "do")
        self.write(WORKER + "end")
        self.assertEqual(host.admin("/admin/plugins/worker/reload", "POST")[0], 422)
        self.write(WORKER + "-- edited")
        self.assertEqual(host.admin("/admin/plugins/worker/reload", "POST")[0], 200)

        expected = {name: kind for name, kind in documented().items() if name not in NOT_IN_HEALTH}
        def seen():
            shown, _, text = self.scrape(host)
            return set(expected) <= set(shown) and 'worker_jobs_total{what="do"} 2' in text

        host.wait("every documented metric", seen)
        kinds, without_help, text = self.scrape(host)
        self.assertEqual({**expected, **kinds}, expected)
        self.assertEqual(without_help, set())
        self.assertRegex(text, r'host_once_dropped_total{plugin="worker"} 1\b')
        self.assertRegex(text, r'host_late_dropped_total{plugin="worker"} 1\b')
        self.assertRegex(text, r'host_dead_letters_total{plugin="worker"} 1\b')


if __name__ == "__main__":
    process.BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()

#!/usr/bin/env python3
"""The benches' arithmetic and their report; no measuring."""

import contextlib
import io
import pathlib
import sys
import tempfile
import types
import unittest
import xml.etree.ElementTree as xml
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from bench import endurance, processes, report  # noqa: E402
from bench.rows import CannotSetUp, Row, short, spread_of  # noqa: E402


def result(name="hop", commit="abc", **more):
    return report.Result(name, commit, "2026-11-21 12:00 UTC", 0.5, **more)


class RowTest(unittest.TestCase):
    def test_a_value_at_its_target_scores_one(self):
        self.assertEqual(1, Row("work", 40_000, "/s", target=40_000).score())
        self.assertEqual("yes", Row("work", 40_000, "/s", target=40_000).met())

    def test_where_less_is_better_half_the_target_scores_two(self):
        self.assertEqual(2, Row("work", 10, "MB", target=20, at_least=False).score())
        self.assertEqual("NO", Row("work", 21, "MB", target=20, at_least=False).met())

    def test_a_target_of_the_ratio_is_judged_by_the_ratio(self):
        row = Row("work", 7, "/s", ratio=0.4, target=0.5, on="ratio")
        self.assertAlmostEqual(0.8, row.score())
        self.assertEqual("≥ 0.5×", row.target_text())

    def test_without_a_peer_a_target_of_the_ratio_is_not_judged(self):
        row = Row("work", 7, "/s", target=0.5, on="ratio")
        self.assertIsNone(row.score())
        self.assertEqual("", row.met())

    def test_figures_are_short(self):
        self.assertEqual(["12.3 k", "5 M", "0.123", "999"],
                         [short(each) for each in (12_340, 5e6, 0.1234, 999)])
        self.assertEqual("3: 1 to 3", spread_of([2, 1, 3]))


class TimesTest(unittest.TestCase):
    BEFORE = {0.05: 10, 0.1: 10, 0.2: 10, float("inf"): 10}

    def test_the_quantile_is_the_bound_that_the_share_stays_below(self):
        times = endurance.Times(self.BEFORE, {0.05: 1008, 0.1: 1009, 0.2: 1010, float("inf"): 1010})
        self.assertEqual([50, 100, 200],
                         [times.quantile_ms(share) for share in (0.998, 0.999, 1)])
        self.assertAlmostEqual(0.001, times.share_above(0.1))
        self.assertIn("p50 <= 50, p99 <= 50, p99.9 <= 100, longest <= 200 ms", times.text())

    def test_what_was_before_the_first_look_does_not_count(self):
        times = endurance.Times({0.1: 0, float("inf"): 7}, {0.1: 2, float("inf"): 9})
        self.assertEqual((100, 0), (times.quantile_ms(1), times.share_above(0.1)))

    def test_without_a_measurement_there_is_no_quantile(self):
        for after in (self.BEFORE, {}):
            with self.assertRaises(CannotSetUp):
                endurance.Times(self.BEFORE, after)

    def test_buckets_are_read_from_the_metrics_over_all_labels(self):
        metrics = {'host_store_checkpoint_seconds_bucket{by="writer",le="0.1"}': 3.0,
                   'host_store_checkpoint_seconds_bucket{by="housekeeper",le="0.1"}': 2.0,
                   'host_store_checkpoint_seconds_bucket{by="writer",le="+Inf"}': 4.0,
                   'host_store_checkpoint_seconds_sum{by="writer"}': 9.0,
                   'host_store_queue_seconds_bucket{le="0.1"}': 7.0}
        self.assertEqual({0.1: 5.0, float("inf"): 4.0},
                         endurance.buckets(metrics, "host_store_checkpoint_seconds"))
        self.assertEqual({0.1: 3.0, float("inf"): 4.0},
                         endurance.buckets(metrics, "host_store_checkpoint_seconds", 'by="writer"'))
        self.assertEqual({0.1: 7.0}, endurance.buckets(metrics, "host_store_queue_seconds"))


class PortTest(unittest.TestCase):
    """A host that says what the real one says of a port that somebody else has."""
    SCRIPT = """#!/bin/sh
echo "$@" >> {folder}/calls
if [ $(wc -l < {folder}/calls) -le {times} ]; then
  echo "host: --listen: cannot listen on 127.0.0.1:1: {why}" >&2
  exit 3
fi
exec sleep 60
"""

    def host(self, folder, times, why):
        program = folder / "host"
        program.write_text(self.SCRIPT.format(folder=folder, times=times, why=why))
        program.chmod(0o755)
        setup = types.SimpleNamespace(host=program, root=folder)
        return processes.Host(setup, ["run", "it"], folder / "data")

    def test_a_host_whose_port_was_taken_is_started_again_on_others(self):
        with tempfile.TemporaryDirectory() as name, \
                mock.patch.object(processes, "get", self.ready_when_it_lives):
            host = self.host(pathlib.Path(name), 2, "the port is taken")
            self.current = host
            with host:
                host.wait_until_serving()
            calls = (pathlib.Path(name) / "calls").read_text().splitlines()
            self.assertEqual(3, len(calls))
            self.assertEqual(3, len(set(calls)))

    def ready_when_it_lives(self, *_):
        calls = self.current.log.parent / "calls"
        lives = calls.exists() and len(calls.read_text().splitlines()) == 3
        return (200, "") if lives else None

    def test_another_reason_is_told(self):
        with tempfile.TemporaryDirectory() as name:
            host = self.host(pathlib.Path(name), 1, "no such address")
            with host, self.assertRaisesRegex(CannotSetUp, "no such address"):
                host.wait_until_serving()
            self.assertEqual(1, len((pathlib.Path(name) / "calls").read_text().splitlines()))


class ReportTest(unittest.TestCase):
    ROW = Row("a | b", 7, "ms", "peer", 14, 0.5, 10, at_least=False, note="a note")

    def written(self, root, *results):
        (root / "docs").mkdir(exist_ok=True)
        with contextlib.redirect_stdout(io.StringIO()):
            for each in results:
                report.write(root, each, ["idle", "hop", "http"], "one machine")
        return (root / report.PAGE).read_text("utf-8")

    def test_results_of_other_benches_stay_on_the_page(self):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            self.written(root, result(rows=[]), result("idle", rows=[]), result(rows=[self.ROW]))
            text = self.written(root, result("idle", commit="later", rows=[]))
            self.assertEqual(["idle", "hop"], list(report.kept(root)))
            self.assertEqual([self.ROW], report.kept(root)["hop"].rows)
            self.assertIn("commit `later`", text)
            self.assertIn("Not measured yet: http.", text)
            xml.fromstring((root / report.PLOT).read_text("utf-8"))

    def test_a_bench_that_cannot_be_set_up_takes_no_figures_away(self):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            self.written(root, result(rows=[self.ROW]))
            text = self.written(root, result(rows=[], failed="no disk"),
                                result("http", rows=[], failed="no nginx"))
            self.assertIn("a \\| b", text)
            self.assertNotIn("no disk", text)
            self.assertIn("Could not be set up: no nginx", text)

    def test_the_page_tells_what_could_not_be_set_up_and_what_is_missing(self):
        text = report.page([result(rows=[self.ROW]), result("http", rows=[], failed="no nginx")],
                           ["soak"], "one machine")
        self.assertIn("Could not be set up: no nginx", text)
        self.assertIn("Not measured yet: soak.", text)
        self.assertIn("Targets met: 1 of 1.", text)
        self.assertIn("| a \\| b | 7 ms | ≤ 10 ms | yes | peer: 14 ms | 0.50 |", text)

    def test_the_page_says_that_the_machine_was_busy(self):
        busy, idle = result(rows=[]), result(rows=[])
        busy.load, idle.load = 500.0, 0.0
        self.assertIn("busy with other work", report.page([busy], [], "one machine"))
        self.assertNotIn("busy with other work", report.page([idle], [], "one machine"))

    def test_the_plot_has_a_bar_for_each_target(self):
        rows = [self.ROW, Row("no target", 1, "s"), Row("x < y", 0.001, "s", target=1)]
        root = xml.fromstring(report.plot(rows))
        bars = root.findall("{http://www.w3.org/2000/svg}rect")
        self.assertEqual(1 + 2, len(bars))  # and the ground


if __name__ == "__main__":
    unittest.main(verbosity=2)

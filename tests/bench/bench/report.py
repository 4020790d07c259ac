"""The table on the terminal, the page in docs/ and its plot."""

import dataclasses
import html
import json
import math
import os

from . import measure
from .rows import HEAD, Row

PAGE = "docs/benchmarks.md"
PLOT = "docs/benchmarks.svg"
FIGURES = "docs/benchmarks.json"


@dataclasses.dataclass
class Result:
    """What one bench found, or why it could not run."""
    name: str
    commit: str
    date: str
    load: float
    rows: list
    failed: str = ""


def kept(root):
    """Name: the result that the page shows, of each bench that it shows."""
    path = root / FIGURES
    if not path.exists():
        return {}
    results = [Result(**each) for each in json.loads(path.read_text("utf-8"))]
    for result in results:
        result.rows = [Row(**row) for row in result.rows]
    return {result.name: result for result in results}


def show(rows):
    table = [HEAD] + [row.cells() for row in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(HEAD))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    for row in rows:
        if row.note:
            print(f"  {row.work}: {row.note}")


def cell(text):
    return text.replace("|", "\\|")


def section(result):
    lines = [f"### {result.name}", "",
             f"{result.date}, commit `{result.commit}`, load average {result.load:.1f} before it.", ""]
    if result.failed:
        return lines + [f"Could not be set up: {result.failed}", ""]
    lines += ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    lines += ["| " + " | ".join(cell(text) for text in row.cells()) + " |" for row in result.rows]
    notes = [f"- {row.work}: {row.note}." for row in result.rows if row.note]
    return lines + (["", *notes] if notes else []) + [""]


def page(results, missing, machine):
    rows = [row for result in results for row in result.rows if row.target is not None]
    met = sum(row.score() is not None and row.score() >= 1 for row in rows)
    lines = [
        "# Benchmarks", "",
        "Written by `./dev bench --write`; do not edit. Each figure is the median of its rounds, each",
        "ratio the median of the ratios of its rounds: host and peer take turns, so what disturbs one",
        "disturbs the other. Trust ratios more than absolute values.", "",
        f"- Machine: {machine}.",
        "- Each section says when it was measured last, and at which commit.",
        f"- {busy(results)}",
        f"- Targets met: {met} of {len(rows)}.",
    ]
    if missing:
        lines.append(f"- Not measured yet: {', '.join(missing)}.")
    lines += ["", "![How far each figure is from its target](benchmarks.svg)", "", *METHOD, ""]
    for result in results:
        lines += section(result)
    return "\n".join(lines).rstrip() + "\n"


def busy(results):
    loads = [result.load for result in results] or [0.0]
    text = f"Load average before the benches: {min(loads):.1f} to {max(loads):.1f}."
    if max(loads) <= (os.cpu_count() or 1):
        return text
    return text + (" The machine was busy with other work: speeds are lower and times longer than"
                   " it can do; the CPU time of a message and the ratios tell more.")


METHOD = [
    "## How it is measured", "",
    "- `engine`: the real runtime and script engine on the fake log and store of the tests; the codec",
    "  alone decodes and encodes the same payload and state, by the same schemas, on as many threads.",
    "  Both go through the same 1,024 payloads again and again, and through 1,024 states; the row with",
    "  more states shows what it costs that they do not stay in the processor's caches.",
    "- `embedded`, `millions`: the real log and store, `synchronous=FULL`; a feeder appends messages as",
    "  fast as they are taken, which is part of the work, as its insert is for SQLite alone. CPU time is",
    "  that of the process without making the messages.",
    "- `hop`: 1,000 messages a second arrive at one handler, which sends each to another; the time is",
    "  from the end of the first handler to the end of the second, with the commit between them.",
    "- `http`, `post`: the built host with one lane; wrk with one thread is the client. Server and",
    "  client have a core each in `http`. nginx has one worker and does the same in Lua with cjson,",
    "  but checks no schema.",
    "- `kafka`, `keyed`: the built host on a real broker and a real database, from the start of a topic",
    "  that was filled before; speed and CPU time once an eighth of it is handled. What is handled",
    "  must be in the topic that it sends to. Broker, database, host and peer share the cores of one",
    "  machine. The copy loop has the same acknowledgements, idempotence and compression, a linger of 5 ms,",
    "  longer queues and the default size of a fetch; Kafka Streams does the same",
    "  work with Jackson and RocksDB, `exactly_once_v2`, its defaults otherwise, and lz4. Twice its speed, the",
    "  target, would leave 12 to 15 µs of CPU a message on two cores for host, broker and database:",
    "  broker and database take 6 to 7 of them, the codec 4 (November 2026). It is not in reach of this design.",
    "- `places`: as `hop`, with the topics on the broker and the commits in the database.",
    "- `shards`: eight seconds after it is ready, a deployment to which nothing is sent.",
    "- `idle`: from exec to `/readyz` 200 on a new data folder; resident memory and CPU time after two",
    "  seconds of rest.",
]


def plot(rows):
    """Bars of score: 1 is the target, more is better. A logarithmic axis from a quarter to 8."""
    rows = [row for row in rows if row.score() is not None]
    left, bar, gap, width = 470, 16, 10, 330
    height = 60 + len(rows) * (bar + gap)

    def x(score):
        return left + (min(max(math.log2(score), -2), 3) + 2) / 5 * width

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 90} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{left + width + 90}" height="{height}" fill="#ffffff"/>',
        '<text x="10" y="20" font-size="14">times better than its target</text>',
    ]
    for score in (0.25, 0.5, 1, 2, 4, 8):
        at, line = x(score), "#333333" if score == 1 else "#dddddd"
        parts.append(f'<line x1="{at:.0f}" y1="40" x2="{at:.0f}" y2="{height - 10}" stroke="{line}"/>')
        parts.append(f'<text x="{at:.0f}" y="36" text-anchor="middle" fill="#555555">{score:g}</text>')
    for number, row in enumerate(rows):
        y = 46 + number * (bar + gap)
        end, score = x(row.score()), row.score()
        color = "#2f7d4f" if score >= 1 else "#b3541e"
        parts.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">'
                     f'{html.escape(shortened(row.work))}</text>')
        parts.append(f'<rect x="{min(end, x(1)):.1f}" y="{y}" width="{abs(end - x(1)):.1f}" '
                     f'height="{bar}" fill="{color}"/>')
        parts.append(f'<text x="{left + width + 8}" y="{y + 12}">{score:.2f}</text>')
    return "\n".join(parts + ["</svg>"]) + "\n"


def shortened(text, most=72):
    return text if len(text) <= most else text[:most - 1] + "…"


def write(root, result, names, machine):
    """It takes the place of an earlier one of its bench; the rest of the page stays. One that could
    not be set up takes no figures away."""
    known = kept(root)
    if not result.failed or result.name not in known:
        known[result.name] = result
    shown = [known[name] for name in names if name in known]
    (root / FIGURES).write_text(
        json.dumps([dataclasses.asdict(each) for each in shown], indent=1) + "\n", "utf-8")
    missing = [name for name in names if name not in known]
    (root / PAGE).write_text(page(shown, missing, machine), "utf-8")
    (root / PLOT).write_text(plot([row for each in shown for row in each.rows]), "utf-8")
    print(f"written: {PAGE}, {PLOT}, {FIGURES}")

"""What a bench found: rows of one table."""

import dataclasses


class CannotSetUp(Exception):
    """A bench, or a peer of it, cannot run here; the text says why."""


@dataclasses.dataclass
class Row:
    """One figure beside its target and a peer or limit of the same run. `on` says whether the
    target is of the value itself or of the ratio to the peer."""
    work: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None
    target: float | None = None
    at_least: bool = True
    on: str = "value"
    cpu_us: float | None = None
    spread: str = ""
    note: str = ""

    def judged(self):
        return self.ratio if self.on == "ratio" else self.value

    def score(self):
        """1 is just good enough, 2 twice as good as it must be; None without a target."""
        judged = self.judged()
        if self.target is None or not judged:
            return None
        return judged / self.target if self.at_least else self.target / judged

    def met(self):
        score = self.score()
        return "" if score is None else "yes" if score >= 1 else "NO"

    def target_text(self):
        if self.target is None:
            return ""
        sign = "≥" if self.at_least else "≤"
        unit = "×" if self.on == "ratio" else " " + self.unit
        return f"{sign} {short(self.target)}{unit}"

    def cells(self):
        peer = self.peer
        if self.peer_value is not None:
            peer = f"{self.peer}: {short(self.peer_value)} {self.unit}".strip(": ")
        return [self.work, f"{short(self.value)} {self.unit}", self.target_text(), self.met(),
                peer, "" if self.ratio is None else f"{self.ratio:.2f}",
                "" if self.cpu_us is None else f"{self.cpu_us:.1f}", self.spread]


HEAD = ["work", "measured", "target", "met", "peer or limit", "ratio", "CPU µs each", "rounds"]


def short(value):
    """Three significant digits: 12300 is 12.3 k."""
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def spread_of(values):
    """How far the rounds lie apart."""
    if len(values) < 2:
        return "1"
    return f"{len(values)}: {short(min(values))} to {short(max(values))}"

"""How long it takes until a fleet does again what it should."""

import collections
import time

from .client import Broken

DEADLINE_SECONDS = 90  # later it is broken for good


class Recovery:
    """Measures, prints what it measured, and keeps it for the checks at the end."""

    def __init__(self, fleet, report, flows):
        self.fleet = fleet
        self.report = report
        self.flows = flows  # whether there are always messages
        self.began = time.monotonic()
        self.times = collections.defaultdict(list)
        self.limits = {}

    def say(self, text):
        self.report.figure(f"+{time.monotonic() - self.began:6.1f} s  {text}")

    def served(self, whose, within, but=None):
        """Until somebody, `but` one, works on every shard."""
        began = time.monotonic()
        self.wait("all shards are served", lambda: self.missing_shards(but))
        self.took(f"all shards of {whose} are served again", began, within)

    def settle(self):
        """Until every shard has one host that works on it, and every host that lives its share."""
        self.wait("every shard has one owner and the shares are fair", self.unsettled)

    def flowing(self, since, within):
        """Until every host has taken messages from the log and committed."""
        began = time.monotonic()
        if not self.flows:
            return self.settle()
        before = self.fleet.progress()
        self.wait("messages flow", lambda: self.standing(before))
        self.took(f"messages flow after {since}", began, within)

    def missing_shards(self, but=None):
        missing = sorted(self.fleet.unserved(but))
        return f"{len(missing)} are not: {missing[:5]}" if missing else None

    def unsettled(self):
        missing = self.missing_shards()
        if missing:
            return missing
        for plugin, counts in self.fleet.shares().items():
            if max(counts) - min(counts) > 1:
                return f"{plugin} has shares {counts}"
        doubled = self.fleet.doubled()
        return f"owned twice: {doubled}" if doubled else None

    def standing(self, before):
        now = self.fleet.progress()
        still = [host for host in self.fleet.awake()
                 if any(after <= then for then, after in zip(before[host], now.get(host, (0, 0))))]
        return f"{len(still)} hosts stand still: {now}" if still else None

    def took(self, what, began, within):
        seconds = time.monotonic() - began
        self.times[what].append(seconds)
        self.limits[what] = within
        late = within is not None and seconds > within
        self.say(f"{what}: {seconds:.1f} s" + (f", LATER than {within} s" if late else ""))

    def wait(self, what, obstacle):
        """Until there is none; raises Broken when it does not go."""
        began = time.monotonic()
        while True:
            why = obstacle()
            if why is None:
                return
            if time.monotonic() - began > DEADLINE_SECONDS:
                self.report.figure(self.fleet.told())
                raise Broken(f"not within {DEADLINE_SECONDS} s: {what}; {why}")
            time.sleep(0.02)

    def tell(self, judge):
        """The times as figures; those that have a limit as checks, where they are judged."""
        for what, times in sorted(self.times.items()):
            ordered = sorted(times)
            middle = ordered[len(ordered) // 2]
            self.report.figure(f"{what}: {len(times)} times, median {middle:.1f} s, "
                               f"longest {ordered[-1]:.1f} s")
            limit = self.limits[what]
            if judge and limit is not None:
                self.report.check(f"{what} within {limit} s",
                                  [f"after {each:.1f} s" for each in ordered if each > limit])

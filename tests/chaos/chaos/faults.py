"""What is done to hosts and servers while a scenario drives them."""

import collections
import time

from .client import Broken

RECOVERY_SECONDS = 90  # for what is only printed: later it is broken for good
TAKEN_OVER_SECONDS = 15  # shards of a host that was killed


class Faults:
    """Each fault is done, then the time is measured until its harm is over. Figures are printed
    where they arise; how many of each kind there were is the summary."""

    def __init__(self, fleet, servers, chance, report):
        self.fleet = fleet
        self.servers = servers
        self.chance = chance
        self.report = report
        self.began = time.monotonic()
        self.done = collections.Counter()

    def play(self, plan, meddle):
        """`plan` gives the names of faults until it is over."""
        for name in plan(self.chance):
            time.sleep(self.chance.uniform(0, 2))
            meddle()
            getattr(self, name)()
            self.done[name] += 1

    def summary(self):
        return ", ".join(f"{count} {name}" for name, count in sorted(self.done.items()))

    # ---- the faults ----

    def host_killed(self):
        host = self.chance.choice(self.fleet.hosts)
        self.say(f"host {self.number(host)} killed")
        host.kill()
        self.served_again("killed host", TAKEN_OVER_SECONDS)
        self.start(host)

    # ---- what they are made of ----

    def say(self, text):
        self.report.figure(f"+{time.monotonic() - self.began:6.1f} s  {text}")

    def number(self, host):
        return self.fleet.hosts.index(host) + 1

    def start(self, host):
        host.start()
        self.say(f"host {self.number(host)} is back")

    def served_again(self, what, within):
        taken = self.until("all shards are served", lambda: not self.fleet.unserved())
        self.say(f"all shards of the {what} served after {taken:.1f} s"
                 + (f", LATER than {within} s" if taken > within else ""))

    @staticmethod
    def until(what, condition):
        """Seconds until it holds; raises Broken when it does not come."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > RECOVERY_SECONDS:
                raise Broken(f"not within {RECOVERY_SECONDS} s: {what}")
            time.sleep(0.05)
        return time.monotonic() - began

"""What is done to hosts and servers while a scenario drives them."""

import collections
import signal
import time

from .client import Broken
from .recovery import Recovery

KILLED_SECONDS = 15  # until the shards of a killed host are served by others
STOPPED_SECONDS = 1  # the same of one that was stopped in good order
FLOW_SECONDS = 5  # until messages flow, from a server's return
FROZEN_SECONDS = (9, 14)  # longer than a lease lives
COMMIT_TRIES = 60


class Skipped(Exception):
    """A fault cannot be done here, and why."""


class Faults:
    """Each fault is done, then the time is measured until its harm is over. What happens is printed
    as it does."""

    def __init__(self, fleet, servers, chance, report, flows, short):
        self.fleet = fleet
        self.servers = servers
        self.chance = chance
        self.report = report
        self.short = short
        self.recovery = Recovery(fleet, report, flows)
        self.done = collections.Counter()
        self.skipped = {}

    def play(self, plan, meddle):
        """`plan` gives the names of faults until it is over."""
        for name in plan(self.chance):
            time.sleep(self.chance.uniform(0, 2))
            meddle()
            try:
                getattr(self, name)()
                self.done[name] += 1
            except Skipped as why:
                self.skipped[name] = str(why)
                self.say(f"SKIPPED {name}: {why}")
        self.recovery.settle()

    def summary(self):
        text = f"{sum(self.done.values())} faults: "
        text += ", ".join(f"{count} {name}" for name, count in sorted(self.done.items()))
        return text + "".join(f"; SKIPPED {name}: {why}" for name, why in self.skipped.items())

    def say(self, text):
        self.recovery.say(text)

    # ---- hosts ----

    def host_killed(self):
        host = self.one()
        host.kill()
        self.say(f"{self.name(host)} killed")
        self.recovery.served("a killed host", KILLED_SECONDS)
        self.start(host)

    def hosts_bounced(self):
        """Killed and started again at once, some while they start: who they were lives on as a
        member that is dead and not known to be."""
        for _ in range(self.chance.randint(2, 5)):
            host = self.chance.choice(self.fleet.hosts)
            host.kill()
            self.say(f"{self.name(host)} killed and started at once")
            host.spawn()
            if self.chance.random() < 0.3:
                time.sleep(self.chance.uniform(0, 0.5))
                host.kill()
                host.spawn()
                self.say(f"{self.name(host)} killed while it started")
            time.sleep(self.chance.uniform(0, 2))
        for host in self.fleet.hosts:
            host.wait_until_ready()
        self.recovery.settle()

    def host_killed_while_kafka_stalls(self):
        """What it has committed and not sent others send."""
        host = self.one()
        self.servers.kafka.pause()
        time.sleep(self.chance.uniform(0.3, 1.5))
        host.kill()
        self.servers.kafka.resume()
        self.say(f"{self.name(host)} killed while kafka stalled")
        self.recovery.served("a killed host", KILLED_SECONDS)
        self.start(host)

    def host_stopped(self):
        self.stop(self.one())

    def rolling_restart(self):
        for host in self.chance.sample(self.fleet.hosts, len(self.fleet.hosts)):
            self.recovery.settle()
            self.stop(host)

    def stop(self, host):
        """It answers its requests first, and serves its shards meanwhile: the time counts from when it
        begins to hand them over."""
        with self.servers.watch(self.fleet.database) as watch:
            host.begin_stop()
            self.say(f"{self.name(host)} stopped with SIGTERM")
            self.recovery.wait("it hands its shards over", lambda: self.still_there(watch, host))
            self.recovery.served("a stopped host", STOPPED_SECONDS, but=host)
        host.wait_until_stopped()
        self.start(host)

    @staticmethod
    def still_there(watch, host):
        said = watch.is_leaving(host.admin_port) or not host.is_running()
        return None if said else "it is a member like others"

    def host_frozen(self):
        host = self.one()
        self.freeze(host)
        self.say(f"{self.name(host)} frozen")
        self.thaw(host)

    def host_frozen_in_commit(self):
        """In a transaction that it has begun; or, where none is seen, with a commit on its way whose
        answer it does not see any more."""
        host = self.one()
        with self.servers.watch() as watch:
            for _ in range(COMMIT_TRIES):
                watch.until_in_transaction(self.fleet.application(host))
                self.freeze(host)
                time.sleep(0.02)  # what the server has got of a commit it does
                if watch.in_transaction(self.fleet.application(host)):
                    self.say(f"{self.name(host)} frozen in a transaction")
                    break
                self.unfreeze(host)
            else:
                self.servers.postgres.pause()
                time.sleep(0.1)
                self.freeze(host)
                self.servers.postgres.resume()
                self.say(f"{self.name(host)} frozen with its commits on their way")
        self.thaw(host)

    def thaw(self, host):
        """Goes on after so long that others have what it thinks it has."""
        until = time.monotonic() + self.chance.uniform(*FROZEN_SECONDS)
        self.recovery.served("a frozen host", None)
        time.sleep(max(0, until - time.monotonic()))
        self.unfreeze(host)
        self.say(f"{self.name(host)} goes on")
        self.recovery.settle()

    def shards_fought_for(self):
        """Leases change hands behind their owners' backs: two work on a shard, until the store's
        fence parts them."""
        self.recovery.settle()
        moved = 0
        for _ in range(self.chance.randint(3, 8)):
            moved += self.servers.steal_leases(self.fleet.database, self.chance.uniform(0.1, 0.9))
            time.sleep(self.chance.uniform(0.05, 0.8))
        self.say(f"{moved} leases given to other hosts")
        self.recovery.settle()

    # ---- servers ----

    def kafka_killed(self):
        self.server_killed(self.servers.kafka)

    def postgres_killed(self):
        self.server_killed(self.servers.postgres)

    def server_killed(self, server):
        self.recovery.settle()
        server.kill()
        self.say(f"{server.name} killed")
        time.sleep(self.chance.uniform(0, 3))
        server.start()
        self.recovery.flowing(f"{server.name} is back", FLOW_SECONDS)

    def kafka_stalled(self):
        self.server_stalled(self.servers.kafka)

    def postgres_stalled(self):
        self.server_stalled(self.servers.postgres)

    def server_stalled(self, server):
        self.recovery.settle()
        seconds = 4 if self.short else 20
        deaths = self.fleet.metric("host_member_deaths_total")
        server.pause()
        self.say(f"{server.name} stalled for {seconds} s")
        time.sleep(seconds)
        server.resume()
        self.recovery.flowing(f"{server.name} goes on", FLOW_SECONDS)
        found = self.fleet.metric("host_member_deaths_total") - deaths
        if found:
            raise Broken(f"{found:.0f} hosts were taken for dead when {server.name} stalled")

    def connections_cut(self):
        self.recovery.settle()
        whose = self.chance.choice([None, *self.fleet.hosts])
        cut = self.servers.cut(self.fleet.database, whose and self.fleet.application(whose))
        self.say(f"{cut} connections to postgres cut"
                 + (f", of {self.name(whose)}" if whose else ""))
        self.recovery.flowing("the connections were cut", FLOW_SECONDS)

    def disk_full(self):
        """That of the tables; the write-ahead log of the server has its own."""
        why = self.servers.disk.unusable
        if why:
            raise Skipped(why)
        self.recovery.settle()
        before = self.servers.full_disk_errors()
        self.servers.disk.fill()
        self.say("the disk of postgres is full")
        deadline = time.monotonic() + 20
        while self.servers.full_disk_errors() == before and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(self.chance.uniform(1, 3))
        self.servers.disk.free()
        met = self.servers.full_disk_errors() - before
        if not met:
            raise Skipped("nobody met the full disk within 20 s")
        self.say(f"the disk of postgres has room again; it had refused {met} times")
        self.recovery.flowing("there was room again", FLOW_SECONDS)

    def all_killed(self):
        """A host and both servers, at once."""
        host = self.one()
        self.servers.kafka.kill()
        host.kill()
        self.servers.postgres.kill()
        self.say(f"{self.name(host)}, kafka and postgres killed")
        self.servers.postgres.start()
        self.servers.kafka.start()
        self.recovery.served("a host that was killed with its servers", None)
        self.start(host)

    # ---- what they are made of ----

    def one(self):
        """A host, when everything is as it should be."""
        self.recovery.settle()
        return self.chance.choice(self.fleet.hosts)

    def name(self, host):
        return f"host {self.fleet.hosts.index(host) + 1}"

    def start(self, host):
        host.start()
        self.say(f"{self.name(host)} is back")

    def freeze(self, host):
        host.must_live()
        self.fleet.stopped.add(host)
        host.process.send_signal(signal.SIGSTOP)

    def unfreeze(self, host):
        host.process.send_signal(signal.SIGCONT)
        self.fleet.stopped.discard(host)


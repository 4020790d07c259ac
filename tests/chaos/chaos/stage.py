"""Where a scenario plays: on one embedded host, or on a fleet with its servers."""

from . import foreign
from .faults import Faults
from .fleet import PARTITIONS, Fleet
from .host import Host, kill_at_random


class Alone:
    """One host on one SQLite file, which is killed again and again."""

    durable = True  # an answer means that what was sent is in the log
    lasting = False  # longer than it takes until everything has come to rest

    def __init__(self, options, kills):
        self.root = options.root
        self._options = options
        self._kills = kills

    def host(self, folder, alone, parts):
        return Host(self._options.host, alone, folder, self.root, self._options.lanes)

    def play(self, host, chance, meddle=lambda: None, flows=True):
        """Until it is over. `flows`: whether there are always messages, which is how the return of
        a server can be seen."""
        kill_at_random(host, self._kills, chance, self._options.between, meddle)
        return f"{host.kills} kills, {host.stops} stops in good order"

    def seen(self, topic):
        """What a foreign consumer sees of it; nothing where no foreign consumer is."""
        return None


class Together:
    """Several hosts on Kafka and PostgreSQL, and all kinds of faults."""

    durable = False  # the answer of a door comes with the commit
    lasting = True

    def __init__(self, options, servers, report, name, plan):
        self.root = options.root
        self._options = options
        self._servers = servers
        self._report = report
        self._name = name
        self._plan = plan

    def host(self, folder, alone, parts):
        return Fleet(self._options, self._servers, self._name, parts, folder)

    def play(self, fleet, chance, meddle=lambda: None, flows=True):
        faults = Faults(fleet, self._servers, chance, self._report, flows, self._options.short)
        faults.play(self._plan, meddle)
        faults.recovery.tell(judge=not self._options.short)
        return faults.summary()

    def seen(self, topic):
        return foreign.read(self._servers.kafka.address, f"{self._name}.{topic}", PARTITIONS)

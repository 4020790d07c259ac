"""Several hosts of one deployment on Kafka and PostgreSQL. To a scenario it is like one host."""

import collections
import os
import threading

from .client import Broken, Client, Lost, Refused
from .host import Host

PARTITIONS = 8
REQUEST_SECONDS = 7  # less than a host is stopped for, so that nobody waits for one that is


class Fleet:
    """`parts` has a list of plugin files for each host. One thread starts and kills, any thread may
    ask. What it says about shards is of the hosts that live and are not stopped."""

    def __init__(self, options, servers, name, parts, folder):
        self.folder = folder
        self.servers = servers
        self.database = name  # and what is before the topics
        servers.database(name, options.host, sorted({file for files in parts for file in files}))
        self.hosts = []
        for number, files in enumerate(parts, 1):
            place = folder / f"host{number}"
            place.mkdir()
            arguments = [word for file in files for word in ("--plugin", str(file))]
            arguments += servers.arguments(name, f"host{number}")
            self.hosts.append(Host(options.host, [*arguments, "--partitions", str(PARTITIONS)],
                                   place, options.root, options.lanes or 2,
                                   {**os.environ, **servers.environment}))
        self.plugins = {}  # the names that each host runs
        self.stopped = set()  # by SIGSTOP
        self.serving = threading.Event()

    # ---- their lives ----

    def start(self):
        for host in self.hosts:
            host.spawn()
        for host in self.hosts:
            host.wait_until_ready()
            self.plugins[host] = {each["name"] for each in self._admin(host, "/admin/plugins")}
        self.serving.set()

    def stop(self):
        self.serving.clear()
        for host in self.hosts:
            host.stop()

    def close(self):
        for host in self.hosts:
            host.close()
        self.servers.drop_database(self.database)

    @property
    def kills(self):
        return sum(host.kills for host in self.hosts)

    @property
    def stops(self):
        return sum(host.stops for host in self.hosts)

    @property
    def slowest_start(self):
        return max(host.slowest_start for host in self.hosts)

    def awake(self):
        return [host for host in self.hosts if host not in self.stopped and host.is_running()]

    # ---- as one host ----

    def client(self):
        return Client(*(host.port for host in self.hosts), timeout=REQUEST_SECONDS)

    def get(self, path):
        """The JSON of a GET that must succeed. A path that one host does not serve another one
        does."""
        for host in self.hosts[:-1]:
            client = Client(host.port)
            try:
                status, body = client.request("GET", path)
            except (Refused, Lost) as error:
                raise Broken(f"GET {path} on a host that nobody killed: {error!r}") from error
            finally:
                client.close()
            if status == 200:
                return body
        return self.hosts[-1].get(path)

    def get_admin(self, path):
        """Of all hosts, one list."""
        return [each for host in self.awake() for each in self._admin(host, path)]

    @staticmethod
    def _admin(host, path):
        return host.get_admin(path)

    def shards(self):
        """(host, shard) of all that answer: a host may be ending at the moment."""
        found = []
        for host in self.awake():
            client = Client(host.admin_port, timeout=2)
            try:
                status, shards = client.request("GET", "/admin/shards")
            except (Refused, Lost):
                continue
            finally:
                client.close()
            if status == 200:
                found += [(host, shard) for shard in shards]
        return found

    def unserved(self, but=None):
        """Shards that no host, `but` one, works on; doors are not counted."""
        served = {(shard["plugin"], shard["shard"]) for host, shard in self.shards()
                  if shard["status"] == "running" and host is not but}
        return {(plugin, number) for plugin in set().union(*self.plugins.values())
                for number in range(PARTITIONS)} - served

    def doubled(self):
        """Shards that two hosts believe to be theirs."""
        owners = collections.Counter((shard["plugin"], shard["shard"])
                                     for _, shard in self.shards())
        return [shard for shard, count in owners.items() if count > 1]

    def shares(self):
        """How many shards each host that runs a plugin has of it."""
        owned = collections.Counter((host, shard["plugin"]) for host, shard in self.shards()
                                    if shard["shard"] < PARTITIONS)
        return {plugin: [owned[host, plugin] for host in self.awake()
                         if plugin in self.plugins[host]]
                for plugin in set().union(*self.plugins.values())}

    def progress(self):
        """Messages taken from the log, and commits, by host."""
        return {host: tuple(sum_of(text, name) for name in ("host_messages_taken_total",
                                                            "host_commits_total"))
                for host, text in self._metrics()}

    def metric(self, name):
        """Its sum over hosts."""
        return sum(sum_of(text, name) for _, text in self._metrics())

    def _metrics(self):
        for host in self.awake():
            client = Client(host.admin_port, timeout=2)
            try:
                status, text = client.request("GET", "/metrics")
            except (Refused, Lost):
                continue
            finally:
                client.close()
            if status == 200:
                yield host, text

    def application(self, host):
        """What it is called by its connections to the database."""
        return f"host{self.hosts.index(host) + 1}"

    def is_quiet(self):
        return (len(self.awake()) == len(self.hosts) and not self.unserved()
                and not self.doubled()
                and all(shard[what] == 0 for _, shard in self.shards()
                        for what in ("lag", "pending", "outbox")))

    def told(self):
        """What the hosts say of shards that do not run, and what the database says of owners."""
        lines = [f"{self.application(host)}: {shard}" for host, shard in self.shards()
                 if shard["status"] != "running"]
        for table in ("host.member", "host.lease"):
            lines += [f"{table}: {row}" for row in
                      self.servers.sql(f"table {table}", self.database).splitlines()]
        return "\n    ".join(lines)

    def dead_letters(self):
        """Each once, although each host that runs the plugin tells them."""
        letters = [each for host in self.hosts for each in host.dead_letters()]
        return list({each["id"]: each for each in letters}.values())

    def log_tail(self, lines=15):
        return "\n".join(host.log_tail(lines) for host in self.hosts)


def sum_of(text, name):
    """Over its series."""
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines()
               if line.startswith((name + "{", name + " ")))

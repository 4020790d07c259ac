"""Universes full of travellers, while the host is killed: 42 names, once each."""

import collections
import threading
import time

from .client import Broken, Unanswered
from .host import wait_until, wait_until_quiet

PLACES = ("greatLibrary", "gryffindorTower", "hagridsHut", "herbologyGreenHouse", "muggleWorld",
          "platform9Quarters", "quidditchPitch")
# Of a fleet: each plugin in two hosts, no two hosts alike; the master in all of them.
PARTS = (("master", "library", "gryffindor", "hagrid", "herbology", "muggle"),
         ("master", "muggle", "platform", "quidditch", "library"),
         ("master", "gryffindor", "hagrid", "herbology", "platform", "quidditch"))
CHARACTERS = 42
REST_SECONDS = 180
UNIVERSES = 6
EVERY_SECONDS = 5


class Headmaster(threading.Thread):
    """Starts universes, pauses, resumes and stops them at random until told to stop. It repeats what
    was not answered, with the same Idempotency-Key."""

    def __init__(self, host, lasting, chance):
        super().__init__(daemon=True)
        self.host = host
        self.lasting = lasting  # universes are begun all the time: most come to rest soon
        self.began = time.monotonic()
        self.chance = chance
        self.client = host.client()
        self.ended = threading.Event()
        self.started = []
        self.asked = 0
        self.refusals = []

    def run(self):
        while not self.ended.wait(self.chance.uniform(0.05, 0.3)):
            if len(self.started) < self.due():
                self.begin()
            else:
                self.meddle()
        self.client.close()

    def due(self):
        more = (time.monotonic() - self.began) / EVERY_SECONDS if self.lasting else 0
        return UNIVERSES + int(more)

    def ask(self, method, path, body=None):
        self.asked += 1
        try:
            status, answer = self.client.request_until_answered(
                self.host.serving, f"order-{self.asked}", method, path, body)
        except Unanswered as error:
            self.refusals.append(str(error))
            return None, None
        if status >= 500:
            self.refusals.append(f"{method} {path} is {status}: {answer}")
        return status, answer

    def begin(self):
        rules = {"seed": self.chance.randrange(1000), "hops": self.chance.randint(20, 60),
                 "pace": f"{self.chance.randint(40, 120)}ms"}
        status, made = self.ask("POST", "/universes", rules)
        if status == 201:
            self.started.append(made["id"])

    def meddle(self):
        what = self.chance.choices(("pause", "resume", "stop"), (10, 20, 1))[0]
        self.ask("POST", f"/universes/{self.chance.choice(self.started)}/{what}")


def universes_of(host):
    """Status by id, of all that the master knows."""
    universes, after = {}, ""
    while after is not None:
        page = host.get("/states?limit=100" + (f"&after={after}" if after else ""))
        universes.update((each["id"], each["status"]) for each in page["data"])
        after = page.get("next")
    return universes


def present_in(host, universe):
    """Who is where, from the places' own states."""
    return {place: host.get(f"/places/{place}/universes/{universe}")["present"]
            for place in PLACES}


def wake(host):
    """Resumes what is paused; True when nothing runs any more."""
    client = host.client()
    still = True
    for universe, status in universes_of(host).items():
        if status == "paused":
            client.request("POST", f"/universes/{universe}/resume")
        still = still and status in ("resting", "stopped")
    client.close()
    return still


def not_once_each(universe, present):
    names = collections.Counter(name for there in present.values() for name in there)
    if len(names) != CHARACTERS or any(times != 1 for times in names.values()):
        odd = {name: times for name, times in names.items() if times != 1}
        yield f"{universe} has {len(names)} characters; not once: {odd}"


def master_disagrees(host, universe, present):
    shown = host.get(f"/universes/{universe}")
    for place, names in present.items():
        for name in names:
            where = shown["characters"][name]
            if where["place"] != place or where["in_flight"]:
                yield f"{universe}: {name} is in {place}, the master says {where}"
    scenes, before = 0, ""
    while before is not None:
        page = host.get(f"/universes/{universe}/chronicle?limit=100"
                        + (f"&before={before}" if before else ""))
        scenes += len(page["data"])
        before = page.get("next")
    decided = sum(shown["decisions"][by] for by in ("storyteller", "repaired", "dice"))
    if scenes != decided:
        yield f"{universe}: {scenes} scenes in the chronicle, {decided} decisions"


def not_cleared(host, universes):
    client = host.client()
    for universe in universes:
        paths = [f"/universes/{universe}"]
        paths += [f"/places/{place}/universes/{universe}" for place in PLACES]
        for path in paths:
            status, _ = client.request("GET", path)
            if status != 404:
                yield f"GET {path} is {status} after the reset"
    client.close()


def check(report, host, headmaster, universes, present):
    states = collections.Counter(universes.values())
    report.figure(f"{len(universes)} universes: "
                  + ", ".join(f"{count} {status}" for status, count in sorted(states.items())))
    report.figure(f"{headmaster.asked} requests, {headmaster.client.repeats} repeated with their key, "
                  f"{headmaster.client.replays} answered as before")
    report.check("no acknowledged universe is lost",
                 (each for each in headmaster.started if each not in universes))
    report.check("no repeated request starts another universe",
                 (each for each in universes if each not in headmaster.started))
    report.check("every universe rests or was stopped",
                 (f"{each} is {status}" for each, status in universes.items()
                  if status not in ("resting", "stopped")))
    report.check("42 names, once each, in the places' own states",
                 (each for universe in universes
                  for each in not_once_each(universe, present[universe])))
    report.check("the master knows where everybody is, and every scene once",
                 (each for universe in universes
                  for each in master_disagrees(host, universe, present[universe])))
    report.check("no request fails", headmaster.refusals)
    report.check("there are no dead letters", host.dead_letters())


def check_reset(report, host, universes):
    client = host.client()
    status, _ = client.request("DELETE", "/reset")
    client.close()
    report.check("a reset is accepted", [] if status == 202 else [f"it is {status}"])
    wait_until_quiet(host, lambda: universes_of(host))
    report.check("a reset clears every universe everywhere", not_cleared(host, universes))


def run(report, stage, folder, chance):
    host = stage.host(folder, alone=["run", str(stage.root / "examples/hogwarts/deployment.lua")],
                      parts=[[stage.root / f"plugins/{name}.lua" for name in part]
                             for part in PARTS])
    headmaster = Headmaster(host, stage.lasting, chance.spawn("headmaster"))
    try:
        host.start()
        headmaster.start()
        played = stage.play(host, chance, flows=False)
        headmaster.ended.set()
        headmaster.join()
        if not headmaster.started:
            raise Broken("no universe could be started")

        try:
            wait_until("rest in all universes", lambda: wake(host), REST_SECONDS)
        except Broken as error:
            report.check("every universe comes to rest", [str(error)])
        universes = wait_until_quiet(host, lambda: universes_of(host))
        present = {universe: present_in(host, universe) for universe in universes}
        check(report, host, headmaster, universes, present)
        check_reset(report, host, universes)
        host.stop()
        report.figure(f"{played}, slowest start {host.slowest_start:.2f} s")
    finally:
        headmaster.ended.set()
        host.close()

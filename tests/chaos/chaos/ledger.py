"""Transfers between accounts, from several threads, while the host is killed. Most requests carry an
Idempotency-Key and are repeated until they are answered: those are made exactly once."""

import collections
import json
import os
import threading
import time

from .client import Lost, Refused, Unanswered
from .host import wait_until_quiet

THREADS = 6
HOSTS = 3  # of a fleet
PAYERS = 8  # a thread; it alone sends their transfers, one after the other, so it knows the order
KEYED = 0.7  # of the requests; the rest is sent once, and its answer may be lost
GENERATION = 4000  # transfers after which fresh accounts are used: their states stay small
WAYS = {"plain": 6, "timer": 3, "retry": 1, "door": 3, "inbox": 3, "sql": 3, "ask": 2}
# Through one topic, in the order in which one client sent them; the rest has its own way.
ORDERED = {"plain": "transfers", "retry": "transfers", "door": "transfers", "sql": "transfers",
           "ask": "transfers", "inbox": "inbox"}

IN_LOG = "in the log"

# `order`: IN_LOG, when its answer means that it is there; else whose order it keeps with others that
# have the same, or None.
Transfer = collections.namedtuple("Transfer", "id number payer payee amount via group order",
                                  defaults=[None])


class Teller(threading.Thread):
    """Sends transfers until told to stop; remembers what was acknowledged and what may have been
    made. Its lists are read after join()."""

    def __init__(self, host, number, chance, durable):
        super().__init__(daemon=True)
        self.host = host
        self.durable = durable
        self.number = number
        self.chance = chance
        self.client = host.client()
        self.ended = threading.Event()
        self.sent = 0
        self.acknowledged = []
        self.unknown = []
        self.refusals = []

    def run(self):
        while not self.ended.is_set():
            transfers = self.next_transfers()
            self.send(transfers)
        self.client.close()

    def next_transfers(self):
        via = self.chance.choices(list(WAYS), list(WAYS.values()))[0]
        count = self.chance.randint(2, 5) if via == "door" else 1
        group = self.sent if via == "door" else None
        return [self.next_transfer(via, group) for _ in range(count)]

    def next_transfer(self, via, group):
        generation, number = self.sent // GENERATION, self.sent
        self.sent += 1
        payer = (self.number, self.chance.randrange(PAYERS))
        payee = payer
        while payee == payer:
            payee = (self.chance.randrange(THREADS), self.chance.randrange(PAYERS))
        name = "a{}-{}-{}".format
        return Transfer(f"{self.number}.{number}", number, name(generation, *payer),
                        name(generation, *payee), self.chance.randint(1, 100), via, group)

    def send(self, transfers):
        bodies = [{"id": t.id, "from": t.payer, "to": t.payee, "amount": t.amount, "via": t.via}
                  for t in transfers]
        path, body = "/transfers", bodies[0]
        if len(bodies) > 1:
            path, body = "/transfers/batch", bodies
        if self.chance.random() < KEYED:
            self.send_until_answered(transfers, path, body)
        else:
            self.send_once(transfers, path, body)

    def acknowledge(self, transfers, order):
        if self.durable or transfers[0].via == "ask":
            order = IN_LOG
        self.acknowledged += [each._replace(order=order) for each in transfers]

    def forget(self, transfers):
        """They may have been made, or, on a host that is stopped, still be made later."""
        order = IN_LOG if self.durable else None
        self.unknown += [each._replace(order=order) for each in transfers]

    def send_until_answered(self, transfers, path, body):
        repeats = self.client.repeats
        try:
            status, answer = self.client.request_until_answered(
                self.host.serving, f"transfer-{transfers[0].id}", "POST", path, body)
        except Unanswered as error:
            self.forget(transfers)
            self.refusals.append(str(error))
            return
        # Through a door, which belongs to the connection's lane. Which of several attempts it was,
        # and through whose door, nobody knows.
        first = self.client.repeats == repeats
        self.acknowledge(transfers, self.client.opened if first else None)
        if status not in (201, 202):
            self.refusals.append(f"POST {path} with a key is {status}: {answer}")

    def send_once(self, transfers, path, body):
        while not self.ended.is_set():
            if not self.host.serving.wait(0.1):
                continue
            try:
                status, answer = self.client.request("POST", path, body)
            except Refused:
                time.sleep(0.02)
                continue  # it was never made
            except Lost:
                self.forget(transfers)
                return
            if status in (201, 202):
                self.acknowledge(transfers, self.client.opened if len(transfers) > 1 else IN_LOG)
            else:
                # 503 and 504 may come late, after the message was taken.
                self.forget(transfers)
                if status not in (503, 504):
                    self.refusals.append(f"POST {path} is {status}: {answer}")
            return


def accounts_of(host):
    """All accounts by name, and the table beside them."""
    accounts, after = {}, ""
    while after is not None:
        page = host.get("/accounts?limit=200" + (f"&after={after}" if after else ""))
        accounts.update((each["key"], each["state"]) for each in page["data"])
        after = page.get("next")
    totals, after = {}, ""
    while after is not None:
        page = host.get(f"/totals?after={after}")["data"]
        totals.update((each["account"], each["balance"]) for each in page)
        after = page[-1]["account"] if page else None
    return accounts, totals


def once_each(ids, transfers, side):
    """Ids that are not booked as they must be: acknowledged ones once, the rest at most once."""
    for transfer, must in transfers:
        times = ids.get(transfer.id, 0)
        if times > 1 or (must and times == 0):
            yield f"{transfer} is booked {times} times by the {side}"


def out_of_order(accounts, by_id):
    """Whoever was certainly in the log, or in the same queue to it, when the client sent the next
    one, is booked before it."""
    for name, account in accounts.items():
        last = collections.defaultdict(lambda: -1)
        for number in account["paid"]:
            transfer = by_id.get(number)
            way = transfer and ORDERED.get(transfer.via)
            if not way:
                continue
            before = last[way, transfer.order]
            if transfer.order is not None and transfer.number < before:
                yield f"{name} paid {transfer.id} after number {before} ({way})"
            last[way, IN_LOG] = max(last[way, IN_LOG], transfer.number)
            if transfer.order != IN_LOG:
                last[way, transfer.order] = max(last[way, transfer.order], transfer.number)


def overtaken(accounts, by_id):
    """A payer sends its credits in the order in which it paid; a payee has them in that order."""
    place = {number: index for account in accounts.values()
             for index, number in enumerate(account["paid"])}
    for name, account in accounts.items():
        last = collections.defaultdict(lambda: -1)
        for number in account["received"]:
            payer = by_id[number].payer if number in by_id else None
            if place.get(number, -1) < last[payer]:
                yield f"{name} received {number} of {payer} too late"
            last[payer] = place.get(number, -1)


def wrong_balances(accounts, totals, by_id):
    for name, account in accounts.items():
        amounts = [-by_id[each].amount for each in account["paid"] if each in by_id]
        amounts += [by_id[each].amount for each in account["received"] if each in by_id]
        if sum(amounts) != account["balance"]:
            yield f"{name} has {account['balance']}, its transfers make {sum(amounts)}"
        if totals.get(name, 0) != account["tabled"]:
            yield f"{name}: the table says {totals.get(name, 0)}, the state {account['tabled']}"
    for name in totals.keys() - accounts.keys():
        yield f"{name} is in the table only"


def torn_groups(unknown, paid):
    groups = collections.defaultdict(list)
    for transfer in unknown:
        if transfer.group is not None:
            groups[transfer.id.split(".")[0], transfer.group].append(transfer)
    for members in groups.values():
        booked = [each.id in paid for each in members]
        if any(booked) and not all(booked):
            yield f"half of a request: {members}"


def strangers(accounts, by_id):
    for name, account in accounts.items():
        for side, mine in (("paid", lambda t: t.payer), ("received", lambda t: t.payee)):
            for number in account[side]:
                if number not in by_id or mine(by_id[number]) != name:
                    yield f"{name} {side} {number}, which is not its own"


def check(report, stage, host, tellers, accounts, totals):
    acknowledged = [each for teller in tellers for each in teller.acknowledged]
    unknown = [each for teller in tellers for each in teller.unknown]
    by_id = {each.id: each for each in acknowledged + unknown}
    transfers = [(each, True) for each in acknowledged] + [(each, False) for each in unknown]
    paid = collections.Counter(n for account in accounts.values() for n in account["paid"])
    received = collections.Counter(n for account in accounts.values() for n in account["received"])
    ways = collections.Counter(each.via for each in acknowledged)

    report.figure(f"{len(acknowledged)} transfers acknowledged, {len(unknown)} with a lost answer "
                  f"({sum(each.id in paid for each in unknown)} of them made)")
    report.figure(", ".join(f"{way} {count}" for way, count in sorted(ways.items())))
    report.figure(f"{sum(teller.client.repeats for teller in tellers)} requests repeated with their "
                  f"key, {sum(teller.client.replays for teller in tellers)} answered as before")
    total = sum(account["balance"] for account in accounts.values())
    report.check("the total never changes", [f"it is {total}"] if total else [])
    report.check("every acknowledged transfer is booked once by the payer",
                 once_each(paid, transfers, "payer"))
    report.check("every acknowledged transfer is booked once by the payee",
                 once_each(received, transfers, "payee"))
    report.check("what the payer booked, the payee booked",
                 (f"{each} {paid[each]} and {received[each]} times"
                  for each in paid.keys() | received.keys() if paid[each] != received[each]))
    report.check("what one request sends is made whole or not at all", torn_groups(unknown, paid))
    report.check("no account books what is not its own", strangers(accounts, by_id))
    report.check("every payer books in the order of the client", out_of_order(accounts, by_id))
    report.check("every payee books in the order of the payer", overtaken(accounts, by_id))
    report.check("balances, transfers and the table agree",
                 wrong_balances(accounts, totals, by_id))
    report.check("nothing is refused", (each for teller in tellers for each in teller.refusals))
    report.check("there are no dead letters", host.dead_letters())
    check_foreign(report, stage, accounts, by_id)


def ids_by_key(records):
    """Of each key, in order. An ask that its client repeated stands in the log again, and is handled
    once."""
    ids = collections.defaultdict(list)
    for record in records:
        transfer = json.loads(record.value)
        if transfer["via"] != "ask" or transfer["id"] not in ids[record.key]:
            ids[record.key].append(transfer["id"])
    return ids


def differences(seen, booked):
    for name in seen.keys() | booked.keys():
        there, here = seen.get(name, []), booked.get(name, [])
        if there != here:
            at = next((i for i, pair in enumerate(zip(there, here)) if pair[0] != pair[1]),
                      min(len(there), len(here)))
            yield (f"{name}: {len(there)} in the log, {len(here)} booked; from place {at} on "
                   f"{there[at:at + 3]} and {here[at:at + 3]}")


def check_foreign(report, stage, accounts, by_id):
    """What Kafka has, repeats dropped, is what the accounts booked, in the same order."""
    credits = stage.seen("ledger.credits")
    if credits is None:
        return
    transfers = stage.seen("ledger.transfers")
    report.figure(f"a foreign consumer sees {len(transfers.records)} transfers and "
                  f"{len(credits.records)} credits, and drops {transfers.repeats} and "
                  f"{credits.repeats} repeats")
    report.check("nothing comes behind what its stream sent later",
                 transfers.overtaken + credits.overtaken)
    report.check("a foreign consumer sees every credit once and in order",
                 differences(ids_by_key(credits.records),
                             {name: each["received"] for name, each in accounts.items()
                              if each["received"]}))
    straight = [each for each in transfers.records
                if json.loads(each.value)["via"] != "timer"]
    booked = {name: [number for number in each["paid"] if number in by_id
                     and ORDERED.get(by_id[number].via) == "transfers"]
              for name, each in accounts.items()}
    report.check("a foreign consumer sees every transfer once and in order",
                 differences(ids_by_key(straight), {k: v for k, v in booked.items() if v}))


class Editor:
    """Saves the plugin again and again, so that revisions change under load."""

    def __init__(self, source, file, chance):
        self.text = source.read_text("utf-8")
        self.file = file
        self.chance = chance
        self.edits = 0
        self.save()

    def save(self):
        draft = self.file.with_suffix(".draft")
        draft.write_text(f"{self.text}-- edit {self.edits}\n", "utf-8")
        os.replace(draft, self.file)

    def maybe_edit(self):
        if self.chance.random() < 0.4:
            self.edits += 1
            self.save()


def not_live(host):
    for plugin in host.get_admin("/admin/plugins"):
        if plugin["state"] != "live" and plugin["state"] != "watching":
            yield f"{plugin['name']} is {plugin['state']}"
        if plugin.get("refused"):
            yield f"{plugin['name']} was refused: {plugin['refused']}"


def run(report, stage, folder, chance):
    file = folder / "ledger.lua"
    editor = Editor(stage.root / "tests/chaos/plugins/ledger.lua", file, chance.spawn("editor"))
    host = stage.host(folder, alone=["--plugin", str(file)], parts=[[file]] * HOSTS)
    tellers = [Teller(host, number, chance.spawn(number), stage.durable)
               for number in range(THREADS)]
    try:
        host.start()
        for teller in tellers:
            teller.start()
        played = stage.play(host, chance, editor.maybe_edit)
        for teller in tellers:
            teller.ended.set()
        for teller in tellers:
            teller.join()
        accounts, totals = wait_until_quiet(host, lambda: accounts_of(host))
        check(report, stage, host, tellers, accounts, totals)
        report.check("the script is live after its edits", not_live(host))
        host.stop()
        report.figure(f"{played}, {editor.edits} edits, slowest start {host.slowest_start:.2f} s")
    finally:
        for teller in tellers:
            teller.ended.set()
        host.close()

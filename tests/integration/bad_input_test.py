#!/usr/bin/env python3
"""Everything that a script or a message can do wrong, one small case each, against the binary: the
error names plugin, file, line, key and message id in the log and in the dead letter, and the
process, the key and its neighbours go on.

usage: bad_input_test.py HOST_BINARY [TEST...]
"""

import http.client
import json
import os
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import host_process_test as process  # noqa: E402

FILE = "bad.lua"
PASSWORD = "swordfish-4711"

# A case: name, what the handler does, what the error says. A line that ends with `-- here` is the
# one that the error names; without one it is the line on which the handler begins.
# Of a message handler:
MESSAGE_CASES = [
    ("a raise with a text", "error(\"it breaks\") -- here", "it breaks"),
    ("a raise with a table", "error({ code = 7 }) -- here", "raised a table instead of a text"),
    ("a raise with nil", "error() -- here", "raised a nil instead of a text"),
    ("a raise with the error of the host", """local state, err = ctx:read("nobody")
        error(err) -- here""", "raised a table instead of a text: no state of the key 'nobody'"),
    ("a raise in a function of its own file", "helper(nil)",
     "attempt to index local 'thing'", "helper here"),
    ("a raise in a coroutine", """local co = coroutine.wrap(function()
          error("inner") -- here
        end)
        co()""", "inner"),
    ("an assert", "assert(false, \"not so\") -- any", "not so"),
    ("an error that quotes a secret", "error(\"password \" .. ctx.config.password) -- here",
     "password ***"),
    ("an unknown topic in emit", "ctx:emit(\"bad.\" .. \"rslt\", \"k\", {}) -- here",
     "the topic 'bad.rslt' is not declared in `emits` (did you mean 'bad.rest'?)"),
    ("an emitted payload against its schema",
     "ctx:emit(\"bad.strict\", \"k\", { n = \"many\" }) -- here",
     "the payload for 'bad.strict' does not fit: n: is text, not a whole number"),
    ("an emitted payload with an unknown field",
     "ctx:emit(\"bad.strict\", \"k\", { n = 1, m = 2 }) -- here", "m: is not a field here"),
    ("an emitted payload that is huge",
     "ctx:emit(\"bad.rest\", \"k\", { text = (\"x\"):rep(1000000) }) -- here",
     "is too large: 1000011 bytes of at most 900000"),
    ("1,001 emits", """for i = 1, 1001 do
          ctx:emit("bad.rest", "k", { i = i }) -- here
        end""", "more than 1000 messages in one unit of work"),
    ("an emitted header of the host's",
     "ctx:emit(\"bad.rest\", \"k\", {}, { [\"host-id\"] = \"x\" }) -- here",
     "the header 'host-id' is reserved for the host"),
    ("an emit with an empty key", "ctx:emit(\"bad.rest\", \"\", {}) -- here", "the key is empty"),
    ("an emit with a NUL in the key", "ctx:emit(\"bad.rest\", \"a\\0b\", {}) -- here",
     "the key contains NUL"),
    ("an emit with a key that is no UTF-8", "ctx:emit(\"bad.rest\", \"\\255\", {}) -- here",
     "the key is not valid UTF-8"),
    ("an emit with a key of 513 bytes", "ctx:emit(\"bad.rest\", (\"k\"):rep(513), {}) -- here",
     "the key is longer than 512 bytes"),
    ("an emit with a table as key", "ctx:emit(\"bad.rest\", {}, {}) -- here", "the key"),
    ("an emit with a text that is no UTF-8",
     "ctx:emit(\"bad.rest\", \"k\", { text = \"\\255\" }) -- here", "UTF-8"),
    ("a state with a function", "ctx.state.any = print", "any: is a function, which JSON does not have"),
    ("a state with a cycle", "ctx.state.any = {}; ctx.state.any.me = ctx.state.any",
     "any.me: contains itself"),
    ("a state with NaN", "ctx.state.any = 0 / 0", "any: is not a finite number"),
    ("a state with an infinite number", "ctx.state.any = 1 / 0", "any: is not a finite number"),
    ("a state with a map key that is no text", "ctx.state.map = { [true] = 1 }",
     "map: has true or false as a key: keys are text"),
    ("a state with a list that has a hole", "ctx.state.any = { 1, nil, 3 }", "any: is a list with holes"),
    ("a state with an unknown field", "ctx.state.totl = 1", "totl: is not a field here; did you mean \"total\"?"),
    ("a state against its schema", "ctx.state.total = \"many\"", "total: is text, not a whole number"),
    ("a state over its size", "ctx.state.any = (\"x\"):rep(300000)",
     "ctx.state is too large: 3000"),
    ("a state that is no table", "ctx.state = 5 -- here", "ctx.state must be a table"),
    ("a handler that yields in a comparator", """table.sort({ 3, 2, 1 }, function(a, b)
          ctx:read("x") -- here
          return a < b
        end)""", "cannot wait"),
    ("a handler that yields in gsub", """("abc"):gsub("%w", function()
          ctx:query("select n from bad_rows where n = :n", { n = 1 }) -- here
        end)""", "cannot wait"),
    ("a handler that yields in a metamethod", """local t = setmetatable({}, { __lt = function()
          ctx:yield() -- here
        end })
        table.sort({ t, setmetatable({}, getmetatable(t)) })""", "cannot wait"),
    ("a plain coroutine.yield", "coroutine.yield(1) -- here", "coroutine.yield outside of a coroutine"),
    ("a query of an unknown table", "ctx:query(\"select n from nowhere\", {}) -- here",
     "nowhere"),
    ("a query with a wrong syntax", "ctx:query(\"selekt 1\", {}) -- here", "SELECT"),
    ("a query with a wrong clause", "ctx:query(\"select n frm bad_rows\", {}) -- here",
     "syntax error"),
    ("a query that writes", "ctx:query(\"delete from bad_rows\", {}) -- here",
     "a query only reads (writes are deferred to the commit: ctx:exec)"),
    ("a query that is a pragma", "ctx:query(\"pragma user_version\", {}) -- here",
     "begins with SELECT"),
    ("a query of the host's tables", "ctx:query(\"select * from host_state\", {}) -- here",
     "does not belong to plugin bad"),
    ("a query of another plugin's table", "ctx:query(\"select n from good_rows\", {}) -- here",
     "does not belong to plugin bad"),
    ("a query of the schema", "ctx:query(\"select * from sqlite_master\", {}) -- here",
     "does not belong to plugin bad"),
    ("a query without its parameter",
     "ctx:query(\"select n from bad_rows where n = :n\", {}) -- here", "parameter :n"),
    ("a query with NaN",
     "ctx:query(\"select n from bad_rows where n = :n\", { n = 0 / 0 }) -- here",
     "the parameter ':n' is not a finite number"),
    ("a query that takes too long", """ctx:query([[with recursive c(n) as
          (select 1 union all select n + 1 from c) select sum(n) from c]], {}) -- any""",
     "longer than 50 ms"),
    ("a query after an exec", """ctx:exec("insert into bad_rows (n) values (5)", {})
        ctx:query("select n from bad_rows", {}) -- here""", "after"),
    ("an exec against a constraint", "ctx:exec(\"insert into bad_rows (n) values (1)\", {}) -- here",
     "UNIQUE constraint failed"),
    ("an exec on an unknown table", "ctx:exec(\"delete from nowhere\", {}) -- here", "nowhere"),
    ("an exec with a wrong syntax", "ctx:exec(\"delete bad_rows frm\", {}) -- here", "syntax error"),
    ("an exec of DDL", "ctx:exec(\"drop table bad_rows\", {}) -- here", "begins with SELECT"),
    ("an exec of a commit", "ctx:exec(\"commit\", {}) -- here", "begins with SELECT"),
    ("an exec of two statements",
     "ctx:exec(\"delete from bad_rows; delete from bad_rows\", {}) -- here",
     "more than one statement"),
    ("an exec on the host's tables", "ctx:exec(\"delete from host_state\", {}) -- here",
     "does not belong to plugin bad"),
    ("an exec that takes too long", """ctx:exec([[insert into bad_rows (n) with recursive c(n) as
          (select 100 union all select n + 1 from c) select n from c]], {}) -- any""",
     "longer than 50 ms"),
    ("a handler that runs for ever", "while true do end -- here", "of CPU time in one turn"),
    ("one that runs for ever and catches", """while true do
          pcall(function() while true do end end) -- here
        end""", "of CPU time in one turn"),
    ("a handler that eats memory", """local s = "x"
        while true do s = s .. s end -- any""", "memory"),
    ("one that eats memory in one piece", "local s = (\"x\"):rep(1e9) -- any", "memory"),
    ("a recursion without end", """local function f() return 1 + f() end -- here
        f()""", "stack overflow"),
    ("a pattern that backtracks", """local s = ("a"):rep(30000)
        s:find(".-.-.-.-b") -- here""", "pattern"),
    ("a global write", "total = 1 -- here", "total"),
    ("an undefined global read", "local x = totl + 1 -- here", "totl"),
    ("a timer that is not declared", "ctx:after(\"1s\", \"ring\" .. \"g\") -- here",
     "there is no timer 'ringg' in `timers` (did you mean 'ring'?)"),
    ("a timer's payload against its schema",
     "ctx:after(\"1s\", \"ring\", { n = \"x\" }) -- here", "n: is text, not a whole number"),
    ("a timer with a wrong delay", "ctx:after(\"soon\", \"ring\", { n = 1 }) -- here", "soon"),
    ("a field that ctx does not have", "local x = ctx.sate -- here", "did you mean 'state'"),
    ("a field of ctx that is written", "ctx.key = \"x\" -- here", "key"),
    ("an unknown metric", "ctx:count(\"hit\" .. \"ts\") -- here", "hitts"),
    ("an unknown policy", "ctx:decide(\"no\" .. \"body\", {}) -- here", "nobody"),
    ("an unknown module", "local m = require(\"nowhere\") -- here", "nowhere"),
    ("a reply that is no JSON", "ctx:reply(print) -- here", "function"),
    ("an ask in a message handler", "ctx:ask(\"bad.rest\", \"k\", {}, \"1s\") -- here", "ask"),
    ("what is not in this version", "ctx:llm { prompt = \"x\" } -- here", "not in this version"),
    ("a key that is given up", "ctx:dead(\"it is wrong\") -- here", "it is wrong"),
    ("giving up in a comparator", """table.sort({ 3, 2, 1 }, function(a, b)
          ctx:dead("no order") -- here
        end)""", "no order"),
]

# Of an HTTP handler: what the log says; the answer is a problem document that says nothing of it.
HTTP_CASES = [
    ("a raise", "error(\"it breaks \" .. ctx.config.password) -- here", "it breaks ***"),
    ("a raise with a table", "error({ secret = ctx.config.password }) -- here",
     "raised a table instead of a text"),
    ("an unknown topic in emit", "ctx:emit(\"bad.\" .. \"rslt\", \"k\", {}) -- here", "is not declared"),
    ("an emitted payload against its schema",
     "ctx:emit(\"bad.strict\", \"k\", { n = \"many\" }) -- here", "n: is text, not a whole number"),
    ("an emit with an empty key", "ctx:emit(\"bad.rest\", \"\", {}) -- here", "the key is empty"),
    ("10,001 emits", """for i = 1, 10001 do
          ctx:emit("bad.rest", "k", { i = i }) -- here
        end""", "more than 10000 messages in one unit of work"),
    ("a state", "local s = ctx.state -- here", "use ctx:read(key)"),
    ("a timer", "ctx:after(\"1s\", \"ring\", { n = 1 }) -- here", "after"),
    ("an exec", "ctx:exec(\"delete from bad_rows\", {}) -- here", "exec"),
    ("a query of an unknown table", "ctx:query(\"select n from nowhere\", {}) -- here", "nowhere"),
    ("a yield in a comparator", """table.sort({ 3, 2, 1 }, function(a, b)
          ctx:read("x") -- here
          return a < b
        end)""", "cannot wait"),
    ("an endless loop", "while true do end -- here", "of CPU time in one turn"),
    ("a memory bomb", """local s = "x"
        while true do s = s .. s end -- any""", "memory"),
    ("a pattern that backtracks", """local s = ("a"):rep(30000)
        s:find(".-.-.-.-b") -- here""", "pattern"),
    ("a global write", "total = 1 -- here", "total"),
    ("an undefined global read", "local x = totl + 1 -- here", "totl"),
    ("an answer without a status", "return \"fine\"", "a handler returns status"),
    ("no answer at all", "local x = 1", "a handler returns status"),
    ("an answer with a wrong status", "return 42, {}", "a status from 200 to 599"),
    ("an answer that is no JSON", "return 200, { n = print }", "n: is a function"),
    ("an answer against `returns`", "return 200, { n = \"many\" }", "n: is text, not a whole number"),
    ("an answer with a wrong header", "return 200, { n = 1 }, { x = \"a\\r\\nb: c\" }", "header"),
]

PLUGIN = """local spec = require "host.spec"

local kept = {}

local function helper(thing)
  return thing.x -- helper here
end

return {
  api = 1, name = "bad",
  emits = { "bad.rest", "bad.in.*", ["bad.strict"] = { n = spec.int } },
  config = { password = spec.string { secret = true, default = "none" } },
  state = { total = 0, map = spec.map(spec.int), any = spec.any { optional = true } },
  tables = { "create table bad_rows (n bigint primary key)" },
  metrics = { hits = { "counter", "hits" } },
  timers = {
    ring = { schema = { n = spec.int }, handle = function(ctx, payload) ctx.state.total = payload.n end },
    burst = {
      retry = { attempts = 2, backoff = "1ms..2ms" },
      handle = function(ctx)
        error("the timer breaks") -- timer here
      end,
    },
  },
  on = {
    ["bad.in.good"] = { retry = { attempts = 1 }, handle = function(ctx, msg)
      ctx.state.total = ctx.state.total + msg.n
      kept.ctx = kept.ctx or ctx
    end },
    ["bad.in.strict"] = { schema = { n = spec.int }, handle = function(ctx, msg) -- strict here
      ctx.state.total = ctx.state.total + msg.n
    end },
    ["bad.in.keyed"] = { key = "id", handle = function(ctx, msg) ctx.state.total = 1 end },
    ["bad.in.once"] = { once = { by = "id", within = "1h" }, handle = function(ctx, msg) end },
    ["bad.in.burst"] = { handle = function(ctx) ctx:after("1ms", "burst") end },
    ["bad.in.twice"] = {
      retry = { attempts = 2, backoff = "1ms..2ms" },
      handle = function(ctx)
        error("try " .. ctx.attempt) -- twice here
      end,
    },
    ["bad.in.later"] = {
      retry = { attempts = 2, backoff = "1ms..2ms" },
      handle = function(ctx) ctx:retry("1ms", "not yet") end, -- later here
    },
    ["bad.in.forever"] = { handle = function()
      while true do end -- forever here
    end },
    ["bad.in.bomb"] = { handle = function()
      local all = {}
      for i = 1, 1e9 do all[i] = ("x"):rep(1000) .. i end -- bomb here
    end },
    ["bad.in.seed"] = { handle = function(ctx, msg)
      ctx:exec("insert into bad_rows (n) values (1)", {})
      ctx.state.total = 1
    end },
    ["bad.in.kept"] = { retry = { attempts = 1 }, handle = function(ctx, msg)
      kept.ctx.state.total = kept.ctx.state.total + 1
      kept.ctx:emit("bad.in.good", kept.ctx.key, { n = 10 })
      kept.ctx:after("1s", "ru" .. "ng") -- kept here
    end },
@HANDLERS@
  },
  routes = {
    ["POST /in/:topic"] = {
      auth = "none", body = { key = spec.any { optional = true }, payload = spec.any },
      handle = function(ctx, req)
        ctx:emit("bad.in." .. req.params.topic, req.body.key, req.body.payload)
        return 202
      end,
    },
    ["GET /state/:key"] = {
      auth = "none",
      handle = function(ctx, req)
        local state, err = ctx:read(req.params.key)
        if not state then return nil, err end
        return 200, { total = state.total }
      end,
    },
    ["GET /strict/:n"] = {
      auth = "none", params = { n = spec.int }, query = { wait = spec.duration { optional = true } },
      handle = function(ctx, req) return 204 end,
    },
    ["POST /strict"] = {
      auth = "none", body = { n = spec.int, list = spec.list(spec.int) }, max_body = 1000,
      handle = function(ctx, req) return 204 end,
    },
@ROUTES@
  },
}
"""

GOOD = """local spec = require "host.spec"

return {
  api = 1, name = "good",
  emits = { ["good.in"] = { n = spec.int } },
  state = { total = 0 },
  tables = { "create table good_rows (n bigint)" },
  on = { ["good.in"] = { schema = { n = spec.int }, handle = function(ctx, msg)
    ctx.state.total = ctx.state.total + msg.n
  end } },
  routes = {
    ["POST /good/:key"] = { auth = "none", body = { n = spec.int }, handle = function(ctx, req)
      ctx:emit("good.in", req.params.key, req.body)
      return 202
    end },
    ["GET /good/:key"] = { auth = "none", handle = function(ctx, req)
      local state, err = ctx:read(req.params.key)
      if not state then return nil, err end
      return 200, { total = state.total }
    end },
  },
}
"""


def handlers():
    return "\n".join(f"""    ["bad.in.m{i}"] = {{ retry = {{ attempts = 1 }}, handle =
      function(ctx, msg) -- begin m{i}
        {body}
      end }},""" for i, (_, body, *_) in enumerate(MESSAGE_CASES))


def routes():
    return "\n".join(f"""    ["POST /h{i}"] = {{ auth = "none", returns = {{ n = spec.int }}, handle =
      function(ctx, req) -- begin h{i}
        {body}
      end }},""" for i, (_, body, *_) in enumerate(HTTP_CASES))


SCRIPT = PLUGIN.replace("@HANDLERS@", handlers()).replace("@ROUTES@", routes())


def line_of(mark, after=0):
    """The 1-based line that ends with the mark, or holds it."""
    for number, line in enumerate(SCRIPT.splitlines(), 1):
        if number >= after and line.rstrip().rstrip(",").endswith("-- " + mark):
            return number
    raise AssertionError(f"no line has the mark {mark}")


def line_of_case(name, body, mark):
    """The line that an error of this case names; None: any line of it."""
    begin = line_of(f"begin {name}")
    if mark:
        return line_of(mark)
    if "-- any" in body:
        return None
    return line_of("here", begin) if "-- here" in body else begin


class BadInputTest(unittest.TestCase):
    """One process for all cases, so that every case also shows that the one before it left nothing
    behind."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="bad_input_")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        (cls.folder / FILE).write_text(SCRIPT, "utf-8")
        (cls.folder / "good.lua").write_text(GOOD, "utf-8")
        cls.addCleanup = cls.addClassCleanup  # the host outlives a test
        cls.host = process.Host(cls, cls.folder, "--plugin", FILE, "--plugin", "good.lua",
                                "--lanes", "1", "--partitions", "4",
                                # Full long before a slow machine has used up a turn of 100 ms.
                                "--memory", "32MB",
                                environment={"HOST_SET__bad__password": PASSWORD})
        del cls.addCleanup
        cls.pid = cls.host.process.pid
        cls.sent = {}

    def send(self, topic, key, payload):
        body = {"payload": payload, **({} if key is None else {"key": key})}
        status, answer = self.host.post(f"/in/{topic}", body)
        self.assertEqual(status, 202, answer)

    def dead_of(self, topic):
        items = self.host.admin("/admin/dead?plugin=bad&limit=1000")[1]["items"]
        return [item for item in items if item["topic"] == topic]

    def dead_letter(self, topic):
        self.host.wait(f"the dead letter of {topic}", lambda: self.dead_of(topic))
        return max(self.dead_of(topic), key=lambda item: item["at"])

    def log_lines(self, message, **fields):
        """The JSON lines of the log with this message and these fields."""
        found = []
        for line in self.host.logged().rpartition("\n")[0].splitlines():  # whole ones
            entry = json.loads(line)
            if message in json.dumps(entry) and all(entry.get(name) == value
                                                    for name, value in fields.items()):
                found.append(entry)
        return found

    def total(self, path, key):
        status, answer = self.host.get(f"{path}/{key}")
        return answer["total"] if status == 200 else 0

    def goes_on(self, key):
        """The process lives, the same key, another one and the other plugin are handled."""
        self.assertEqual(self.host.get("/readyz")[0], 200)
        before = {}
        for path, name in (("/state", key), ("/state", "someone"), ("/good", "someone")):
            before[path, name] = self.total(path, name)
        self.send("good", key, {"n": 1})
        self.send("good", "someone", {"n": 1})
        self.assertEqual(self.host.post("/good/someone", {"n": 1})[0], 202)
        for (path, name), total in before.items():
            self.host.wait(f"{path}/{name}",
                           lambda p=path, n=name, t=total: self.total(p, n) == t + 1)
        self.assertEqual(self.host.process.poll(), None, "the process ended")
        self.assertEqual(self.host.process.pid, self.pid)

    def check_letter(self, topic, key, reason, wants, line, attempts=1):
        """Dead letter, its page and its log line say the same, with all that is needed."""
        item = self.dead_letter(topic)
        self.assertEqual((item["plugin"], item["topic"], item["key"], item["reason"],
                          item["attempts"], item["state"]),
                         ("bad", topic, key, reason, attempts, "dead"), item)
        self.assertIn(wants, item["error"]["message"])
        self.assertEqual(item["error"]["file"], FILE, item)
        if line is not None:
            self.assertEqual(item["error"]["line"], line, item)
        self.assertGreater(item["error"]["line"], 0)
        status, letter = self.host.admin("/admin/dead/" + item["id"] + "?plugin=bad")
        self.assertEqual((status, letter["error"]["message"]), (200, item["error"]["message"]))
        lines = self.log_lines("message went to the dead letters", id=item["id"], plugin="bad",
                               topic=topic, key=key or "")
        self.assertEqual(len(lines), 1, self.host.logged()[-2000:])
        self.assertIn(wants, lines[0]["error"])
        self.assertIn(f"{FILE}:{item['error']['line']}: ", lines[0]["error"])
        self.assertEqual(lines[0]["level"], "error")
        self.assertNotIn(PASSWORD, json.dumps(letter) + json.dumps(lines))
        return letter

    # ---- messages ----

    def test_every_error_of_a_message_handler_names_its_place_and_its_message(self):
        self.send("seed", "seed", {})
        self.host.wait("the row", lambda: self.total("/state", "seed") == 1)
        for i, (name, body, wants, *mark) in enumerate(MESSAGE_CASES):
            with self.subTest(name):
                key = f"key-{i}"
                self.send(f"m{i}", key, {"case": name})
                line = line_of_case(f"m{i}", body, mark[0] if mark else None)
                reason = "dead" if "ctx:dead(" in body else "failed"
                letter = self.check_letter(f"bad.in.m{i}", key, reason, wants, line)
                self.assertEqual(letter["payload"], {"case": name})
                self.assertEqual(self.total("/state", key), 0)  # nothing of it is visible
                self.goes_on(key)

    # ---- what comes in ----

    def test_a_payload_against_its_schema_is_dead_at_once(self):
        for key, payload, wants in (("in-1", {"n": "many"}, "n: is text, not a whole number"),
                                    ("in-2", {}, "n: is missing"),
                                    ("in-3", [1], "is a list"),
                                    ("in-4", None, "null")):
            with self.subTest(payload):
                before = len(self.dead_of("bad.in.strict"))
                self.send("strict", key, payload)
                self.host.wait("the dead letter",
                               lambda n=before: len(self.dead_of("bad.in.strict")) > n)
                letter = self.check_letter("bad.in.strict", key, "invalid", wants,
                                           line_of("strict here"))
                self.assertEqual(letter["payload"], payload)
                self.goes_on(key)

    def test_a_key_in_the_payload_that_is_none_is_dead_at_once(self):
        for payload, reason, wants in (
                ({"id": ""}, "bad_key", "the key is empty"),
                ({"id": "a\0b"}, "bad_key", "the key contains NUL"),
                ({"id": "k" * 513}, "bad_key", "the key is longer than 512 bytes"),
                ({"id": 7}, "invalid", "the field 'id' is no text but a number"),
                ({}, "invalid", "the field 'id' is missing"),
                ([], "invalid", "the field 'id' is missing")):
            with self.subTest(payload):
                before = len(self.dead_of("bad.in.keyed"))
                self.send("keyed", "in", payload)
                self.host.wait("the dead letter",
                               lambda n=before: len(self.dead_of("bad.in.keyed")) > n)
                key = payload["id"] if reason == "bad_key" else "in"
                letter = self.check_letter("bad.in.keyed", key, reason, wants, None)
                self.assertEqual(letter["payload"], payload)
                self.goes_on("in")

    def test_a_payload_without_the_id_that_drops_repeats_is_dead_at_once(self):
        self.send("once", "once", {"n": 1})
        self.check_letter("bad.in.once", "once", "invalid", "the field 'id' is missing", None)
        self.goes_on("once")

    def test_a_message_without_key_has_no_state(self):
        self.send("good", None, {"n": 1})
        self.check_letter("bad.in.good", None, "failed", "this message has no key", None)
        self.goes_on("else")

    # ---- retries, timers, what is kept ----

    def test_each_attempt_is_told_and_the_last_one_is_dead(self):
        self.send("twice", "twice", {})
        letter = self.check_letter("bad.in.twice", "twice", "failed", "try 2",
                                   line_of("twice here"), attempts=2)
        lines = self.log_lines("handler raised", id=letter["id"], plugin="bad", key="twice")
        self.assertEqual([line["error"] for line in lines],
                         [f"{FILE}:{line_of('twice here')}: try 1"])
        self.goes_on("twice")

    def test_what_used_up_its_turn_or_the_memory_is_not_tried_again(self):
        for topic, wants in (("forever", "of CPU time in one turn"), ("bomb", "")):
            self.send(topic, topic, {})
            letter = self.check_letter(f"bad.in.{topic}", topic, "failed", wants,
                                       line_of(f"{topic} here"))
            self.assertEqual(self.log_lines("handler raised", id=letter["id"]), [])
            self.goes_on(topic)

    def test_a_message_that_asks_for_too_many_attempts_says_why(self):
        self.send("later", "later", {})
        letter = self.check_letter("bad.in.later", "later", "dead", "not yet",
                                   line_of("later here"), attempts=2)
        self.assertEqual(len(self.log_lines("asked to be run again", id=letter["id"])), 1)
        self.goes_on("later")

    def test_a_timer_that_raises_is_a_dead_letter_of_its_key(self):
        self.send("burst", "burst", {})
        self.check_letter("burst", "burst", "failed", "the timer breaks", line_of("timer here"), 2)
        self.goes_on("burst")

    def test_a_ctx_that_is_kept_is_that_of_the_message_whose_turn_it_is(self):
        self.send("good", "first", {"n": 1})
        self.host.wait("ctx to be kept", lambda: self.total("/state", "first") == 1)
        self.send("kept", "second", {})
        self.check_letter("bad.in.kept", "second", "failed", "there is no timer 'rung'",
                          line_of("kept here"))
        self.assertEqual(self.total("/state", "first"), 1)
        self.assertEqual(self.total("/state", "second"), 0)
        self.goes_on("second")

    # ---- HTTP ----

    def test_every_error_of_an_http_handler_is_a_problem_document_without_its_text(self):
        for i, (name, body, wants) in enumerate(HTTP_CASES):
            with self.subTest(name):
                status, problem, kind = self.problem("POST", f"/h{i}", {})
                self.assertEqual((status, problem["status"], kind),
                                 (500, 500, "application/problem+json"), problem)
                text = json.dumps(problem)
                for secret in (PASSWORD, FILE, wants, "lua"):
                    self.assertNotIn(secret, text)
                lines = self.log_lines("the handler of a request failed", plugin="bad",
                                       route=f"POST /h{i}")
                self.assertEqual(len(lines), 1)
                self.assertIn(wants, lines[0]["error"])
                line = line_of_case(f"h{i}", body, None)
                self.assertIn(f"{FILE}:{line or ''}", lines[0]["error"])
                self.assertNotIn(PASSWORD, json.dumps(lines))
                self.goes_on("http")

    def problem(self, method, path, body, raw=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.host.port, timeout=30)
        try:
            data = raw if raw is not None else None if body is None else json.dumps(body)
            connection.request(method, path, data,
                               {"Content-Type": "application/json", **(headers or {})})
            response = connection.getresponse()
            text = response.read().decode("utf-8")
            return response.status, json.loads(text), response.getheader("content-type")
        finally:
            connection.close()

    def test_bad_requests_are_told_what_is_wrong_with_them(self):
        long = json.dumps({"n": 1, "list": list(range(1000))})
        for method, path, raw, headers, status, wants in (
                ("GET", "/strict/many", None, {}, 422, "params.n"),
                ("GET", "/strict/1?wait=soon", None, {}, 422, "query.wait"),
                ("GET", "/nowhere", None, {}, 404, ""),
                ("PUT", "/strict", "{}", {}, 405, ""),
                ("POST", "/strict", "{", {}, 400, "not JSON"),
                ("POST", "/strict", "", {}, 422, "body"),
                ("POST", "/strict", '{"n":"x","list":[1,"y"]}', {}, 422, "body.list[2]"),
                ("POST", "/strict", '{"n":99999999999999999999999}', {}, 400, "64 bits"),
                ("POST", "/strict", '{"n":1}', {"Content-Type": "text/csv"}, 415,
                 "application/json"),
                ("POST", "/strict", long, {}, 413, ""),
                ("POST", "/good/%FF", '{"n":1}', {}, 400, ""),
                ("POST", "/strict", '{"n":1}', {"Idempotency-Key": "a b"}, 422, "visible ASCII"),
                ("GET", "/strict/1", None, {"Idempotency-Key": "x"}, 400, "goes with POST")):
            with self.subTest((method, path, raw, headers)):
                got, problem, kind = self.problem(method, path, None, raw, headers)
                self.assertEqual((got, kind), (status, "application/problem+json"), problem)
                self.assertEqual(problem["status"], status)
                self.assertIn(wants, json.dumps(problem))
        self.goes_on("http")

    # ---- manifests ----

    def test_a_manifest_with_mistakes_does_not_load_and_names_all_of_them(self):
        text = """return {
  api = 1, name = "worse", rotes = {},
  emits = { "worse.out" },
  on = { ["worse.in"] = { handel = function() end } },
  timers = { ring = function(ctx) ctx:emit("worse.ot", "k", {}) end },
  routes = { ["GET /x"] = { handle = function() end } },
}
"""
        (self.folder / "worse.lua").write_text(text, "utf-8")
        code, said = process.ends(self.folder, "check", "worse.lua")
        self.assertEqual(code, 1, said)
        for line, what in ((2, "rotes"), (4, "handel"), (5, "worse.ot"), (6, "auth")):
            self.assertRegex(said, rf"worse\.lua:{line}: [^\n]*{what}")
        code, said = process.ends(self.folder, "--plugin", "worse.lua", "--data", "worse",
                                  "--listen", "127.0.0.1:0", "--admin", "none")
        self.assertEqual(code, 1, said)
        self.assertRegex(said, r"worse\.lua:2: [^\n]*rotes")

    def test_an_edit_with_an_unknown_field_is_refused_and_the_old_revision_goes_on(self):
        broken = SCRIPT.replace("  timers = {", "  timres = {", 1)
        self.write(broken)
        self.addCleanup(lambda: self.write(SCRIPT))
        self.host.wait("the refusal", lambda: "refused" in self.plugin())
        line = 1 + broken[:broken.index("timres")].count("\n")
        problems = self.plugin()["refused"]["problems"]
        self.assertTrue([p for p in problems if p["file"] == FILE and p["line"] == line
                         and "timres" in p["message"] + p["hint"]], problems)
        self.assertIn(f"{FILE}:{line}: ", self.host.logged())
        self.goes_on("edit")
        self.write(SCRIPT)
        self.host.wait("the end of it", lambda: "refused" not in self.plugin())

    def plugin(self):
        return [p for p in self.host.admin("/admin/plugins")[1] if p["name"] == "bad"][0]

    def write(self, text):
        (self.folder / "bad.new").write_text(text, "utf-8")
        (self.folder / "bad.new").replace(self.folder / FILE)


if __name__ == "__main__":
    process.BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main()

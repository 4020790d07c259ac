#!/usr/bin/env python3
"""Drives every route that /openapi.json names, with bodies made from its schemas: such that fit, at
the edges, and broken ones. Finds no 500, and no status that the document does not name.

usage: every_route_test.py HOST_BINARY
"""

import http.client
import json
import pathlib
import re
import sys
import tempfile
import unittest
import urllib.parse

import host_process_test as process
import schema_values as values

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROUNDS = 8  # requests that fit, a route

# Every kind of schema and of answer, in every place of a request.
ZOO = """
local spec = require "host.spec"
local all = {
  text = spec.string { min = 2, max = 8 }, coded = spec.string { pattern = "^%u%u%-%d+$" },
  whole = spec.int { min = -3, max = 900 }, part = spec.number { min = 0.5, max = 2 },
  flag = spec.bool, price = spec.money { min = "1.50", max = "99.99" }, at = spec.time,
  late = spec.time { min = "2026-01-01T00:00:00Z", optional = true },
  pause = spec.duration { max = "1h" }, link = spec.url, what = spec.any { optional = true },
  choice = spec.one_of { "a", "b", 3 }, names = spec.list(spec.string { max = 5 }, { max = 3 }),
  counts = spec.map(spec.int { min = 0 }), inner = { deep = { er = spec.int } },
  event = spec.tagged("type", { Came = { n = spec.int }, Went = { why = spec.string } }),
}
local function echo(_, req) return 200, req.body end
return {
  api = 1, name = "zoo", doc = "one of each", emits = { ["zoo.seen"] = spec.any },
  routes = {
    ["POST /zoo"] = { auth = "none", body = all, returns = all, doc = "as it came", handle = echo },
    ["PUT /zoo/:id"] = {
      auth = "keeper", params = { id = spec.int { min = 1 } }, body = { n = spec.int { default = 4 } },
      returns = { id = spec.int, n = spec.int },
      handle = function(_, req) return 201, { id = req.params.id, n = req.body.n } end,
    },
    ["GET /zoo/:id"] = {
      auth = { "visitor", own = "id" },
      query = {
        limit = spec.limit(3, 9), tags = spec.list(spec.one_of { "x", "y" }, { max = 2 }),
        since = spec.time { optional = true }, wait = spec.duration { default = "1s", max = "5s" },
        like = spec.string { optional = true, min = 1 }, exact = false, cost = spec.money { optional = true },
        filter = spec.map(spec.int) { optional = true },
      },
      headers = { ["x-mood"] = spec.one_of { "good", "bad", default = "good" } },
      handle = function(_, req) return 200, { req.query, req.headers["x-mood"] } end,
    },
    ["POST /zoo/:id/notes"] = {
      auth = "none", body = { ["text/plain"] = spec.string { min = 1, max = 40 }, ["application/json"] = { note = "" } },
      handle = function(ctx, req)
        ctx:emit("zoo.seen", "k", { note = req.body })
        return 202
      end,
    },
    ["DELETE /zoo/:id"] = { auth = "keeper", handle = function() return 204 end },
    ["GET /zoo/files/*"] = { auth = "none", handle = function(_, req) return 200, req.params["*"] end },
    ["* /zoo/any"] = { auth = "none", handle = function() return 200, "any" end },
    ["GET /zoo/news"] = { auth = "none", stream = { topic = "zoo.seen" } },
    ["GET /zoo/clock"] = { auth = "none", stream = { every = "10ms" }, handle = function(ctx) return 200, { now = ctx:now() } end },
    ["POST /zoo/lines"] = {
      auth = "none", body = spec.lines(all.event, { max = 20 }), returns = spec.lines { n = spec.int },
      handle = function(_, req)
        local n = 0
        return 200, function()
          n = n + 1
          if req.body[n] then return { n = req.body[n].line } end
        end
      end,
    },
    ["GET /zoo/rows"] = {
      auth = "none", query = { most = spec.int { min = 0, max = 5000, default = 10 } },
      returns = spec.lines { n = spec.int, text = spec.string },
      handle = function(ctx, req)
        return 200, ctx:rows([[with recursive c(n) as (select 1 union all select n + 1 from c where n < :most)
          select n, 'line ' || n as text from c where n <= :most]], { most = req.query.most })
      end,
    },
    ["GET /zoo/kept"] = { auth = "none", cache = "1m", handle = function() return 200, { 1 } end },
    ["GET /zoo/web/*"] = { auth = "none", files = "web", fallback = "index.html" },
    ["POST /zoo/refused"] = { auth = "none", body = all.text, handle = function() return 409, "as ever" end },
  },
}
"""


class Api:
    """The document of a host, and requests that are made from it."""

    def __init__(self, case, host):
        self.case, self.host = case, host
        status, self.document = host.get("/openapi.json")
        case.assertEqual(status, 200)
        self.keys = 0
        self.known = {}  # name of a path parameter: values that answers had
        self.counts = {}

    def resolve(self, thing):
        if "$ref" not in thing:
            return thing
        found = self.document
        for name in thing["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return found

    def routes(self):
        for path, methods in sorted(self.document["paths"].items()):
            for method, operation in sorted(methods.items()):
                yield method, path, operation

    def named(self, operation, status):
        named = operation["responses"]
        return named.get(str(status)) or named.get(f"{status // 100}XX")

    def value(self, parameter, chance):
        schema = parameter.get("schema") or parameter["content"]["application/json"]["schema"]
        known = self.known.get(parameter["name"])
        if parameter["in"] == "path" and known and chance.random() < 0.7:
            return chance.choice(known)
        found = values.valid(schema, chance)
        if parameter["in"] == "path" and isinstance(found, str):
            # The server refuses slashes and backslashes inside of a segment, however encoded.
            found = found.translate(str.maketrans("%\\", "__"))
            found = found if parameter.get("x-rest") else found.replace("/", "_")
        return found

    def fill(self, method, path, operation, chance, broken=None):
        """(target, headers). `broken`: (parameter, value) that takes the place of a valid one."""
        query, headers = [], {}
        for parameter in operation.get("parameters", []):
            place, name = parameter["in"], parameter["name"]
            if broken and broken[0] is parameter:
                found = broken[1]
            elif parameter.get("required") or chance.random() < 0.5:
                found = self.value(parameter, chance)
            else:
                continue
            many = place == "query" and isinstance(found, list)
            for one in found if many else [found]:
                text = one if isinstance(one, str) else json.dumps(one)
                if place == "path":
                    path = path.replace("{" + name + "}", urllib.parse.quote(
                        text, safe="/" if parameter.get("x-rest") else ""))
                elif place == "query":
                    query.append((name, text))
                else:
                    headers[name] = text
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        return target, headers

    def body(self, operation, chance):
        """(media type, bytes) that fit."""
        content = operation["requestBody"]["content"]
        kind = chance.choice(sorted(content))
        if kind == "application/x-ndjson":
            lines = [values.valid(content[kind]["schema"], chance) for _ in range(chance.randint(0, 9))]
            return kind, "\n".join(json.dumps(line) for line in lines).encode()
        found = values.valid(content[kind].get("schema", {}), chance)
        if kind != "application/json" and isinstance(found, str):
            return kind, found.encode()
        return kind, json.dumps(found).encode()

    def send(self, method, target, headers, data=None):
        """(status, headers, body); of a stream only its beginning. Each request is a new one."""
        key = headers.get("Idempotency-Key", "")
        if re.fullmatch("[!-~]{1,255}", key):
            self.keys += 1
            headers = {**headers, "Idempotency-Key": f"{self.keys}-{key}"[:255]}
        connection = http.client.HTTPConnection("127.0.0.1", self.host.port,
                                                timeout=process.DEADLINE_SECONDS)
        try:
            connection.request(method.upper(), target, data, headers)
            response = connection.getresponse()
            stream = response.headers.get_content_type() == "text/event-stream"
            text = response.readline() if stream else response.read()
            return response.status, response.headers, text
        finally:
            connection.close()

    def check(self, what, operation, answer):
        """The document names this status, and the body is what it says."""
        status, headers, text = answer
        case, kind = self.case, headers.get_content_type()
        case.assertLess(status, 500, f"{what[:300]}: {text!r}\n{self.errors()}")
        response = self.named(operation, status)
        case.assertIsNotNone(response, f"{what}: {status} is not in the document")
        self.counts[status] = self.counts.get(status, 0) + 1
        content = self.resolve(response).get("content", {})
        if status in (204, 304) or not text:
            return
        case.assertTrue(kind in content or "*/*" in content, f"{what}: {status} with {kind}")
        schema = self.resolve(content.get(kind, {}).get("schema", {}))
        if kind == "application/x-ndjson":
            for line in text.splitlines():
                case.assertEqual(values.misfit(schema, json.loads(line)), "", what)
        elif kind in ("application/json", "application/problem+json"):
            case.assertEqual(values.misfit(schema, json.loads(text)), "", what)
        if status >= 400:
            case.assertEqual(json.loads(text)["status"], status, what)
        elif kind == "application/json":
            self.learn(json.loads(text))

    def errors(self):
        return "\n".join(line for line in self.host.logged().splitlines() if '"error"' in line)[-2000:]

    def learn(self, value):
        """Later requests ask for what earlier ones made."""
        if isinstance(value, list):
            for one in value:
                self.learn(one)
        elif isinstance(value, dict):
            for name, one in value.items():
                if isinstance(one, str) and 0 < len(one) < 100 and "/" not in one:
                    self.known.setdefault(name, []).append(one)
                self.learn(one)


class EveryRouteTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="every_route_")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def zoo(self):
        (self.folder / "zoo.lua").write_text(ZOO, "utf-8")
        (self.folder / "web").mkdir(exist_ok=True)
        (self.folder / "web" / "index.html").write_text("<p>", "utf-8")

    # ---- one route ----

    def fitting(self, api, method, path, operation):
        for n in range(ROUNDS):
            chance = values.seeded(method, path, str(n))
            target, headers = api.fill(method, path, operation, chance)
            data = None
            if "requestBody" in operation:
                headers["content-type"], data = api.body(operation, chance)
            answer = api.send(method, target, headers, data)
            what = f"{method} {target} {data!r}"
            api.check(what, operation, answer)
            self.assertNotIn(answer[0], (400, 401, 403, 405, 413, 415, 422),
                             f"{what} fits the document: {answer[2]!r}")

    def broken_parameters(self, api, method, path, operation):
        for parameter in operation.get("parameters", []):
            for value in self.broken_texts(parameter):
                chance = values.seeded(path, parameter["name"], repr(value))
                target, headers = api.fill(method, path, operation, chance, (parameter, value))
                data = None
                if "requestBody" in operation:
                    headers["content-type"], data = api.body(operation, chance)
                self.refused(api, method, target, headers, data, operation, (422,))

    def broken_texts(self, parameter):
        """Broken values that still are broken when they are written as text."""
        schema = parameter.get("schema") or parameter["content"]["application/json"]["schema"]
        types = values.types_of(schema)
        chance = values.seeded(parameter["name"])
        if "array" in types:
            return [one for one in values.broken(schema, chance)
                    if isinstance(one, list) and one and isinstance(one[0], str)]
        only_text = types == ["string"]
        return [one for one in values.broken(schema, chance)
                if (isinstance(one, str) or not only_text)
                and (one != "" or parameter["in"] == "query")
                and (parameter["in"] != "header" or str(one).isascii())
                and not (isinstance(one, list) and parameter["in"] == "query")]

    def broken_bodies(self, api, method, path, operation):
        chance = values.seeded(method, path)
        target, headers = api.fill(method, path, operation, chance)
        content = operation["requestBody"]["content"]

        def refused(kind, data, *statuses):
            self.refused(api, method, target, {**headers, "content-type": kind}, data, operation,
                         statuses)

        for kind, given in content.items():
            schema = given.get("schema", {})
            if kind == "application/x-ndjson":
                refused(kind, b"1\n" * (given["x-max-lines"] + 1), 422)
                continue
            if kind != "application/json":
                for value in values.broken(schema, chance):
                    if isinstance(value, str):
                        refused(kind, value.encode(), 422)
                continue
            for value in values.broken(schema, chance):
                refused(kind, json.dumps(value).encode(), 422)
            for text in (b"{", b"{]", b"nul", b'{"a":1}{', b"\xff\xfe", b'{"a":"\xc3("}',
                         b"[" * 500 + b"]" * 500, b'{"a":1e999}'):
                refused(kind, text, 400, 422)
        refused("application/x-unheard-of", b"a", 415)
        if operation["requestBody"].get("required") and "application/json" in content:
            refused("application/json", b"", 422)
        too_long = operation["x-max-body-bytes"] + 1
        if too_long <= 2_000_000:
            refused(next(iter(content)), b" " * too_long, 413)

    def refused(self, api, method, target, headers, data, operation, statuses):
        what = f"{method} {target[:200]} {headers} {data and data[:200]!r}"
        answer = api.send(method, target, headers, data)
        api.check(what, operation, answer)
        self.assertIn(answer[0], statuses, f"{what}: {answer[2]!r}")

    # ---- all of them ----

    def drive(self, host, at_least):
        api = Api(self, host)
        routes = list(api.routes())
        self.assertGreaterEqual(len(routes), at_least)
        # What makes things before what asks for them; what removes them last.
        order = {"post": 0, "put": 1, "patch": 1, "delete": 9}
        routes.sort(key=lambda route: (order.get(route[0], 2), route[1]))
        for method, path, operation in routes:
            with self.subTest(route=f"{method} {path}"):
                self.fitting(api, method, path, operation)
                self.broken_parameters(api, method, path, operation)
                if "requestBody" in operation:
                    self.broken_bodies(api, method, path, operation)
        self.assertEqual(api.errors(), "")
        return api

    def declared(self, *files):
        """Routes that the plugins' files have, read as text."""
        found = set()
        for file in files:
            for method, path in re.findall(r'\["(\w+) (/[^"]*)"\]', file.read_text("utf-8")):
                found.add((method.lower(), re.sub(r":(\w+)", r"{\1}", path)))
        return found

    def test_the_plugins_of_the_repository(self):
        files = sorted((ROOT / "plugins").glob("*.lua"))
        arguments = [word for file in files for word in ("--plugin", str(file))]
        host = process.Host(self, self.folder, *arguments, "--root", str(ROOT))
        api = self.drive(host, 10)
        declared = self.declared(*files)
        self.assertGreater(len(declared), 10)
        self.assertLessEqual(declared, {(method, path) for method, path, _ in api.routes()})
        self.assertGreater(api.counts.get(200, 0), 50)

    def test_the_deployments_of_the_examples(self):
        deployments = sorted((ROOT / "examples").glob("*/deployment.lua"))
        self.assertTrue(deployments)
        for deployment in deployments:
            with self.subTest(deployment=deployment.parent.name):
                folder = self.folder / deployment.parent.name
                folder.mkdir()
                host = process.Host(self, folder, "run", str(deployment))
                self.drive(host, 10)

    def test_a_plugin_with_one_of_each(self):
        self.zoo()
        host = process.Host(self, self.folder, "--plugin", "zoo.lua")
        api = self.drive(host, 12)
        for status in (200, 201, 202, 204, 400, 409, 413, 415, 422):
            self.assertGreater(api.counts.get(status, 0), 0, status)

    # ---- the document itself ----

    def test_the_document_follows_a_reload(self):
        self.zoo()
        file = self.folder / "zoo.lua"
        host = process.Host(self, self.folder, "--plugin", "zoo.lua")
        before = host.get("/openapi.json")[1]
        self.assertEqual(before["openapi"], "3.1.0")
        self.assertEqual(before["paths"]["/zoo"]["post"]["summary"], "as it came")
        file.write_text(ZOO.replace("as it came", "as it went"), "utf-8")
        self.assertEqual(host.admin("/admin/plugins/zoo/reload", "POST")[0], 200)
        after = host.get("/openapi.json")[1]
        self.assertEqual(after["paths"]["/zoo"]["post"]["summary"], "as it went")
        self.assertNotEqual(before["info"]["version"], after["info"]["version"])
        # A refused edit changes nothing.
        file.write_text(ZOO + "end", "utf-8")
        self.assertEqual(host.admin("/admin/plugins/zoo/reload", "POST")[0], 422)
        self.assertEqual(host.get("/openapi.json")[1], after)

    def test_the_page_needs_nothing_from_elsewhere_and_its_policy_lets_it_run(self):
        self.zoo()
        host = process.Host(self, self.folder, "--plugin", "zoo.lua")
        api = Api(self, host)
        for port in (host.port, host.admin_port):
            api.host = type("At", (), {"port": port})
            status, headers, text = api.send("get", "/docs", {})
            self.assertEqual(status, 200)
            page = text.decode()
            self.assertEqual(re.findall(r"""(?:src|href)=["']?(?!/openapi)(?!\$)[^"' >]+""", page.split("<script>")[0]), [])
            self.assertNotRegex(page, r"https?://(?!example\.com)")
            policy = headers["content-security-policy"]
            self.assertIn("default-src 'none'", policy)
            for tag, directive in (("style", "style-src"), ("script", "script-src")):
                inside = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL).group(1)
                self.assertGreater(len(inside), 1000)
                self.assertIn(f"{directive} '{self.digest(inside)}'", policy)
            again = api.send("get", "/docs", {"if-none-match": headers["etag"]})
            self.assertEqual((again[0], again[2]), (304, b""))
            self.assertEqual(api.send("post", "/docs", {}, b"")[0], 405)

    @staticmethod
    def digest(text):
        import base64
        import hashlib
        return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    def test_the_admin_listener_says_where_the_routes_are(self):
        self.zoo()
        host = process.Host(self, self.folder, "--plugin", "zoo.lua")
        status, document = host.admin("/openapi.json")
        self.assertEqual(status, 200)
        self.assertEqual(document.pop("servers"), [{"url": f"http://127.0.0.1:{host.port}"}])
        self.assertEqual(document, host.get("/openapi.json")[1])


if __name__ == "__main__":
    process.BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()

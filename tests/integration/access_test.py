#!/usr/bin/env python3
"""Who may come in: tokens, roles, `own`, limits, and listeners beyond this machine.

usage: access_test.py HOST_BINARY [TEST...]
"""

import base64
import concurrent.futures
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import sys
import tempfile
import time
import unittest

import host_process_test as process

WALL = """
local spec = require "host.spec"
local function who(_, req) return 200, { user = req.user and req.user.id or "nobody",
  roles = req.user and req.user.roles or {} } end
return {
  api = 1, name = "wall",
  routes = {
    ["GET /open"] = { auth = "none", handle = who },
    ["GET /walls/:id"] = { auth = { "player", "admin", own = "id" }, handle = who },
    ["GET /players"] = { auth = "player", handle = who },
    ["GET /ticks"] = { auth = "player", stream = { every = "1s" },
      handle = function() return 200, { tick = true } end },
    ["GET /few"] = { auth = "none", limit = { rate = 1, per = "1h", burst = 7 }, handle = who },
  },
  smoke = {
    ["a wall is its owner's"] = function(t)
      local ada = { id = "ada", roles = { "player" } }
      t:same({ user = "ada", roles = { "player" } },
        t:request("GET /walls/ada", { user = ada }).body)
      t:same(403, t:request("GET /walls/bob", { user = ada }).status)
      t:same(200, t:request("GET /walls/bob", { user = { id = "x", roles = { "admin" } } }).status)
      t:same(401, t:request("GET /walls/bob", { user = false }).status)
      t:same(200, t:request("GET /walls/bob").status)
    end,
    ["the eighth is too much, until time passes"] = function(t)
      for _ = 1, 7 do t:same(200, t:request("GET /few").status) end
      local answer = t:request("GET /few")
      t:same({ 429, "3600" }, { answer.status, answer.headers["retry-after"] })
      t:advance("1h")
      t:same(200, t:request("GET /few").status)
    end,
  },
}
"""

AUTH = """return {
  tokens = {
    { token = "env:OPS_TOKEN", subject = "ops", roles = { "admin" } },
    { token = "file:scrape.token", subject = "prometheus", roles = { "metrics" } },
  },
  jwt = { secret = "env:JWT_SECRET", issuer = "us", leeway = "5s" },
}
"""
OPS, SCRAPE = "ops-0123456789abcdef", "scrape-0123456789abcdef"
SECRET = "a secret of more than thirty-two bytes"
ENVIRONMENT = {"OPS_TOKEN": OPS, "JWT_SECRET": SECRET}


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(subject="ada", roles=("player",), algorithm="HS256", secret=SECRET, **more):
    claims = {"sub": subject, "roles": list(roles), "iss": "us", "exp": int(time.time()) + 600,
              **more}
    text = encoded(json.dumps({"alg": algorithm, "typ": "JWT"}).encode()) + "." + \
        encoded(json.dumps(claims).encode())
    if algorithm == "none":
        return text + "."
    digest = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[algorithm]
    return text + "." + encoded(hmac.new(secret.encode(), text.encode(), digest).digest())


class AccessTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="access_")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        (self.folder / "wall.lua").write_text(WALL, "utf-8")
        (self.folder / "auth.lua").write_text(AUTH, "utf-8")
        (self.folder / "scrape.token").write_text(SCRAPE + "\n", "utf-8")

    def host(self, *arguments, **more):
        return process.Host(self, self.folder, "--plugin", "wall.lua", "--auth", "auth.lua",
                            *arguments, environment=ENVIRONMENT, **more)

    def ask(self, port, path, bearer=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", port,
                                                timeout=process.DEADLINE_SECONDS)
        self.addCleanup(connection.close)
        given = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        connection.request("GET", path, headers={**given, **(headers or {})})
        response = connection.getresponse()
        if response.getheader("content-type") == "text/event-stream":
            return response, None
        text = response.read().decode()
        return response, json.loads(text) if "json" in response.getheader("content-type") else text

    def status(self, port, path, bearer=None, headers=None):
        return self.ask(port, path, bearer, headers)[0].status

    # ---- tokens ----

    def test_a_token_opens_what_its_roles_and_its_subject_may(self):
        port = self.host().port
        self.assertEqual(self.ask(port, "/players", token())[1],
                         {"user": "ada", "roles": ["player"]})
        self.assertEqual(self.status(port, "/walls/ada", token()), 200)
        self.assertEqual(self.status(port, "/walls/bob", token()), 403)
        self.assertEqual(self.ask(port, "/walls/bob", OPS)[1], {"user": "ops", "roles": ["admin"]})
        self.assertEqual(self.status(port, "/players", OPS), 403)
        self.assertEqual(self.status(port, "/ticks"), 401)
        self.assertEqual(self.status(port, "/ticks", token()), 200)

    def test_without_a_token_only_what_is_open_is_answered(self):
        port = self.host().port
        self.assertEqual(self.ask(port, "/open")[1], {"user": "nobody", "roles": {}})
        self.assertEqual(self.ask(port, "/open", token("bob"))[1]["user"], "bob")
        self.assertEqual(self.status(port, "/open", "stale-0123456789abcdef"), 200)
        response, document = self.ask(port, "/players")
        self.assertEqual(response.status, 401)
        self.assertEqual(response.getheader("www-authenticate"), 'Bearer realm="host"')
        self.assertEqual(document["title"], "Unauthorized")
        for path in ("/healthz", "/readyz"):
            self.assertEqual(self.status(port, path), 200)

    def test_a_forged_or_old_token_is_refused_and_says_why(self):
        port = self.host().port
        for bad, why in ((token(algorithm="none"), "HS256"), (token(algorithm="HS512"), "HS256"),
                         (token(secret="b" * 40), "signature"), (token(exp=1), "expired"),
                         (token(nbf=int(time.time()) + 600), "not good yet"),
                         (token(iss="them"), "issuer"), ("0123456789abcdef", "no JSON web token")):
            response, document = self.ask(port, "/players", bad)
            self.assertEqual(response.status, 401, why)
            self.assertIn(why, document["detail"])
            self.assertIn('error="invalid_token"', response.getheader("www-authenticate"))

    def test_no_secret_is_seen_in_the_log_or_on_the_command_line(self):
        host = self.host("--log-level", "debug")
        for bearer in (OPS, token(), "unknown-0123456789"):
            self.ask(host.port, "/players", bearer)
        host.stop()
        for secret in (OPS, SCRAPE, SECRET, "unknown-0123456789"):
            self.assertNotIn(secret, host.logged() + " ".join(host.command))
        self.assertNotIn("there is no `auth`", host.logged())

    # ---- beyond this machine ----

    def test_beyond_loopback_the_admin_api_demands_a_token(self):
        host = self.host(address="0.0.0.0")
        self.assertEqual(self.status(host.port, "/players", token()), 200)
        port = host.admin_port
        self.assertEqual(self.status(port, "/healthz"), 200)
        for path in ("/metrics", "/admin/plugins", "/admin/dead"):
            self.assertEqual(self.status(port, path), 401, path)
            self.assertEqual(self.status(port, path, token()), 403, path)
            self.assertEqual(self.status(port, path, OPS), 200, path)
        self.assertEqual(self.status(port, "/metrics", SCRAPE), 200)
        self.assertEqual(self.status(port, "/admin/plugins", SCRAPE), 403)
        self.assertEqual(self.status(port, "/metrics", OPS, {"Origin": "http://evil.example"}), 403)
        self.assertEqual(self.status(port, "/metrics", OPS, {"Host": "ops.example:1",
                                                             "Origin": "http://ops.example:1"}), 200)

    def test_on_loopback_the_admin_api_demands_none(self):
        host = self.host()
        self.assertEqual(host.admin("/admin/plugins")[0], 200)
        self.assertEqual(host.admin("/metrics", headers={"Host": "evil.example"})[0], 403)

    def test_a_file_of_tokens_that_is_wrong_is_exit_2_with_its_line(self):
        code, text = process.ends(self.folder, "--plugin", "wall.lua", "--auth", "auth.lua")
        self.assertEqual(code, 2, text)
        self.assertIn("auth.lua:3", text)
        self.assertIn("OPS_TOKEN", text)
        code, text = process.ends(self.folder, "--plugin", "wall.lua", "--auth", "nowhere.lua")
        self.assertEqual(code, 3, text)
        self.assertIn("nowhere.lua", text)

    # ---- limits ----

    def test_all_lanes_count_one_limit(self):
        host = self.host("--lanes", "3")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = [a for a, _ in pool.map(lambda _: self.ask(host.port, "/few"), range(40))]
        self.assertEqual(sum(a.status == 200 for a in answers), 7)
        for answer in answers:
            self.assertEqual(answer.getheader("ratelimit-policy"), '"address";q=7;w=25200')
            self.assertRegex(answer.getheader("ratelimit"), r'^"address";r=[0-6];t=\d+$')
            if answer.status != 200:
                self.assertEqual(answer.status, 429)
                self.assertLessEqual(int(answer.getheader("retry-after")), 3600)
        self.assertEqual(self.status(host.port, "/few", token()), 200)

    def test_cases_of_plugins_can_say_who_asks(self):
        code, text = process.ends(self.folder, "test", "wall.lua")
        self.assertEqual(code, 0, text)


if __name__ == "__main__":
    process.BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main()

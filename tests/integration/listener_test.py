#!/usr/bin/env python3
"""How listeners meet the world: TLS and its renewal, trusted proxies, pages of other sites, safe headers.

usage: listener_test.py HOST_BINARY [TEST...]
"""

import http.client
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import unittest

import host_process_test as process

ECHO = """
return {
  api = 1, name = "echo",
  routes = {
    ["GET /address"] = { auth = "none", handle = function(_, req) return 200, req.address end },
    ["POST /things"] = { auth = "none", handle = function() return 201, { made = true } end },
    ["GET /page"] = { auth = "none", handle = function()
      return 200, "<p>hello</p>", { ["content-type"] = "text/html" }
    end },
  },
}
"""

DEPLOYMENT = """return {
  plugins = { ["echo.lua"] = {} },
  trusted_proxies = { "127.0.0.1" },
  cors = { origins = { "https://app.example" } },
  tls = { cert = "cert.pem", key = "key.pem" },
}
"""
APP = {"Origin": "https://app.example"}


class ListenerTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="listener_")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        (self.folder / "echo.lua").write_text(ECHO, "utf-8")
        (self.folder / "d.lua").write_text(DEPLOYMENT, "utf-8")
        self.pair("first.example")

    def pair(self, name, days="2"):
        """A new certificate and key, each put in place by renaming, as tools that renew do."""
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", days, "-subj", f"/CN={name}", "-addext",
             f"subjectAltName=DNS:{name},IP:127.0.0.1", "-keyout", self.folder / "key.new",
             "-out", self.folder / "cert.new"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for part in ("cert", "key"):
            (self.folder / f"{part}.new").replace(self.folder / f"{part}.pem")

    def ask(self, port, method, path, headers=None, tls=True):
        if tls:
            context = ssl.create_default_context(cafile=str(self.folder / "cert.pem"))
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=context,
                                                     timeout=process.DEADLINE_SECONDS)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", port,
                                                    timeout=process.DEADLINE_SECONDS)
        self.addCleanup(connection.close)
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response, response.read().decode()

    def certificate(self, port):
        return ssl.get_server_certificate(("127.0.0.1", port))

    def host(self, *arguments):
        return SecureHost(self, self.folder, *(arguments or ("run", "d.lua")))

    # ---- TLS ----

    def test_routes_are_served_through_tls_alone(self):
        host = self.host()
        response, text = self.ask(host.port, "GET", "/address")
        self.assertEqual((response.status, text), (200, "127.0.0.1"))
        response, text = self.ask(host.port, "GET", "/address", tls=False)
        self.assertEqual(response.status, 400)
        self.assertIn("https://", text)
        self.assertEqual(host.admin("/admin/plugins")[0], 200)
        self.assertIn(f"https://127.0.0.1:{host.port}", host.logged())

    def test_a_new_certificate_is_served_without_a_restart(self):
        host = self.host()
        first = self.certificate(host.port)
        (self.folder / "cert.pem").write_text("nonsense\n", "utf-8")
        host.wait("the refusal", lambda: "the old one stays" in host.logged())
        self.assertEqual(self.certificate(host.port), first)
        self.pair("second.example")
        host.wait("the new one", lambda: self.certificate(host.port) != first)
        self.assertEqual(self.ask(host.port, "GET", "/address")[0].status, 200)

    def test_how_long_a_certificate_lasts_is_told_and_its_end_is_warned_of(self):
        host = self.host()
        metric = 'host_tls_certificate_expires_seconds{listener="routes"}'

        def left():
            text = host.admin("/metrics")[1]
            return next(float(line.split()[-1]) for line in text.splitlines()
                        if line.startswith(metric))

        day = 24 * 3600
        self.assertTrue(day < left() <= 2 * day)
        host.wait("the warning", lambda: "the TLS certificate ends soon" in host.logged())
        self.pair("first.example", days="30")
        host.wait("the new one", lambda: left() > 29 * day)

    def test_options_name_the_files_too_and_admin_has_its_own(self):
        host = self.host("--plugin", "echo.lua", "--tls-cert", "cert.pem", "--tls-key", "key.pem",
                         "--admin-tls-cert", "cert.pem", "--admin-tls-key", "key.pem")
        self.assertEqual(self.ask(host.port, "GET", "/address")[0].status, 200)
        self.assertEqual(self.ask(host.admin_port, "GET", "/metrics")[0].status, 200)
        self.assertEqual(host.stop(), 0)

    def test_a_pair_that_cannot_be_used_is_told_at_the_start(self):
        for arguments, want, says in (
                (("--tls-cert", "cert.pem"), 2, "--tls-key"),
                (("--admin-tls-key", "key.pem"), 2, "--admin-tls-cert"),
                (("--tls-cert", "none.pem", "--tls-key", "key.pem"), 3, "none.pem"),
                (("--tls-cert", "key.pem", "--tls-key", "key.pem"), 3, "no certificate")):
            code, text = process.ends(self.folder, "--plugin", "echo.lua", "--listen",
                                      "127.0.0.1:0", "--admin", "none", *arguments)
            self.assertEqual(code, want, text)
            self.assertIn(says, text)

    # ---- proxies, pages, headers ----

    def test_a_trusted_proxy_says_who_its_client_is(self):
        host = self.host()
        forwarded = {"X-Forwarded-For": "6.6.6.6, 198.51.100.9, 127.0.0.1"}
        self.assertEqual(self.ask(host.port, "GET", "/address", forwarded)[1], "198.51.100.9")
        (self.folder / "d.lua").write_text(DEPLOYMENT.replace("127.0.0.1", "10.0.0.0/8"), "utf-8")
        host.stop()
        host.start()
        self.assertEqual(self.ask(host.port, "GET", "/address", forwarded)[1], "127.0.0.1")

    def test_a_page_of_a_named_site_may_ask_and_others_may_not(self):
        port = self.host().port
        wish = {"Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization"}
        response, _ = self.ask(port, "OPTIONS", "/things", {**APP, **wish})
        self.assertEqual(response.status, 204)
        self.assertEqual(response.getheader("access-control-allow-origin"), APP["Origin"])
        self.assertEqual(response.getheader("access-control-allow-headers"), "authorization")
        response, _ = self.ask(port, "POST", "/things", APP)
        self.assertEqual(response.status, 201)
        self.assertEqual(response.getheader("access-control-allow-origin"), APP["Origin"])
        response, _ = self.ask(port, "GET", "/nowhere", APP)
        self.assertEqual(response.status, 404)
        self.assertEqual(response.getheader("access-control-allow-origin"), APP["Origin"])
        evil = {"Origin": "https://evil.example"}
        response, _ = self.ask(port, "OPTIONS", "/things", {**evil, **wish})
        self.assertEqual(response.status, 403)
        response, _ = self.ask(port, "POST", "/things", evil)
        self.assertIsNone(response.getheader("access-control-allow-origin"))

    def test_browsers_are_told_to_be_careful(self):
        port = self.host().port
        response, _ = self.ask(port, "GET", "/page")
        self.assertEqual(response.getheader("x-frame-options"), "DENY")
        self.assertIn("frame-ancestors 'none'", response.getheader("content-security-policy"))
        self.assertEqual(response.getheader("referrer-policy"), "no-referrer")
        response, _ = self.ask(port, "GET", "/healthz")
        self.assertEqual(response.getheader("x-content-type-options"), "nosniff")
        self.assertEqual(response.getheader("cross-origin-resource-policy"), "same-origin")
        self.assertIsNone(response.getheader("content-security-policy"))


class SecureHost(process.Host):
    def get(self, path):
        context = ssl.create_default_context(cafile=str(self.folder / "cert.pem"))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context,
                                                 timeout=process.DEADLINE_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status, None
        finally:
            connection.close()


if __name__ == "__main__":
    process.BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main()

#!/usr/bin/env python3
"""Answers that are sent piece by piece: rows of the database, iterators, files.

usage: long_answers_test.py HOST_BINARY [TEST...]
"""

import gzip
import http.client
import json
import pathlib
import re
import signal
import sys
import tempfile
import unittest

import host_process_test as process

ROWS = 30_000
ROW_TEXT = 500

PLUGIN = """
local spec = require "host.spec"
return {
  api = 1, name = "long",
  routes = {
    ["GET /rows"] = {
      auth = "none", query = { most = spec.int { default = 10 } }, returns = spec.lines { n = spec.int, text = spec.string },
      handle = function(ctx, req)
        return 200, ctx:rows([[with recursive c(n) as (select 1 union all select n + 1 from c where n < :most)
          select n, hex(zeroblob(ROW_TEXT / 2)) as text from c]], { most = req.query.most })
      end,
    },
    ["GET /slow"] = { auth = "none", handle = function(ctx)
      return 200, ctx:rows("with recursive c(n) as (select 1 union all select n + 1 from c) select count(*) from c")
    end },
    ["GET /endless"] = { auth = "none", handle = function()
      local n = 0
      return 200, function() n = n + 1 return n end
    end },
    ["GET /broken"] = { auth = "none", handle = function()
      local n = 0
      return 200, function()
        n = n + 1
        if n > 100000 then error("no more owls") end
        return n
      end
    end },
    ["GET /kept"] = { auth = "none", cache = "5m", handle = function() return 200, { answer = 42 } end },
    ["GET /app/*"] = { auth = "none", files = "web", fallback = "index.html" },
  },
}
""".replace("ROW_TEXT", str(ROW_TEXT))


class LongAnswersTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="long_answers_")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        (self.folder / "long.lua").write_text(PLUGIN, "utf-8")
        self.file("index.html", b"<p>")
        self.host = process.Host(self, self.folder, "--plugin", "long.lua")

    def file(self, name, content):
        path = self.folder / "web" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def open(self, target, method="GET", headers=None):
        """(connection, response) whose body is not read yet."""
        connection = http.client.HTTPConnection("127.0.0.1", self.host.port,
                                                timeout=process.DEADLINE_SECONDS)
        self.addCleanup(connection.close)
        connection.request(method, target, headers=headers or {})
        return connection, connection.getresponse()

    def running(self):
        text = self.host.admin("/metrics")[1]
        return re.search(r'host_running\{plugin="long"\} (\d+)', text).group(1)

    def memory(self):
        status = pathlib.Path(f"/proc/{self.host.process.pid}/status").read_text("utf-8")
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    # ---- rows and iterators ----

    def test_rows_come_all_of_them_and_in_order(self):
        _, response = self.open(f"/rows?most={ROWS}")
        self.assertEqual(response.status, 200)
        self.assertEqual(response.headers["content-type"], "application/x-ndjson")
        for n in range(1, ROWS + 1):
            line = json.loads(response.readline())
            self.assertEqual((line["n"], len(line["text"])), (n, ROW_TEXT))
        self.assertEqual(response.readline(), b"")

    def test_a_short_answer_has_a_length(self):
        _, response = self.open("/rows?most=3")
        self.assertEqual(int(response.headers["content-length"]), len(response.read()))

    def test_a_slow_client_costs_no_memory(self):
        self.host.get("/rows")
        before = self.memory()
        readers = [self.open(f"/rows?most={ROWS}")[1] for _ in range(4)]
        for reader in readers:
            self.assertEqual(json.loads(reader.readline())["n"], 1)
        self.assertLess(self.memory() - before, ROWS * ROW_TEXT)
        self.assertEqual(self.host.get("/rows?most=1")[0], 200)  # nobody waits for them
        for reader in readers:
            self.assertEqual(reader.read().count(b"\n"), ROWS - 1)

    def test_a_client_that_goes_away_ends_the_iterator(self):
        connection, response = self.open("/endless")
        self.assertEqual(response.readline(), b"1\n")
        self.assertEqual(self.running(), "1")
        response.close()
        connection.close()
        self.host.wait("the end of the iterator", lambda: self.running() == "0")

    def test_an_error_after_the_head_is_no_clean_end(self):
        _, response = self.open("/broken")
        self.assertEqual(response.status, 200)
        with self.assertRaises((http.client.IncompleteRead, ConnectionResetError)):
            response.read()
        self.host.wait("the log line", lambda: "an answer was broken off" in self.host.logged())
        self.assertRegex(self.host.logged(), r"long.lua:\d+: no more owls")

    def test_a_host_that_stops_sends_what_it_has_begun(self):
        _, response = self.open(f"/rows?most={ROWS}")
        self.assertEqual(json.loads(response.readline())["n"], 1)
        self.host.process.send_signal(signal.SIGTERM)
        self.assertEqual(response.read().count(b"\n"), ROWS - 1)
        self.assertEqual(self.host.process.wait(process.DEADLINE_SECONDS), 0)

    def test_what_is_too_much_for_five_seconds_is_refused(self):
        self.assertEqual(self.host.get("/slow")[0], 500)
        self.assertIn("longer than 5 s", self.host.logged())

    # ---- what clients keep ----

    def test_an_answer_that_is_kept_is_sent_once(self):
        _, response = self.open("/kept")
        self.assertEqual(json.loads(response.read()), {"answer": 42})
        self.assertEqual(response.headers["cache-control"], "public, max-age=300")
        _, again = self.open("/kept", headers={"if-none-match": response.headers["etag"]})
        self.assertEqual((again.status, again.read()), (304, b""))
        self.assertEqual(again.headers["etag"], response.headers["etag"])

    # ---- files ----

    def test_files_are_served_with_their_types(self):
        self.file("assets/app.js", b"go()")
        for path, kind, body in (("/app/", "text/html", b"<p>"), ("/app", "text/html", b"<p>"),
                                 ("/app/walls/7", "text/html", b"<p>"),
                                 ("/app/assets/app.js", "text/javascript", b"go()")):
            _, response = self.open(path)
            self.assertEqual(response.status, 200, path)
            self.assertEqual(response.headers.get_content_type(), kind, path)
            self.assertEqual(response.read(), body, path)
        self.assertEqual(self.open("/app/gone.js")[1].status, 404)
        _, head = self.open("/app/assets/app.js", "HEAD")
        self.assertEqual((head.headers["content-length"], head.read()), ("4", b""))

    def test_a_file_is_sent_again_when_it_has_changed(self):
        _, first = self.open("/app/")
        tag = first.headers["etag"]
        self.assertEqual(self.open("/app/", headers={"if-none-match": tag})[1].status, 304)
        self.file("index.html", b"<p>new")
        _, second = self.open("/app/", headers={"if-none-match": tag})
        self.assertEqual((second.status, second.read()), (200, b"<p>new"))

    def test_a_packed_sibling_is_sent_to_who_takes_it(self):
        self.file("app.css", b"p {}")
        self.file("app.css.gz", gzip.compress(b"p {}"))
        _, plain = self.open("/app/app.css")
        self.assertEqual(plain.read(), b"p {}")
        _, packed = self.open("/app/app.css", headers={"accept-encoding": "gzip"})
        self.assertEqual(packed.headers["content-encoding"], "gzip")
        self.assertEqual(packed.headers["vary"].lower(), "accept-encoding")
        self.assertEqual(gzip.decompress(packed.read()), b"p {}")
        self.assertNotEqual(plain.headers["etag"], packed.headers["etag"])

    def test_nothing_outside_of_the_folder_is_served(self):
        (self.folder / "web" / "out").symlink_to(self.folder / "long.lua")
        (self.folder / "web" / "up").symlink_to("..")
        for path in ("/app/../long.lua", "/app/%2e%2e/long.lua", "/app/..%2flong.lua", "/app/out",
                     "/app/up/long.lua", "/app//etc/passwd", "/app/.hidden", "/app/%00"):
            _, response = self.open(path)
            self.assertNotIn(b"api = 1", response.read(), path)
            self.assertIn(response.status, (200, 400, 404), path)

    def test_a_large_file_comes_whole(self):
        content = bytes(range(256)) * 20_000
        self.file("film.mp4", content)
        _, response = self.open("/app/film.mp4")
        self.assertEqual(response.headers["content-type"], "video/mp4")
        self.assertEqual(response.read(), content)

    def test_a_plugin_whose_folder_is_not_there_does_not_start(self):
        (self.folder / "web" / "index.html").unlink()
        code, said = process.ends(self.folder, "check", "long.lua")
        self.assertEqual(code, 1)
        self.assertRegex(said, r"long.lua:\d+: routes\[.*fallback names a file that is not there")


if __name__ == "__main__":
    process.BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()

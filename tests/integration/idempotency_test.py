#!/usr/bin/env python3
"""Requests with an Idempotency-Key over a socket, before and after the host is killed.

usage: idempotency_test.py HOST_BINARY [TEST...]
"""

import http.client
import json
import pathlib
import sys
import tempfile
import threading
import unittest

import host_process_test as process

PLUGIN = """
local spec = require "host.spec"
return {
  api = 1, name = "bank", emits = { ["bank.moves"] = { amount = 0 } },
  state = { total = 0, moves = 0 },
  on = { ["bank.moves"] = { schema = { amount = 0 }, handle = function(ctx, msg)
    ctx.state.total = ctx.state.total + msg.amount
    ctx.state.moves = ctx.state.moves + 1
    ctx:reply { total = ctx.state.total }
  end } },
  routes = {
    ["POST /moves/:name"] = { auth = "none", body = { amount = 0 }, handle = function(ctx, req)
      ctx:emit("bank.moves", req.params.name, req.body)
      return 201, { id = ctx:uuid() }, { location = "/moves/1" }
    end },
    ["POST /asks/:name"] = { auth = "none", body = { amount = 0 }, handle = function(ctx, req)
      local done, err = ctx:ask("bank.moves", req.params.name, req.body, "10s")
      if not done then return nil, err end
      return 200, done
    end },
    ["POST /fails/:name"] = { auth = "none", body = { amount = 0 }, handle = function(ctx, req)
      ctx:ask("bank.moves", req.params.name, req.body, "10s")
      return 503, "asked, and failed after it"
    end },
    ["GET /accounts/:name"] = { auth = "none", handle = function(ctx, req)
      local account = ctx:read(req.params.name)
      return 200, account or { total = 0, moves = 0 }
    end },
  },
}
"""


class IdempotencyTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="idempotency_")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        (self.folder / "bank.lua").write_text(PLUGIN, "utf-8")
        self.host = process.Host(self, self.folder, "--plugin", "bank.lua")

    def post(self, path, key, amount=5):
        """(status, answer, headers)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.host.port,
                                                timeout=process.DEADLINE_SECONDS)
        self.addCleanup(connection.close)
        connection.request("POST", path, json.dumps({"amount": amount}),
                           {"Content-Type": "application/json", "Idempotency-Key": key})
        response = connection.getresponse()
        return response.status, json.loads(response.read()), response.headers

    def account(self, name, moves):
        """Its state once it has seen so many moves."""
        self.host.wait(f"{moves} moves", lambda: self.host.get(f"/accounts/{name}")[1]["moves"] >= moves)
        return self.host.get(f"/accounts/{name}")[1]

    def kill_and_start(self):
        self.host.process.kill()
        self.host.process.wait()
        self.host.start()

    def test_a_repeat_gets_the_first_answer_also_after_a_kill(self):
        status, answer, headers = self.post("/moves/ann", "one")
        self.assertEqual((status, headers["Idempotency-Replayed"]), (201, None))
        for restart in (False, True):
            if restart:
                self.kill_and_start()
            again, same, kept = self.post("/moves/ann", "one")
            self.assertEqual((again, same), (201, answer))
            self.assertEqual(kept["Idempotency-Replayed"], "true")
            self.assertEqual(kept["Location"], headers["Location"])
            self.assertEqual(kept["Correlation-Id"], headers["Correlation-Id"])
        self.assertEqual(self.post("/moves/ann", "one", 6)[0], 422)
        self.assertEqual(self.post("/moves/bob", "one")[0], 422)
        self.assertEqual(self.post("/moves/ann", "two")[0], 201)
        self.assertEqual(self.account("ann", 2), {"total": 10, "moves": 2})

    def test_an_ask_is_handled_once_however_often_its_request_is_tried(self):
        self.assertEqual(self.post("/asks/ann", "one")[:2], (200, {"total": 5}))
        self.assertEqual(self.post("/asks/ann", "one")[:2], (200, {"total": 5}))
        for _ in range(3):
            self.assertEqual(self.post("/fails/ann", "two")[0], 503)
            self.kill_and_start()
        self.assertEqual(self.account("ann", 2), {"total": 10, "moves": 2})

    def test_clients_that_repeat_at_the_same_time_get_one_answer(self):
        answers = []
        clients = [threading.Thread(target=lambda: answers.append(self.post("/moves/ann", "one")[:2]))
                   for _ in range(20)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        self.assertEqual(len({json.dumps(answer) for answer in answers}), 1, answers)
        self.assertEqual(answers[0][0], 201)
        self.assertEqual(self.account("ann", 1), {"total": 5, "moves": 1})


if __name__ == "__main__":
    process.BINARY = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main(verbosity=2)

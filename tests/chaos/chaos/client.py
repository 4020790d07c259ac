"""An HTTP client that lives through the ends of its hosts."""

import http.client
import json
import socket
import time

REQUEST_SECONDS = 40
ANSWER_SECONDS = 120


class Broken(Exception):
    """The host did something that no kill explains: a violation that ends the scenario."""


class Refused(Exception):
    """Nobody listens: the request was certainly not made."""


class Lost(Exception):
    """The request may have been made; its answer did not come."""


class Unanswered(Exception):
    """A request was repeated for long, and none of its repeats was answered for good."""


def free_ports(count):
    """Distinct ports of 127.0.0.1 that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Client:
    """One connection, used by one thread; it is opened again when the host came back. Of several
    hosts it stays with one until that refuses, or does not answer in time."""

    def __init__(self, *ports, timeout=REQUEST_SECONDS):
        self.ports = list(ports)
        self.timeout = timeout
        self.connection = None
        self.opened = 0  # connections so far
        self.repeats = 0  # of requests with a key
        self.replays = 0  # answers that were kept for such a repeat

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def go_on(self):
        """To the next host, if there are several."""
        self.close()
        self.ports.append(self.ports.pop(0))

    def request(self, method, path, body=None):
        """(status, decoded JSON or text); raises Refused or Lost."""
        response, answer = self._send(method, path, body, {})
        return response.status, answer

    def request_until_answered(self, serving, key, method, path, body=None):
        """The same with an Idempotency-Key, repeated whenever the answer was lost or says that a
        repeat may help, while the host is killed and started again. Raises Unanswered."""
        deadline = time.monotonic() + ANSWER_SECONDS
        last = None
        while time.monotonic() < deadline:
            if not serving.wait(0.1):
                continue
            try:
                response, answer = self._send(method, path, body, {"Idempotency-Key": key})
                if response.getheader("Idempotency-Replayed"):
                    self.replays += 1
                last = f"{response.status}: {answer}"
                # 504: the handler waited in vain for its reply.
                if response.status != 504 and not response.getheader("Retry-After"):
                    return response.status, answer
            except (Refused, Lost) as error:
                last = repr(error)
            self.repeats += 1
            time.sleep(0.02)
        raise Unanswered(f"{method} {path} ({key}) has no answer in {ANSWER_SECONDS} s; {last}")

    def _send(self, method, path, body, headers):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.ports[0],
                                                         timeout=self.timeout)
            self.opened += 1
            try:
                self.connection.connect()
            except OSError as error:
                self.go_on()
                raise Refused(str(error)) from error
        try:
            data = None if body is None else json.dumps(body)
            if body is not None:
                headers = {"Content-Type": "application/json", **headers}
            self.connection.request(method, path, data, headers)
            response = self.connection.getresponse()
            text = response.read().decode("utf-8")
        except (OSError, http.client.HTTPException) as error:
            self.go_on()
            raise Lost(str(error)) from error
        if response.will_close:
            self.close()
        try:
            return response, json.loads(text)
        except ValueError:
            return response, text

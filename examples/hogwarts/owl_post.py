#!/usr/bin/env python3
"""Shows a universe's owl post in the terminal: From, Characters, Scene, Sent To.

usage: owl_post.py URL [--seconds N]
  URL is http://HOST/universes/ID/post. Ends after N seconds or at Ctrl-C, with exit 0. A host that
  goes away is waited for, and the stream goes on after the last letter that was seen.
"""

import argparse
import json
import signal
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request

COLUMNS = (("From", 19), ("Characters", 23), ("Scene", 33), ("Sent To", 19))
GAP = "  "
RETRY_SECONDS = 0.3
QUIET_SECONDS = 30  # the host sends at least a comment this often


def cells(letter):
    return (letter["place"], ", ".join(letter["characters"]), letter["summary"],
            letter.get("destination") or "(stays)")


def row(texts):
    """The texts side by side, each wrapped to its column."""
    columns = [textwrap.wrap(text, width) or [""] for text, (_, width) in zip(texts, COLUMNS)]
    height = max(len(lines) for lines in columns)
    padded = [[line.ljust(width) for line in lines + [""] * (height - len(lines))]
              for lines, (_, width) in zip(columns, COLUMNS)]
    return "\n".join(GAP.join(line).rstrip() for line in zip(*padded))


def events(lines):
    """(id, event, data) of each server-sent event."""
    number, event, data = None, "message", []
    for raw in lines:
        line = raw.decode("utf-8").rstrip("\r\n")
        if not line:
            if data:
                yield number, event, "\n".join(data)
            event, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            number = value
        elif field == "event":
            event = value
        elif field == "data":
            data.append(value)


class Post:
    """Follows one stream and prints its scenes; counts them for the last line."""

    def __init__(self, url):
        self.url = url
        self.last_id = None
        self.letters = 0

    def follow(self):
        request = urllib.request.Request(self.url, headers={"Accept": "text/event-stream"})
        if self.last_id:
            request.add_header("Last-Event-ID", self.last_id)
        with urllib.request.urlopen(request, timeout=QUIET_SECONDS) as stream:
            for number, event, data in events(stream):
                self.show(event, data)
                self.last_id = number

    def show(self, event, data):
        if event == "gap":
            print("... letters that the log keeps no longer ...")
            return
        letter = json.loads(data)
        if letter.get("type") == "Scene":
            self.letters += 1
            print(row(cells(letter)), flush=True)

    def follow_for_ever(self):
        while True:
            try:
                self.follow()
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    raise
            except (OSError, urllib.error.URLError):
                pass  # the host is away; its post is kept
            time.sleep(RETRY_SECONDS)


def read_post(post, ended):
    """Runs until the stream is refused; what it was refused with ends the program."""
    try:
        post.follow_for_ever()
    except Exception as error:  # pylint: disable=broad-except
        print(f"owl_post: {post.url}: {error}", file=sys.stderr)
        ended.failed = True
        ended.set()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float)
    options = parser.parse_args()

    post, ended = Post(options.url), threading.Event()
    ended.failed = False
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    names = [name for name, _ in COLUMNS]
    print(row(names) + "\n" + row(["-" * width for _, width in COLUMNS]), flush=True)
    threading.Thread(target=read_post, args=(post, ended), daemon=True).start()
    ended.wait(options.seconds)
    print(f"{post.letters} letters were sent.", flush=True)
    sys.exit(1 if ended.failed else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Shows a universe's owl post in the terminal: From, Characters, Scene, Sent To.

usage: owl_post.py URL [--seconds N] [--log FILE]
  URL is http://HOST/universes/ID/post. Ends after N seconds or at Ctrl-C, with exit 0. A host that
  goes away is waited for, and the stream goes on after the last letter that was seen. With --log,
  what the host's log says about scripts and troubles is shown in between.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request

GAP = "  "
NARROW, WIDE = 100, 140  # what is wider than the narrow form goes to the scenes
COLOURED = sys.stdout.isatty() and "NO_COLOR" not in os.environ
COLOURS = {"greatLibrary": 33, "gryffindorTower": 31, "hagridsHut": 36, "herbologyGreenHouse": 32,
           "muggleWorld": 39, "platform9Quarters": 34, "quidditchPitch": 35}
BOLD = 1
RETRY_SECONDS = 0.3
QUIET_SECONDS = 30  # the host sends at least a comment this often


def columns():
    width = shutil.get_terminal_size((NARROW, 24)).columns
    scene = 33 + max(NARROW, min(width, WIDE)) - NARROW
    return (("From", 19), ("Characters", 23), ("Scene", scene), ("Sent To", 19))


def paint(text, colour):
    return f"\x1b[{colour}m{text}\x1b[0m" if COLOURED and colour else text


def cells(letter):
    return (letter["place"], ", ".join(letter["characters"]), letter["summary"],
            letter.get("destination") or "(stays)")


def row(texts, colours=(None, None, None, None)):
    """The texts side by side, each wrapped to its column."""
    widths = [width for _, width in columns()]
    wrapped = [textwrap.wrap(text, width) or [""] for text, width in zip(texts, widths)]
    lines = []
    for at in range(max(len(cell) for cell in wrapped)):
        parts = [cell[at] if at < len(cell) else "" for cell in wrapped]
        while not parts[-1]:
            parts.pop()
        padded = [part.ljust(width) for part, width in zip(parts, widths)]
        padded[-1] = parts[-1]
        lines.append(GAP.join(paint(*part) for part in zip(padded, colours)))
    return "\n".join(lines)


def heading():
    names = [name for name, _ in columns()]
    lines = ["-" * width for _, width in columns()]
    return row(names, [BOLD] * 4) + "\n" + row(lines)


def told(line):
    """What a line of the host's log has to say here, or nothing."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    text = entry["message"]
    if entry["level"] not in ("warn", "error") and "revision" not in text:
        return None
    if text.startswith("there is no `auth`"):  # said at every start, and meant for production
        return None
    if entry.get("error"):
        text += ": " + entry["error"]
    return f"--- {entry.get('plugin', 'host')}: {text}"


def follow_log(path, ended):
    """Shows what is new in the log from now on."""
    with open(path, encoding="utf-8", errors="replace") as log:
        log.seek(0, os.SEEK_END)
        line = ""
        while not ended.is_set():
            line += log.readline()
            if not line.endswith("\n"):
                time.sleep(0.2)
                continue
            text, line = told(line), ""
            if text:
                print(paint(text, BOLD), flush=True)


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
            here, there = COLOURS.get(letter["place"]), COLOURS.get(letter["destination"])
            print(row(cells(letter), (here, BOLD, None, there)), flush=True)

    def follow_for_ever(self):
        while True:
            try:
                self.follow()
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    raise
            except (OSError, http.client.HTTPException):
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
    parser.add_argument("--log")
    options = parser.parse_args()

    post, ended = Post(options.url), threading.Event()
    ended.failed = False
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    print(heading(), flush=True)
    threading.Thread(target=read_post, args=(post, ended), daemon=True).start()
    if options.log:
        threading.Thread(target=follow_log, args=(options.log, ended), daemon=True).start()
    ended.wait(options.seconds)
    ended.set()
    print(f"{post.letters} letters were sent.", flush=True)
    sys.exit(1 if ended.failed else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Calls the roll of a universe: who is in which of the seven places, by the places' own states.

usage: roll_call.py URL [--within SECONDS] [--places FILE]
  URL is http://HOST/universes/ID. With --places, each place is asked where FILE says that it is
  served, { "hagridsHut": "http://HOST", ... }; else all of them at the URL's host. The universe is paused first, so that every owl lands: a character
  in the air is in no place. Exit 0 when each of the 42 is somewhere exactly once, else 1.
"""

import argparse
import collections
import json
import sys
import textwrap
import time
import urllib.error
import urllib.request

PLACES = ("greatLibrary", "gryffindorTower", "hagridsHut", "herbologyGreenHouse", "muggleWorld",
          "platform9Quarters", "quidditchPitch")
CHARACTERS = 42


def ask(url, method="GET"):
    request = urllib.request.Request(url, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def pause(url):
    try:
        ask(url + "/pause", "POST")
    except urllib.error.HTTPError as error:
        if error.code != 409:  # it rests, or was stopped: nothing moves anyway
            raise


def present(url, places):
    """The names in each place."""
    host, _, universe = url.rpartition("/universes/")
    return {place: ask(f"{places.get(place, host)}/places/{place}/universes/{universe}")["present"]
            for place in PLACES}


def judge(rooms):
    """What is wrong, as text; empty: each of the 42 is there once."""
    counted = collections.Counter(name for names in rooms.values() for name in names)
    twice = sorted(name for name, times in counted.items() if times > 1)
    if twice:
        return "more than once: " + ", ".join(twice)
    if len(counted) != CHARACTERS:
        return f"only {len(counted)} of {CHARACTERS} are in a place"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--within", type=float, default=10, help="seconds for the owls to land")
    parser.add_argument("--places", type=argparse.FileType(encoding="utf-8"))
    options = parser.parse_args()
    deadline = time.monotonic() + options.within
    try:
        places = json.load(options.places) if options.places else {}
        pause(options.url)
        rooms = present(options.url, places)
        while judge(rooms) and time.monotonic() < deadline:
            time.sleep(0.2)
            rooms = present(options.url, places)
    except (OSError, ValueError) as error:
        sys.exit(f"roll_call: {options.url}: {error}")
    print(textwrap.fill("Roll call: " + ", ".join(
        f"{place} {len(names)}" for place, names in rooms.items()), 100))
    wrong = judge(rooms)
    if wrong:
        sys.exit(f"roll_call: {wrong}")
    print(f"{CHARACTERS} characters, each in one place exactly once.")


if __name__ == "__main__":
    main()

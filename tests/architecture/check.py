#!/usr/bin/env python3
"""Reads every #include of the tree and fails on an arrow that rules.py does not allow.

usage: check.py [ROOT]     every finding as file:line: what (what to do), exit 1 if there is one
"""

import os
import re
import sys

import rules

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")')
FORBIDDEN = [(why, re.compile("".join(pieces))) for why, pieces in rules.FORBIDDEN_TEXT]


def longest(table, path):
    """The entry of `table` that names `path` or a folder above it, the most particular one."""
    found = [name for name in table if path == name or path.startswith(name.rstrip("/") + "/")]
    return max(found, key=len, default=None)


def third_party(header):
    found = [name for name in rules.THIRD_PARTY if header == name or header.startswith(name)]
    return max(found, key=len, default=None)


def layer_of(path):
    return longest(rules.LAYERS, os.path.dirname(path))


def judge_own(folder, header):
    """A header of the project: is there an arrow from `folder` to it?"""
    target = layer_of(header)
    if target is None and longest(["host", "bindings", "tests"], header) is None:
        return f'"{header}" is not written from the root of the repository'
    if folder in (target, "host/app", "tests"):
        allowed = folder != "host/app" or target != "tests"
    else:
        allowed = target in rules.LAYERS[folder]
    return None if allowed else f"{folder} may not include {target or 'tests'} ({header})"


def judge_foreign(folder, header):
    """A header of the system or of a library: may `folder` know it?"""
    if header in rules.STANDARD:
        return None
    if header in rules.POSIX_HEADERS:
        if longest(rules.POSIX, folder):
            return None
        return f"{folder} may not include <{header}>: the operating system is the adapters'"
    name = third_party(header)
    if name is None:
        return f"<{header}> is in no table of tests/architecture/rules.py"
    if longest(rules.FREE_OF_THIRD_PARTY_RULES, folder):
        return None
    granted = rules.THIRD_PARTY[name]
    if folder in granted:
        return None
    return f"{folder} may not include <{header}>: it belongs to {', '.join(granted)}"


def judge_include(path, line):
    match = INCLUDE.match(line)
    if not match:
        return None
    folder = layer_of(path)
    if folder is None:
        return "this folder has no entry in tests/architecture/rules.py"
    angled, quoted = match.groups()
    return judge_own(folder, quoted) if quoted else judge_foreign(folder, angled)


def files(root):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in rules.SKIPPED_FOLDERS)
        # In a worktree .git is a file.
        for name in sorted(set(names) - set(rules.SKIPPED_FOLDERS)):
            yield os.path.relpath(os.path.join(folder, name), root)


def findings(root):
    for path in files(root):
        full = os.path.join(root, path)
        if os.path.islink(full) or not os.path.isfile(full):
            continue
        with open(full, "rb") as file:
            content = file.read()
        if b"\0" in content:
            continue
        code = path.endswith((".h", ".cc", ".cpp", ".hpp", ".inc"))
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            if code and (problem := judge_include(path, line)):
                yield f"{path}:{number}: {problem}"
            for why, pattern in FORBIDDEN:
                if pattern.search(line):
                    yield f"{path}:{number}: {why}: {line.strip()[:100]}"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "..")
    problems = list(findings(root))
    for problem in problems:
        print(problem)
    if not problems:
        count = sum(1 for path in files(root) if path.endswith((".h", ".cc")))
        print(f"{count} sources, no forbidden arrow")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()

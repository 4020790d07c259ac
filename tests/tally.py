#!/usr/bin/env python3
"""Reads JUnit reports of ctest and ends with the line "N passed, M failed".

Suites made with Catch2 count by test case, Python's unittest by test, others as one.
usage: tally.py REPORT...     exit 1 if something failed, nothing ran, or a report is missing
"""

import re
import sys
import xml.etree.ElementTree as xml

ALL_PASSED = re.compile(r"All tests passed \(.* in (\d+) test cases?\)")
CASES = re.compile(r"^test cases:\s*(\d+)(?:\s*\|\s*(\d+) passed)?(?:\s*\|\s*(\d+) failed)?", re.M)
UNITTEST = re.compile(r"^Ran (\d+) tests? in", re.M)


def count(output, succeeded):
    """(passed, failed) of one suite. One that crashed counts a failure whatever it printed."""
    if match := CASES.search(output):
        passed, failed = int(match[2] or 0), int(match[3] or 0)
    else:
        match = ALL_PASSED.search(output) or UNITTEST.search(output)
        passed, failed = (int(match[1]) if match else 1), 0
    if succeeded:
        return passed, failed
    return (passed if failed else 0), max(failed, 1)


def main():
    passed = failed = 0
    for report in sys.argv[1:]:
        try:
            suites = list(xml.parse(report).getroot().iter("testcase"))
        except (OSError, xml.ParseError) as error:
            print(f"{report}: {error}")
            failed += 1
            continue
        for suite in suites:
            output = suite.findtext("system-out") or ""
            more_passed, more_failed = count(output, suite.get("status") == "run")
            passed, failed = passed + more_passed, failed + more_failed
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if passed and not failed else 1)


if __name__ == "__main__":
    main()

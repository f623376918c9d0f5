#!/usr/bin/env python3
"""Adds up what a run of scripts/test saw and prints one line: N passed, N failed[, N skipped].

Usage: count_results.py FOLDER. FOLDER holds `steps` (lines "passed NAME" or "failed NAME") and ctest's JUnit files
*.xml. A ctest test is a suite, a script or a program that counts its own cases in its closing lines: those are counted.
A test that failed without such lines, or whose lines know of no failure (a crash, a leak, a time-out), is one failure.
Exits with 1 if anything failed or nothing passed.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as xml


def number(pattern, text):
    found = re.search(pattern, text, re.MULTILINE)
    return int(found.group(1)) if found else 0


def count_cases(output):
    """(passed, failed, skipped) by the closing lines of a test program, or None if there are none that we know."""
    if re.search(r'^Test module ".*" has ', output, re.MULTILINE):  # Boost.Test; its "skipped" are other suites' cases
        return (number(r"^\s+(\d+) test cases? out of \d+ passed", output),
                number(r"^\s+(\d+) test cases? out of \d+ failed", output), 0)
    if re.search(r"^# tests \d+", output, re.MULTILINE):  # node --test, TAP
        return (number(r"^# pass (\d+)", output),
                number(r"^# fail (\d+)", output) + number(r"^# cancelled (\d+)", output),
                number(r"^# skipped (\d+)", output) + number(r"^# todo (\d+)", output))
    if re.search(r"^Ran \d+ tests? in ", output, re.MULTILINE):  # Python's unittest
        failed = number(r"failures=(\d+)", output) + number(r"errors=(\d+)", output)
        skipped = number(r"skipped=(\d+)", output)
        return number(r"^Ran (\d+) tests?", output) - failed - skipped, failed, skipped
    return None


def count_test(case):
    """(passed, failed, skipped) of one ctest test."""
    went_well = case.get("status") == "run"
    counted = count_cases(case.findtext("system-out") or "")
    if counted is None:
        return (1, 0, 0) if went_well else (0, 1, 0)
    passed, failed, skipped = counted
    if not went_well and failed == 0:
        failed = 1
    if went_well and passed + failed + skipped == 0:
        failed = 1  # a program that ran no case has tested nothing
    return passed, failed, skipped


def main(folder):
    passed = failed = skipped = 0
    bad = []
    for line in (folder / "steps").read_text(encoding="utf-8").splitlines():
        result, name = line.split(" ", 1)
        passed += result == "passed"
        failed += result == "failed"
        bad += [name] * (result == "failed")
    for report in sorted(folder.glob("*.xml")):
        for case in xml.parse(report).getroot().iter("testcase"):
            counts = count_test(case)
            passed, failed, skipped = (total + count for total, count in zip((passed, failed, skipped), counts))
            if counts[1]:
                bad.append(f"{report.stem}: {case.get('name')}")
    for name in bad:
        print(f"FAILED {name}")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))

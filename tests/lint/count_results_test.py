#!/usr/bin/env python3
"""The line that scripts/test ends with counts what was really seen, whatever went wrong."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import count_results  # noqa: E402

BOOST = 'Running 5 test cases...\n\nTest module "postrider" has {}:\n  {} test cases out of 7 passed\n{}'
TAP = "# tests {}\n# suites 0\n# pass {}\n# fail {}\n# cancelled {}\n# skipped {}\n# todo 0\n"


class count(unittest.TestCase):
    def run_on(self, *cases, steps=""):
        """Returns (exit status, last line) for ctest cases given as (status, output)."""
        tests = "".join(f'<testcase name="t" status="{status}"><system-out>{output}</system-out></testcase>'
                        for status, output in cases)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            (path / "steps").write_text(steps)
            (path / "dev.xml").write_text(f"<testsuite>{tests}</testsuite>")
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                status = count_results.main(path)
        return status, printed.getvalue().splitlines()[-1]

    def test_cases_of_every_kind_of_program_are_added_up(self):
        result = self.run_on(("run", BOOST.format("passed with", 5, "")), ("run", TAP.format(3, 3, 0, 0, 0)),
                             ("run", "Ran 4 tests in 0.1s\n\nOK\n"), ("run", "no closing line"), steps="passed a b\n")
        self.assertEqual(result, (0, "14 passed, 0 failed"))

    def test_failed_cases_are_counted_one_by_one(self):
        result = self.run_on(("fail", BOOST.format("failed with", 4, "  1 test case out of 7 failed\n")),
                             ("fail", TAP.format(6, 2, 1, 2, 1)),
                             ("fail", "Ran 4 tests in 0.1s\n\nFAILED (failures=1, errors=2)\n"))
        self.assertEqual(result, (1, "7 passed, 7 failed, 1 skipped"))

    def test_a_crash_is_one_failure(self):
        self.assertEqual(self.run_on(("fail", "Segmentation fault")), (1, "0 passed, 1 failed"))

    def test_a_program_that_fails_after_its_tests_passed_is_one_failure(self):
        leak = BOOST.format("passed with", 5, "") + "ERROR: LeakSanitizer: detected memory leaks\n"
        self.assertEqual(self.run_on(("fail", leak)), (1, "5 passed, 1 failed"))

    def test_a_test_that_was_not_built_is_one_failure(self):
        self.assertEqual(self.run_on(("notrun", "Unable to find executable")), (1, "0 passed, 1 failed"))

    def test_a_program_without_cases_is_a_failure(self):
        self.assertEqual(self.run_on(("run", TAP.format(0, 0, 0, 0, 0))), (1, "0 passed, 1 failed"))

    def test_a_failed_step_is_one_failure(self):
        result = self.run_on(("run", "fine"), steps="passed layout\nfailed build: dev\n")
        self.assertEqual(result, (1, "2 passed, 1 failed"))

    def test_nothing_at_all_is_no_success(self):
        self.assertEqual(self.run_on(), (1, "0 passed, 0 failed"))


if __name__ == "__main__":
    unittest.main()

"""Runs one of CPython's own test modules in this process, and writes down what comes of each test.

Cells and plain Python import it alike. It must not import anything of the package `tests`.
"""

from __future__ import annotations

import faulthandler
import io
import json
import os
import traceback
import unittest
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from test import support

Error = tuple[type[BaseException], BaseException, TracebackType]

#: Not the network, nor what takes long.
RESOURCES = ["cpu", "subprocess"]


class Outcomes(unittest.TextTestResult):
    """Writes a line when a test begins, when something comes of it, and when it ends.

    So a process that ends or hangs has told, too.
    """

    report: IO[bytes]
    #: A forked child of a test may come back to here, and would tell of tests that are not its own.
    process = os.getpid()

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.note(test.id(), "begun")

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        self.note(test.id(), "ended")

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self._note_error(test, err)

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self._note_error(test, err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note_error(test, err)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self.note(test.id(), "skipped")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self.note(test.id(), "passed, which is not expected")

    def _note_error(self, test: unittest.TestCase, error: Error) -> None:
        self.note(test.id(), f"failed: {error[0].__name__}", "".join(traceback.format_exception(*error)))

    def note(self, test: str, event: str, details: str = "") -> None:
        """Write a line of the report, at once."""
        if os.getpid() == self.process:
            self.report.write(f"{json.dumps([test, event, details])}\n".encode())


def run(module: str, report: str, left_out: Iterable[str], patience: float) -> None:
    """Run the module. After `patience` seconds without an end this process writes its stacks and ends."""
    support.use_resources = RESOURCES
    with Path(report).open("ab", buffering=0) as lines, Path(f"{report}.stacks").open("w") as stacks:
        result = Outcomes(unittest.runner._WritelnDecorator(io.StringIO()), True, 0)
        result.report = lines
        faulthandler.dump_traceback_later(patience, exit=True, file=stacks)
        try:
            loaded = unittest.defaultTestLoader.loadTestsFromName(module)
            unittest.TestSuite(
                test
                for test in _each(loaded)
                if not any(fnmatchcase(test.id(), pattern) for pattern in left_out)
            ).run(result)
        except unittest.SkipTest:
            result.note(module, "skipped")
        except Exception as error:  # of `unittest` itself: the module ends there
            result.note(module, f"failed: {type(error).__name__}", traceback.format_exc())
        finally:
            faulthandler.cancel_dump_traceback_later()
        result.note(module, "ended")


def _each(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _each(test)
        else:
            yield test

"""Breaks the code on purpose, one change at a time, and sees whether the tests notice.

    python -m tests.trust.mutants                  # all
    python -m tests.trust.mutants stop history     # those with one of the words in their name
    python -m tests.trust.mutants --slice 2/5 --jobs 2
    python -m tests.trust.mutants --list

`mutants.toml` lists the changes, and for each the tests that must fail. They run in a copy of the tree;
nothing is written into the tree itself. First the tests run on the code as it is: there they must pass.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "namespace_kernel"
LIST = Path(__file__).with_name("mutants.toml")

#: What the tests of the list need.
_COPIED = (PACKAGE, "tests", "kernelspec", "pyproject.toml")

#: Seconds for the tests of one change. Those that take longer hang, which is noticed, too.
_PATIENCE = 300

_PASSED, _FAILED = 0, 1

#: No other plugins: loading all that are installed takes as long as a small file's tests.
_PYTEST = (
    *("pytest", "-x", "-q", "--no-header"),
    *("-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "-p", "pytest_timeout"),
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change: `old`, which is once in `file` of the package, becomes `new`, and one of `tests` fails."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The file that is changed, from the root of the tree."""
        return Path(PACKAGE, self.file)

    def changed(self, source: str) -> str:
        """The `source` with the change. Raises `ValueError` if it says nothing about this source."""
        if (times := source.count(self.old)) != 1:
            raise ValueError(
                f"{self.name}: its `old` stands {times} times in {self.file}, not once; adapt the entry in "
                f"{LIST.relative_to(ROOT)}, or take it out if the code has gone"
            )
        return source.replace(self.old, self.new)


def mutants() -> list[Mutant]:
    """The list."""
    entries = tomllib.loads(LIST.read_text())["mutant"]
    return [Mutant(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]


def _has_failed(status: int, output: str) -> bool:
    """Whether pytest says that a test failed, also by a Stop that comes out or by the end of the process.

    Not where it could not collect the tests, or found none: that proves nothing.
    """
    return status == _FAILED or status < 0 or "! KeyboardInterrupt !" in output


class Copy:
    """A copy of the tree in a directory of its own. Thread: one at a time."""

    def __init__(self, directory: Path) -> None:
        self._root = directory
        self._writes = count(1)
        ignored = shutil.ignore_patterns("__pycache__", "artifacts")
        directory.mkdir()
        for name in _COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, directory / name, ignore=ignored)
            else:
                shutil.copy(ROOT / name, directory)

    def run(self, tests: Sequence[str], mutant: Mutant | None = None) -> tuple[int, str]:
        """pytest's exit status and output, with the code as it is or with a change."""
        if mutant is None:
            return self._run(tests)
        path = self._root / mutant.path
        source = path.read_text()
        self._write(path, mutant.changed(source))
        try:
            return self._run(tests)
        finally:
            self._write(path, source)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        # Python knows by a file's size and time, in seconds, whether what it has compiled is still right.
        os.utime(path, (0, next(self._writes)))

    def _run(self, tests: Sequence[str]) -> tuple[int, str]:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "--no-header",
            "-p",
            "no:cacheprovider",
            *tests,
        ]
        environment = {**os.environ, "PYTHONPATH": str(self._root)}
        process = subprocess.Popen(
            command,
            cwd=self._root,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=_PATIENCE)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return _FAILED, process.communicate()[0]


class Run:
    """Tries some changes and counts. Thread: any."""

    def __init__(self, copies: Sequence[Copy], verbose: bool) -> None:
        self._free = list(copies)
        self._pool = ThreadPoolExecutor(len(copies))
        self._verbose = verbose
        self._printing = threading.Lock()

    def sound(self, tried: Sequence[Mutant]) -> bool:
        """Whether the tests pass on the code as it is."""
        files = sorted({test for mutant in tried for test in mutant.tests})
        return all(self._pool.map(self._passes, files))

    def noticed(self, tried: Sequence[Mutant]) -> int:
        """How many of the changes a test notices."""
        return sum(self._pool.map(self._notices, tried))

    def _with_a_copy(self, tests: Sequence[str], mutant: Mutant | None = None) -> tuple[int, str, float]:
        copy = self._free.pop()  # there is one for each of the pool's threads
        begun = time.monotonic()
        try:
            return (*copy.run(tests, mutant), time.monotonic() - begun)
        finally:
            self._free.append(copy)

    def _passes(self, test: str) -> bool:
        status, output, seconds = self._with_a_copy([test])
        return self._tell(status == _PASSED, "passes", "FAILS ON THE CODE AS IT IS", test, seconds, output)

    def _notices(self, mutant: Mutant) -> bool:
        status, output, seconds = self._with_a_copy(mutant.tests, mutant)
        good = _has_failed(status, output)
        return self._tell(good, "noticed", "NOT NOTICED", mutant.name, seconds, output, status)

    def _tell(
        self, good: bool, yes: str, no: str, what: str, seconds: float, output: str, status: int = _FAILED
    ) -> bool:
        with self._printing:
            print(f"{yes if good else no:12} {seconds:5.1f} s  {what}", flush=True)
            if self._verbose or (not good and status != _PASSED):
                print(output[-3000:], flush=True)
        return good


def _part(text: str) -> tuple[int, int]:
    number, _, parts = text.partition("/")
    if not 1 <= int(number) <= int(parts):
        raise ValueError(text)
    return int(number), int(parts)


def _chosen(words: Sequence[str], part: tuple[int, int]) -> Iterator[Mutant]:
    number, parts = part
    wanted = [one for one in mutants() if not words or any(word in one.name for word in words)]
    yield from wanted[number - 1 :: parts]


def main() -> int:
    """Report "N of M noticed"; the exit status says whether it was all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust.mutants", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("words", nargs="*", help="only changes with one of them in the name")
    parser.add_argument("--slice", type=_part, default=(1, 1), metavar="N/M", help="the Nth of M parts")
    parser.add_argument("--jobs", type=int, default=1, help="how many to try at a time")
    parser.add_argument("--list", action="store_true", help="say which there are")
    parser.add_argument(
        "--only-changed", action="store_true", help="trust that the tests pass on the code as it is"
    )
    parser.add_argument("--verbose", action="store_true", help="show what pytest says")
    options = parser.parse_args()
    chosen = list(_chosen(options.words, options.slice))
    if options.list:
        print(*(f"{mutant.name:40} {mutant.file}" for mutant in chosen), sep="\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        copies = [Copy(Path(directory, str(number))) for number in range(max(1, options.jobs))]
        run = Run(copies, options.verbose)
        if not options.only_changed and not run.sound(chosen):
            return 1
        noticed = run.noticed(chosen)
    print(f"{noticed} of {len(chosen)} noticed")
    return int(noticed != len(chosen))


if __name__ == "__main__":
    sys.exit(main())

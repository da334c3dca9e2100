"""CPython's own tests in cells of a kernel, compared with the same tests in plain Python.

cpython.toml says which modules, and what differs. They run at the same time here and there, in three ways:

- `plain`: as they are;
- `async`: where a loop runs around them;
- `thread`: in a thread that the running loop waits for.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.kernel.cells import KernelProblem
from tests.kernel.client import Notebook
from tests.third_party.runner import SuiteError, environment
from tests.third_party.suites import HERE

WAYS = ("plain", "async", "thread")
#: Seconds after which a module's process counts as hanging.
PATIENCE = 180.0
#: CPython's tests measure times, and fail on a loaded machine: what differs must do so in as many runs.
RUNS = 3

_RUN = "cpython_tests.run({module!r}, {report!r}, {left_out!r}, {patience})"
_CELLS = {
    "plain": f"import cpython_tests\n{_RUN}",
    "async": f"import asyncio, cpython_tests\nawait asyncio.sleep(0)\n{_RUN}",
    "thread": f"import asyncio, cpython_tests\nawait asyncio.to_thread(lambda: {_RUN})",
}


@dataclass(frozen=True)
class Difference:
    """Tests that differ on purpose, or that are left out because they end plain Python, too."""

    ways: tuple[str, ...]
    #: Patterns of their names.
    tests: tuple[str, ...]
    reason: str
    #: Whether it is there only now and then.
    occasional: bool = False
    #: The Pythons where it is; all, if there is none.
    pythons: tuple[str, ...] = ()

    def applies(self, way: str) -> bool:
        return way in self.ways and (not self.pythons or "{}.{}".format(*sys.version_info) in self.pythons)


@dataclass(frozen=True)
class Differences:
    """The data file."""

    #: Modules and the ways in which they run.
    modules: dict[str, tuple[str, ...]]
    #: Those of `make test`.
    quick: tuple[str, ...]
    left_out: tuple[Difference, ...]
    differs: tuple[Difference, ...]


def load() -> Differences:
    """Read the data file."""
    data = tomllib.loads((HERE / "cpython.toml").read_text())

    def entries(key: str) -> tuple[Difference, ...]:
        groups: list[dict[str, Any]] = data.get(key, [])
        return tuple(
            Difference(
                tuple(group.get("ways", WAYS)),
                tuple(group["tests"]),
                group["reason"].strip(),
                group.get("occasional", False),
                tuple(group.get("pythons", ())),
            )
            for group in groups
        )

    modules = {module: tuple(group["ways"]) for group in data["run"] for module in group["modules"]}
    return Differences(modules, tuple(data["quick"]), entries("left_out"), entries("differs"))


@dataclass
class Comparison:
    """What one module came to, one way."""

    module: str
    way: str
    compared: int = 0
    #: What differs and is not listed, in each of the runs: the test, and what came of it here and there.
    unlisted: dict[str, str] = field(default_factory=dict)
    #: What is listed and does not differ.
    gone: tuple[str, ...] = ()
    #: What differed once, and not again.
    once: dict[str, str] = field(default_factory=dict)

    @property
    def green(self) -> bool:
        return not self.unlisted and not self.gone

    def summary(self) -> str:
        """A line; below it what differs."""
        lines = [
            f"{self.module}, {self.way}: {self.compared} tests, {len(self.unlisted)} differ",
            *(f"  differs: {test}: {what}" for test, what in self.unlisted.items()),
            *(f"  is listed, but does not differ: {pattern}" for pattern in self.gone),
            *(
                f"  differed once, and not again: {test}: {what.splitlines()[0]}"
                for test, what in self.once.items()
            ),
        ]
        return "\n".join(lines)


def missing() -> str:
    """Why CPython's tests cannot run here, or nothing."""
    if find_spec("test.test_asyncio") is None:
        return f"{sys.executable} has come without CPython's own tests (Debian: libpython3-testsuite)"
    return ""


def compare(modules: Sequence[str], way: str) -> list[Comparison]:
    """Run these modules one way, here and there; what differs is run again."""
    if reason := missing():
        raise SuiteError(reason)
    differences = load()
    first = [
        compared(module, way, *sides, differences.differs) for module, sides in _both(modules, way).items()
    ]
    return [one if one.green else _compare_again(one, differences) for one in first]


def compare_all(modules: Sequence[str] = ()) -> list[Comparison]:
    """Run these modules, or all, in each of their ways."""
    ways = load().modules
    found: list[Comparison] = []
    for way in WAYS:
        found += compare([module for module in modules or ways if way in ways[module]], way)
    return found


def _compare_again(first: Comparison, differences: Differences) -> Comparison:
    last = first
    for _ in range(RUNS - 1):
        sides = _both([first.module], first.way)[first.module]
        last = compared(first.module, first.way, *sides, differences.differs)
        last.unlisted = {test: what for test, what in last.unlisted.items() if test in first.unlisted}
        last.gone = tuple(pattern for pattern in last.gone if pattern in first.gone)
        if last.green:
            break
    last.once = {test: what for test, what in first.unlisted.items() if test not in last.unlisted}
    return last


Outcomes = dict[str, tuple[str, str]]


def compared(
    module: str, way: str, here: Outcomes, there: Outcomes, differs: tuple[Difference, ...]
) -> Comparison:
    """`here` is what came of each test in the kernel, `there` in plain Python.

    Where neither came to an end, the tests behind it were not run: that is no agreement.
    """
    nothing = ("is missing", "")
    different = {
        test: f"{here.get(test, nothing)[0]} in the cell, {there.get(test, nothing)[0]} in Python\n"
        f"{here.get(test, nothing)[1] or there.get(test, nothing)[1]}".rstrip()
        for test in sorted({*here, *there})
        if here.get(test, nothing)[0] != there.get(test, nothing)[0] or here[test][0] == "did not end"
    }
    listed = [entry for entry in differs if entry.applies(way)]
    patterns = [pattern for entry in listed for pattern in entry.tests]
    expected = [
        pattern
        for entry in listed
        if not entry.occasional
        for pattern in entry.tests
        if pattern.startswith(f"{module}.")
    ]
    return Comparison(
        module,
        way,
        len(here) - 1,
        {test: what for test, what in different.items() if not _any_fits(patterns, test)},
        tuple(pattern for pattern in expected if not any(fnmatchcase(test, pattern) for test in different)),
    )


def _any_fits(patterns: Iterable[str], test: str) -> bool:
    return any(fnmatchcase(test, pattern) for pattern in patterns)


def _both(modules: Sequence[str], way: str) -> dict[str, tuple[Outcomes, Outcomes]]:
    with tempfile.TemporaryDirectory(prefix="cpython-tests-") as name, ThreadPoolExecutor(1) as pool:
        python = pool.submit(_run_all, modules, way, _python, Path(name) / "python")
        here = _run_all(modules, way, _cells, Path(name) / "cells")  # the client is of this thread
        there = python.result()
    return {module: (here[module], there[module]) for module in modules}


def _run_all(
    modules: Sequence[str], way: str, run: Callable[[list[str], Path], None], folder: Path
) -> dict[str, Outcomes]:
    """Run all modules in one process; where it ends before they do, in another the rest."""
    left_out = [pattern for entry in load().left_out if entry.applies(way) for pattern in entry.tests]
    pending, outcomes = list(modules), {}
    while pending:
        folder.mkdir(parents=True)
        cells = [
            _CELLS[way].format(
                module=module, report=str(folder / module), left_out=left_out, patience=PATIENCE
            )
            for module in pending
        ]
        run(cells, folder)
        while pending:
            module = pending.pop(0)
            ended, outcomes[module] = _read(folder / module, module)
            if not ended:
                break
        folder = folder.with_name(f"{folder.name}-")
    return outcomes


def _read(report: Path, module: str) -> tuple[bool, Outcomes]:
    """Whether the module came to its end, and what came of each test with its traceback."""
    outcomes: Outcomes = {}
    if not report.exists():
        return False, {module: ("did not begin", "")}
    stacks = report.with_name(f"{report.name}.stacks").read_text()
    for line in report.read_text().splitlines():
        test, event, details = json.loads(line)
        if event == "begun":
            outcomes[test] = ("did not end", stacks)
        elif event != "ended":
            outcomes.setdefault(test, (event, details))
            if outcomes[test][0] == "did not end":
                outcomes[test] = (event, details)
        elif outcomes.get(test, ("did not end",))[0] == "did not end":
            outcomes[test] = ("passed", "")
    return outcomes.get(module, ("did not end",))[0] != "did not end", outcomes


def _cells(cells: list[str], folder: Path) -> None:
    notebook = Notebook(folder, environment(folder))
    try:
        for cell in cells:
            notebook.run(cell, timeout=PATIENCE + 60, stop_on_error=False)
    except KernelProblem:
        pass  # the report tells how far it came
    finally:
        notebook.close()


def _python(cells: list[str], folder: Path) -> None:
    """As the kernel does: one loop for all."""
    program = folder / "cells.py"
    program.write_text(
        "import ast, asyncio, inspect, os\n"
        "def run(cells):\n"
        "    loop = asyncio.new_event_loop()\n"
        "    for cell in cells:\n"
        "        code = compile(cell, '<cell>', 'exec', ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)\n"
        "        if code.co_flags & inspect.CO_COROUTINE:\n"
        "            loop.run_until_complete(eval(code, globals()))\n"
        "        else:\n"
        "            exec(code, globals())\n"
        "if __name__ == '__main__':\n"  # and not in the processes that tests start, which import it
        f"    run({cells!r})\n"
        "    os._exit(0)\n"
    )
    subprocess.run(
        [sys.executable, "-Xfrozen_modules=off", program],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=(PATIENCE + 60) * len(cells),
        check=False,
    )

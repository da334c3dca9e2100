"""Kernels that are not to be ended by anything: of any kernelspec, ours unless `TRUST_SPECS` names others."""

from __future__ import annotations

import os
import random
from collections.abc import Generator, Iterator

import pytest

from tests.kernel.cells import PATIENCE, Cell
from tests.kernel.client import SPEC, Notebook, module_of
from tests.trust.figures import SCALE, SEED, Record, Trial

SPECS = os.environ.get("TRUST_SPECS", SPEC).split(",")

#: What is promised of everything that a notebook can do to its process, and the machine to the kernel.
WANTED = "Whatever happens to the process, the cell has an outcome in words, and the next cells run"

#: Seconds in which a kernel that works answers a small cell, also beside other tests.
SOON = PATIENCE / 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the tests of figures that are not asked for."""
    if wanted := os.environ.get("TRUST_ONLY", "").split():
        items[:] = [item for item in items if (found := _record_of(item)) and found[0].name in wanted]
    if SCALE is not None and SPECS != ["namespace"]:
        items[:] = [item for item in items if "trial" in item.fixturenames or _is_drawn(item)]  # type: ignore[attr-defined]


def _is_drawn(item: pytest.Item) -> bool:
    """Whether this row is among the part that another kernel is tried with: each that it fails takes long."""
    return random.Random(f"{SEED} {item.nodeid}").random() < float(SCALE or 1)


def _record_of(item: pytest.Item) -> tuple[Record, dict[str, int]] | None:
    """The figure that a test gives, still empty, and the marker's numbers."""
    marker = item.get_closest_marker("trust")
    if marker is None:
        return None
    options = dict(marker.kwargs)
    unit = str(options.pop("unit", "tests"))
    name, promise = marker.args
    parameters = getattr(item, "callspec", None)
    spec = parameters.params.get("spec", SPECS[0]) if parameters else SPECS[0]
    return Record(name, promise, item.nodeid, spec, unit), options


@pytest.fixture
def trial(request: pytest.FixtureRequest) -> Iterator[Trial]:
    """Counts the tries of this test; the figure is kept at its end."""
    found = _record_of(request.node)
    assert found is not None, "the test has no `@pytest.mark.trust`"
    made = Trial(found[0], **found[1])
    yield made
    made.finish()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that does not count itself is one try."""
    report = yield
    found = _record_of(item)
    failed = report.outcome == "failed"
    if found and "trial" in getattr(item, "fixturenames", ()):
        if failed and report.when == "call":  # an error, of which it may have noted nothing
            item.funcargs["trial"].violated(report.longreprtext[-2000:])  # type: ignore[attr-defined]
    elif found and (failed or (report.when == "call" and report.outcome == "passed")):
        record = found[0]
        record.tries = 1
        record.violations = [f"{item.name}: {report.longreprtext[-2000:]}"] if failed else []
        record.write()
    return report


class Kernels:
    """Hands out a kernel, the same one as long as it is as good as new."""

    def __init__(self, tmp_path_factory: pytest.TempPathFactory, env: dict[str, str], spec: str) -> None:
        self._make = lambda: Notebook(tmp_path_factory.mktemp("kernel"), env, module_of(spec))
        self._current: Notebook | None = None

    def get(self) -> Notebook:
        if self._current is None or not self._current.alive or self._current.busy:
            self.drop()
            self._current = self._make()
        self._current.run("kept = ['kept']", timeout=SOON)
        return self._current

    def drop(self) -> None:
        if self._current is not None:
            self._current.close()
        self._current = None


@pytest.fixture(scope="module", params=SPECS)
def spec(request: pytest.FixtureRequest) -> str:
    """The kernelspec under test: `namespace` is ours, `python3` ipykernel's."""
    return str(request.param)


@pytest.fixture(scope="module")
def kernels(
    spec: str, tmp_path_factory: pytest.TempPathFactory, kernel_env: dict[str, str]
) -> Iterator[Kernels]:
    held = Kernels(tmp_path_factory, kernel_env, spec)
    yield held
    held.drop()


@pytest.fixture
def kernel(kernels: Kernels) -> Iterator[Notebook]:
    """A kernel that other tests have used, and may use afterwards if this one leaves it alive."""
    yield kernels.get()


@pytest.fixture
def spoilt(kernels: Kernels) -> Iterator[Notebook]:
    """A kernel that no other test gets."""
    kernels.drop()
    yield kernels.get()
    kernels.drop()


def goes_on(notebook: Notebook) -> None:
    """The next cells run, of each kind, the names are whole, and Stop works."""
    cell = notebook.run("print('next'); kept", timeout=SOON)
    assert (cell.status, cell.stdout, cell.result) == ("ok", "next\n", "['kept']"), cell.text
    cell = notebook.run("import asyncio\nawait asyncio.sleep(0.01, kept)", timeout=SOON)
    assert (cell.status, cell.result) == ("ok", "['kept']"), cell.text
    busy = notebook.submit("print('busy', flush=True)\nwhile True: pass")
    busy.wait_for_text("busy", SOON)
    notebook.interrupt("SIGINT")
    busy.wait(SOON)
    assert busy.reply["ename"] == "KeyboardInterrupt", busy.text


def run(notebook: Notebook, code: str) -> Cell:
    """Run a cell that does harm. It has one reply, and busy and idle are a pair."""
    cell = notebook.run(code, timeout=SOON)
    assert cell.states == ["busy", "idle"] and len(cell.replies) == 1
    return cell


def paired(states: list[str]) -> bool:
    """Whether a request was busy, and then idle, once.

    When another request is idle, a cell that still runs is announced again, so that a frontend does not take
    the kernel for idle.
    """
    return states[:1] == ["busy"] and states[-1:] == ["idle"] and states.count("idle") == 1

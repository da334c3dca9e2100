"""Kernels that are not to be ended by anything: of any kernelspec, ours unless `TRUST_SPECS` names others."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import SPEC, Notebook, module_of

SPECS = os.environ.get("TRUST_SPECS", SPEC).split(",")

#: Seconds in which a kernel that works answers a small cell, also beside other tests.
SOON = 20.0


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
def kernels(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, kernel_env: dict[str, str]
) -> Iterator[Kernels]:
    held = Kernels(tmp_path_factory, kernel_env, request.param)
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

"""Syntax trees, asked for by several threads at once."""

from __future__ import annotations

import ast
import gc
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from namespace_kernel.base.syntax import parse, tree_of
from namespace_kernel.routing.analysis import awaits
from tests.unit.fakes import run_in_threads

SOURCE = "x = [1, 2, (3, 4)]\n" * 20 + "def f(a, b):\n    return a + b * (a - b)\n"


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads change places while one of them makes a tree: garbage is collected then, and that runs code."""

    def yield_to_others(*_: object) -> None:
        sum(range(50))

    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-5)
    gc.set_threshold(5, 2, 2)
    gc.callbacks.append(yield_to_others)
    yield
    gc.callbacks.remove(yield_to_others)
    gc.set_threshold(*thresholds)
    sys.setswitchinterval(interval)


def test_threads_parse_at_once(eager_threads: None) -> None:
    wanted = ast.dump(ast.parse(SOURCE))

    def parse_often() -> None:
        for _ in range(150):
            assert isinstance(parse(SOURCE), ast.Module)
        assert ast.dump(parse(SOURCE)) == wanted

    run_in_threads(*[parse_often] * 4)


def test_warnings_are_as_before_when_threads_have_looked_at_code(eager_threads: None) -> None:
    before = list(warnings.filters)

    def look_often() -> None:
        for _ in range(300):
            tree_of("1 + 1")
            tree_of("1 +")

    run_in_threads(*[look_often] * 4)
    assert list(warnings.filters) == before


@pytest.mark.parametrize(
    "source", ["'\\d'", "1 is 1", "0or 1", "assert (1, 'x')", "f'\\d{1}'", "'\\d' +", "x ="]
)
@pytest.mark.parametrize("action", ["default", "always", "error", "once"])
def test_code_that_is_looked_at_warns_of_nothing(
    action: Any, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        monkeypatch.setattr(warnings, "showwarning", lambda *what: shown.append(what))
        filters, inside = warnings.filters, list(warnings.filters)
        monkeypatch.setattr(warnings, "_filters_mutated", lambda: shown.append("mutated"))
        tree_of(source)
        awaits(f"await f()\n{source}")
        assert warnings.filters is filters and filters == inside
        monkeypatch.undo()
    assert not shown


def test_others_are_warned_while_code_is_looked_at(eager_threads: None) -> None:
    def warn(phase: str, info: object) -> None:
        warnings.warn("from elsewhere", stacklevel=1)

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        gc.callbacks.append(warn)
        tree_of(SOURCE)
        gc.callbacks.remove(warn)
    assert any("from elsewhere" in str(one.message) for one in seen)


@pytest.mark.parametrize("source", ["x =", "\0", "'\udc80'", "(" * 2000, "-" * 100_000 + "1"])
def test_what_is_no_code_has_an_empty_tree(source: str) -> None:
    assert tree_of(source).body == []

"""Syntax trees, asked for by several threads at once."""

from __future__ import annotations

import ast
import gc
import sys
import warnings
from collections.abc import Iterator

import pytest

from namespace_kernel.syntax import no_warnings, parse, tree_of

from .fakes import run_in_threads

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
            with no_warnings():
                parse("1 + 1")

    run_in_threads(*[look_often] * 4)
    assert list(warnings.filters) == before


@pytest.mark.parametrize("source", ["x =", "\0", "'\udc80'", "(" * 2000, "-" * 100_000 + "1"])
def test_what_is_no_code_has_an_empty_tree(source: str) -> None:
    assert tree_of(source).body == []

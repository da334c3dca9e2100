"""Source has the colours that stack_data gives it, by a lexer that is made once."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import stack_data.core
import stack_data.utils
from pygments.formatters.terminal256 import Terminal256Formatter  # type: ignore[import-untyped]
from pygments.lexer import RegexLexerMeta  # type: ignore[import-untyped]

from namespace_kernel.ipython.tracebacks import source_colours

FORMATTER = Terminal256Formatter(style=stack_data.style_with_executing_node("monokai", "bg:ansiyellow"))
SOURCES = [
    "x = 1",
    "\n\n  def f(a, *, b='text'):\n    '''doc\n    string'''\n    return f'{a + b!r}' # why\n\n",
    "async def g():\n\tawait h(lambda: [i for i in range(3)])\n",
    "print 'old'; ? ` $ unbalanced ((",
    "ä = 'ünï' + \"😀\"\r\ny = 2",
    "",
    inspect.getsource(inspect.getmodule),
]


@pytest.fixture
def coloured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Our function in the place of stack_data's, which `utils` still has."""
    source_colours.COLOURS.undo()
    source_colours.keep_lexer()
    yield stack_data.core._pygmented_with_ranges  # type: ignore[attr-defined]
    source_colours.COLOURS.undo()
    assert stack_data.core._pygmented_with_ranges is stack_data.utils._pygmented_with_ranges  # type: ignore[attr-defined]


@pytest.mark.parametrize("ranges", [[], [(0, 3)], [(2, 9)], [(0, 10_000)], [(1, 2), (5, 30)], [(7, 7)]])
def test_the_colours_are_the_same(ranges: list[tuple[int, int]], coloured: Any) -> None:
    theirs = stack_data.utils._pygmented_with_ranges
    assert coloured is not theirs
    for source in SOURCES:
        assert coloured(FORMATTER, source, ranges) == theirs(FORMATTER, source, ranges)  # type: ignore[no-untyped-call]
    assert coloured(FORMATTER, SOURCES[1], [(0, 9)]) != coloured(FORMATTER, SOURCES[1], [])


def test_without_colours_rather_than_not_at_all(coloured: Any) -> None:
    class Failing:
        def format(self, *args: Any) -> None:
            raise ValueError

    assert coloured(Failing(), "a\nb", []) == ["a", "b"]


def test_the_lexer_is_prepared_once(coloured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    coloured(FORMATTER, "x", [])
    prepared = []
    original = RegexLexerMeta.process_tokendef

    def prepare(cls: Any, *args: Any) -> Any:
        prepared.append(cls)
        return original(cls, *args)

    monkeypatch.setattr(RegexLexerMeta, "process_tokendef", prepare)
    coloured(FORMATTER, "y = 1", [(0, 1)])
    assert prepared == []
    stack_data.utils._pygmented_with_ranges(FORMATTER, "y = 1", [(0, 1)])  # type: ignore[no-untyped-call]
    assert prepared

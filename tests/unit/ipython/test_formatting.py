"""The quick display formatter says what IPython's says."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.formatters import BaseFormatter, DisplayFormatter, FormatterWarning
from traitlets import Unicode

from namespace_kernel.ipython.formatting import QuickDisplayFormatter


class Html(int):
    """A number that has more to say than its type."""

    def _repr_html_(self) -> str:
        return "<b>5</b>"


OBJECTS = [0, True, 1.5, 1j, "text", b"bytes", [1, [2]], (1,), {"a": {1}}, {3}, frozenset(), None, Html(5)]


@pytest.fixture
def formatter() -> QuickDisplayFormatter:
    return QuickDisplayFormatter()


@pytest.mark.parametrize("value", OBJECTS)
@pytest.mark.parametrize("options", [{}, {"include": ["text/html"]}, {"exclude": ["text/plain"]}])
def test_an_object_is_formatted_as_by_ipython(value: Any, options: Any, formatter: Any) -> None:
    assert formatter.format(value, **options) == DisplayFormatter().format(value, **options)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("kind", [int, object, "builtins.int"])
def test_a_function_that_is_registered_for_a_type_is_used(kind: Any, formatter: Any) -> None:
    formatter.formatters["text/html"].for_type(kind, lambda value: f"<i>{value}</i>")
    assert formatter.format(3)[0] == {"text/plain": "3", "text/html": "<i>3</i>"}


def test_a_formatter_for_one_object_is_used(formatter: Any) -> None:
    value = [1]
    formatter.formatters["text/html"].singleton_printers[id(value)] = lambda value: "this one"
    assert formatter.format(value)[0]["text/html"] == "this one"
    assert formatter.format([1])[0] == {"text/plain": "[1]"}


def test_an_object_that_displays_itself_is_left_to_that(formatter: Any) -> None:
    shown: list[int] = []
    formatter.ipython_display_formatter.for_type(int, shown.append)
    assert formatter.format(7) == ({}, {})
    assert shown == [7]


def test_the_user_s_own_formatter_is_asked(formatter: Any) -> None:
    class Own(BaseFormatter):
        format_type = Unicode("x/own")

        def __call__(self, obj: object) -> str:
            return f"own {obj}"

    formatter.register_formatter(Own())
    assert formatter.format(3)[0] == {"text/plain": "3", "x/own": "own 3"}


def test_a_wrong_answer_of_the_text_formatter_is_warned_of(formatter: Any) -> None:
    formatter.formatters["text/plain"].for_type(int, lambda value, printer, cycle: printer.text("five"))
    assert formatter.format(5)[0] == {"text/plain": "five"}
    formatter.formatters["text/html"].for_type(int, lambda value: 5)
    with pytest.warns(FormatterWarning):
        assert formatter.format(5)[0] == {"text/plain": "five"}

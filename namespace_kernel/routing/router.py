"""`Router`: turns a cell into a route. The first rule that applies wins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from namespace_kernel.base.cell import Cell, Context, Route
from namespace_kernel.base.errors import CellTextError

from .analysis import awaits, runs_loop, uses_running_loop
from .directives import take_directive


class Router:
    """Decides where a cell runs.

    `transform` turns the user's text into Python (IPython's input transformers: user code, which is
    why routing happens on the thread that runs cells). `lookup` gives a global's value or `None`.
    `may_await` tells whether top-level await is switched on (`%autoawait`), `plain_on_loop` whether plain
    cells of the foreground are to have the loop running around them.

    Thread: the one that runs the cell.
    """

    def __init__(
        self,
        transform: Callable[[str], str] = str,
        lookup: Callable[[str], Any] = lambda name: None,
        may_await: Callable[[], bool] = lambda: True,
        plain_on_loop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._transform = transform
        self._lookup = lookup
        self._may_await = may_await
        self._plain_on_loop = plain_on_loop

    def route(self, cell: Cell) -> Route:
        """Return where `cell` goes; never raises, an error in it is the route's."""
        try:
            _check_text(cell.code)
            asked = take_directive(cell.code, cell.tags)
            source = self._transform(asked.code)
        except BaseException as error:  # a transformer is the user's code
            return Route(Context.MAIN, "it cannot be prepared", cell.code, error)
        if asked.context is not None:
            return Route(asked.context, "its directive or tag says so", source, options=asked.options)
        if not self._may_await():
            return Route(Context.MAIN, "top-level await is switched off", source)
        if awaits(source):
            return Route(Context.ASYNC, "it awaits", source)
        if uses_running_loop(source, self._lookup):
            return Route(Context.ASYNC, "it uses the running loop", source)
        beside = cell.background or cell.lane_id is not None  # it would hold up the loop
        if self._plain_on_loop() and not beside and not runs_loop(source, self._lookup):
            return Route(Context.ASYNC, "plain cells have the loop running around them", source)
        return Route(Context.MAIN, "it does not need the loop", source)


def _check_text(code: str) -> None:
    try:
        code.encode()
    except UnicodeEncodeError as problem:
        raise CellTextError(problem) from None

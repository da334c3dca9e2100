"""pyplot's figures belong to the cell, or the widget's callback, that makes them.

pyplot keeps the figures of a process in one dict, of which the last is the current one, and at a cell's end
a hook of the backend shows and closes all. Of two cells that overlap, the one that ends first would take the
other's half figure, and each would draw into what the other has just begun.

So each sees its own figures, and those that nobody is at work on, by replacing two things when pyplot and its
backends register their hooks, and nothing where matplotlib is not used:

- `Gcf.figs`, the dict, by `CellFigures`. All of pyplot, and whatever else asks for figures, goes through it.
- The notes of the backends `inline` and `ipympl` on what the next hook shows, by `Pending`: the function
  `show` of the first, whose attributes they are, and the class `_Backend_ipympl` of the second.
"""

from __future__ import annotations

import functools
import weakref
from collections import OrderedDict
from collections.abc import Callable, Container, Hashable, ItemsView, Iterator, MutableMapping, ValuesView
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from namespace_kernel.base.execution import Execution, current_execution
from namespace_kernel.base.patching import Patch
from namespace_kernel.base.threads import RLock
from namespace_kernel.base.weak_references import WeakKeys

if TYPE_CHECKING:

    class Manager(Protocol):
        """What pyplot keeps of a figure: matplotlib's `FigureManagerBase`."""

        num: Number


#: What pyplot calls a figure by, an int as a rule.
Number: TypeAlias = Hashable

_MODULES = frozenset(("matplotlib.pyplot", "matplotlib_inline.backend_inline", "ipympl.backend_nbagg"))


def is_figures_hook(function: object) -> bool:
    """Whether `function`, a hook, is matplotlib's own, which shows or draws figures."""
    return type(function) is FunctionType and function.__module__ in _MODULES


def figure_patches(at_work: Container[Execution]) -> tuple[Patch, ...]:
    """What each cell has of its own, of what is imported by now.

    `at_work` are the cells and callbacks that run.

    Thread: the one on which matplotlib is imported.
    """

    def figures(original: object) -> object:
        return CellFigures(original, at_work) if type(original) is OrderedDict else original

    def notes(noted: str, original: object) -> object:
        if type(original) is Pending or not (hasattr(original, noted) and hasattr(original, "_draw_called")):
            return original
        return Pending(original, list(getattr(original, noted)), at_work)

    return (
        Patch("matplotlib._pylab_helpers.Gcf", "figs", figures),
        Patch("matplotlib_inline.backend_inline", "show", functools.partial(notes, "_to_draw")),
        Patch("ipympl.backend_nbagg", "_Backend_ipympl", functools.partial(notes, "_to_show")),
    )


def _leaves_something(execution: Execution) -> bool:
    """Whether something that it started is still at work."""
    return (
        any(not task.done() for task in execution.tasks)
        or any(thread.is_alive() for thread in execution.threads)
        or any(not job.done() for job in execution.jobs)
    )


def _nobody() -> None:
    """Stands for the maker of figures that no cell made."""


@dataclass(slots=True, eq=False)
class _Figure:
    """One of pyplot's figures. A `late` one was made by a task or thread of a cell that had ended."""

    number: Number
    manager: Any  # a `Manager`, and nothing once the figure is gone
    maker: Callable[[], Execution | None]
    late: bool


class CellFigures(MutableMapping[Number, "Manager"]):
    """Implements what `Gcf.figs` is: pyplot's figures by number, the current one at the end.

    Guarantees:
    - A cell or callback sees no figure that another one made, while that runs; later, everybody does.
    - What a task or thread makes after its cell has ended is its own while any of the cell's runs.
    - The current figure is the one that the asking cell made current, whatever others do meanwhile.
    - An older figure that a running cell has made the current one is its own, but is found by its number.

    Limitation: of two figures with one number, of cells that overlapped, one gets another when both are seen.

    Thread: any.
    """

    def __init__(self, figures: OrderedDict[Number, Manager], at_work: Container[Execution]) -> None:
        self._figures = [_Figure(number, manager, _nobody, False) for number, manager in figures.items()]
        self._current: WeakKeys[Execution, _Figure] = WeakKeys()
        self._at_work = at_work
        self._lock = RLock()

    def _is_seen(self, figure: _Figure, asking: Execution | None) -> bool:
        maker = figure.maker()
        if maker is None or maker is asking:
            return True
        return not (_leaves_something(maker) if figure.late else maker in self._at_work)

    def _in_use(self, asking: Execution | None) -> list[_Figure]:
        """The figures that are the current ones of other cells, which run, and not of the asking one."""
        own = None if asking is None else self._current.get(asking)
        return [one for cell, one in self._current.items() if one is not own and cell in self._at_work]

    def _seen(self, in_use: bool = False) -> OrderedDict[Number, _Figure]:
        """The asking cell's figures, of those `in_use` by others only if asked for."""
        asking = current_execution.get()
        with self._lock:
            seen: OrderedDict[Number, _Figure] = OrderedDict()
            others = [] if in_use else self._in_use(asking)
            for one in [one for one in self._figures if self._is_seen(one, asking) and one not in others]:
                other = seen.get(one.number)
                if other is not None:
                    self._renumber(one if asking is None or one.maker() is not asking else other)
                    seen = OrderedDict((each.number, each) for each in seen.values())
                seen[one.number] = one
            current = self._current.get(asking) if asking is not None else None
            if current is not None and current in seen.values():
                seen.move_to_end(current.number)
            return seen

    def _renumber(self, figure: _Figure) -> None:
        """Give a figure a number that none has; who is asking made another of its number."""
        taken = [one.number for one in self._figures if isinstance(one.number, int)]
        figure.number = figure.manager.num = max(taken, default=0) + 1

    def __getitem__(self, number: Number) -> Any:
        return self._seen(in_use=True)[number].manager

    def __setitem__(self, number: Number, manager: Manager) -> None:
        asking = current_execution.get()
        with self._lock:
            figure = self._seen(in_use=True).get(number)
            if figure is None:
                maker = _nobody if asking is None else weakref.ref(asking)
                figure = _Figure(number, manager, maker, asking is not None and asking not in self._at_work)
                self._figures.append(figure)
            figure.manager = manager
            if asking is not None:
                self._current[asking] = figure

    def __delitem__(self, number: Number) -> None:
        with self._lock:
            figure = self._seen(in_use=True)[number]
            self._figures.remove(figure)
            figure.manager = None  # for whom it was the current one

    def __iter__(self) -> Iterator[Number]:
        yield from self._seen()

    def __len__(self) -> int:
        return len(self._seen())

    def __reversed__(self) -> Iterator[Number]:
        yield from reversed(self._seen())

    def values(self) -> ValuesView[Manager]:
        """The managers. Overridden because a dict's values can be reversed."""
        return OrderedDict((number, one.manager) for number, one in self._seen().items()).values()

    def items(self) -> ItemsView[Number, Manager]:
        """Numbers and managers. Overridden like `values`."""
        return OrderedDict((number, one.manager) for number, one in self._seen().items()).items()

    def move_to_end(self, number: Number, last: bool = True) -> None:
        """Make a figure the last one, or the first."""
        with self._lock:
            figure = self._seen(in_use=True)[number]
            others = [one for one in self._figures if one is not figure]
            self._figures = [*others, figure] if last else [figure, *others]


@dataclass(slots=True, eq=False)
class _Note:
    """What the next hook shows: nothing unless something was `drawn`."""

    drawn: bool
    figures: list[object]


class Pending:
    """Stands for `original`, on which a backend notes what its hook shows; each cell has its own notes.

    Who asks takes over the notes of those who have ended.

    Thread: any.
    """

    def __init__(self, original: Any, figures: list[object], at_work: Container[Execution]) -> None:
        functools.update_wrapper(self, original, updated=())
        self._original = original
        self._at_work = at_work
        self._lock = RLock()
        self._notes: dict[Execution | None, _Note] = {None: _Note(bool(original._draw_called), figures)}

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self._original(*args, **kwargs)

    def __getattr__(self, name: str) -> object:
        return getattr(self._original, name)

    def _own(self) -> _Note:
        asking = current_execution.get()
        with self._lock:
            own = self._notes.setdefault(asking, _Note(False, []))
            for one in list(self._notes):
                if one is not asking and not self._is_kept(one):
                    note = self._notes.pop(one)
                    own.drawn |= note.drawn
                    own.figures[:0] = note.figures
            return own

    def _is_kept(self, execution: Execution | None) -> bool:
        return execution is not None and (execution in self._at_work or _leaves_something(execution))

    @property
    def _draw_called(self) -> bool:
        return self._own().drawn

    @_draw_called.setter
    def _draw_called(self, drawn: bool) -> None:
        self._own().drawn = drawn

    @property
    def _to_draw(self) -> list[object]:
        return self._own().figures

    @_to_draw.setter
    def _to_draw(self, figures: list[object]) -> None:
        self._own().figures = figures

    _to_show = _to_draw

"""The values that the journal takes and gives: cells, names, states, and what came back of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CellRecord:
    """A cell that has ended.

    `source` is what the user wrote, `python` the code that ran, if that is something else. `written` and
    `deleted` are names. `made` are the ids of the values that it has bound itself, by name: of all that it
    has written if `None`. `reads` are the names that it may have changed in place; found from the code if
    `None`. `lives` says whether a task or a thread that it started still runs. `duration` is in seconds.
    `undoes` if it has called `undo`, and so is no step of its own.
    """

    number: int
    source: str
    written: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    duration: float = 0.0
    reads: frozenset[str] | None = None
    python: str = ""
    lives: Callable[[], bool] | None = None
    made: Mapping[str, int] | None = None
    undoes: bool = False


@dataclass(frozen=True, slots=True)
class Maker:
    """The cell that made a name: `serial` orders all cells of a journal, `number` is the kernel's.

    `serial` is 0 if no cell did. `reads` are the names that its code reads.
    """

    serial: int = 0
    number: int = 0
    source: str = ""
    reads: frozenset[str] = frozenset()
    ended: float = 0.0

    @property
    def name(self) -> str:
        """What people call the cell; "" if there is none."""
        return f"In [{self.number}]" if self.serial else ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A name whose value is on disk: the class's name, and bytes. Names of one piece share objects.

    `without` says what the value comes back without.
    """

    name: str
    type: str
    size: int
    maker: Maker
    piece: str
    without: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """A name whose value is not there, why, and the cell that makes it again."""

    name: str
    type: str
    reason: str
    maker: Maker


@dataclass(frozen=True, slots=True)
class State:
    """What there was after a cell, whole. `names` counts them, `parent` is the state before it."""

    serial: int
    number: int
    when: float
    source: str
    names: int = 0
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """What is back, and what is not. `gone` are names that the state does not have and that were deleted.

    `remarks` were told before anything was loaded: of other versions of Python and of packages. `recipe` are
    the cells that make what is lost, in order. `whole` if all is as it was in that state.
    """

    state: State
    back: tuple[Kept, ...] = ()
    lost: tuple[Lost, ...] = ()
    gone: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = ()
    recipe: tuple[Maker, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """What the journal keeps now. `waiting` are names that are not on disk yet; `problem` says why not.

    `size` is that of all on disk, in bytes.
    """

    path: str
    kept: tuple[Kept, ...]
    lost: tuple[Lost, ...]
    states: int
    size: int
    waiting: frozenset[str] = frozenset()
    problem: str = ""

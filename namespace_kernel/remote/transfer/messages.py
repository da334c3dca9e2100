"""What is said between the kernel and a cell that runs elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from .packing import Piece

if TYPE_CHECKING:
    from namespace_kernel.base.cell import Names

#: By MIME type, what a frontend may show.
Content: TypeAlias = dict[str, Any]
#: One of `warnings`: the category by module and name, for it may not exist on the other side.
Filter: TypeAlias = tuple[str, object, tuple[str, str], object, int]
#: The name under which the value of the cell's last expression travels.
VALUE = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where on this machine a process stands. For processes of the same machine."""

    directory: str
    path: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CellRequest:
    """One cell to run elsewhere.

    `source` is Python, `filename` and `number` what tracebacks call it, `flags` the compiler's (from
    `__future__` imports). `in_loop` says that it is to run in a running event loop. `files` are the cells
    whose code travels: number and text by file name. `modules` are imported first. `left_out` says of names
    why they are not there. `settings` are traits of the shell, `filters` those of `warnings`. `result_limit`
    is in bytes, 0 for none. `place` is how messages call the place where it runs. `options` are those of the
    cell's directive, for the engine.
    """

    source: str
    filename: str
    number: int
    flags: int = 0
    in_loop: bool = False
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    filters: tuple[Filter, ...] | None = None
    surroundings: Surroundings | None = None
    result_limit: int = 0
    place: str = "another process"
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Printed:
    """Text that was written to `stream`, "stdout" or "stderr"."""

    stream: str
    text: str


@dataclass(frozen=True, slots=True)
class Displayed:
    """What was displayed; a result of the cell's own expressions if `is_result`."""

    data: Content
    metadata: Content
    transient: Content | None = None
    update: bool = False
    is_result: bool = False


@dataclass(frozen=True, slots=True)
class Cleared:
    """`clear_output(wait)`."""

    wait: bool


#: What a running cell says before its report.
Event = Printed | Displayed | Cleared


@dataclass(frozen=True, slots=True)
class Failure:
    """An error in the cell: class name, text, the lines of its traceback, and the exception itself, pickled.

    `error` is `None` if it cannot be pickled. `exit_code` is set for `SystemExit`.
    """

    name: str
    text: str
    lines: tuple[str, ...]
    error: Piece | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How the cell ended. With a `failure` there is nothing to merge.

    `results` hold the names that it added, rebound or changed in place, and its value under `VALUE`.
    `overwritten` are names of the kernel's that it wrote. `stayed` says why what a `with` or `for` has bound
    does not come back. `spoilt` are digests of pieces that it changed in place. `kept` holds what
    stands here for results that stay where they are, `kept_size` bytes.
    """

    results: Piece | None = None
    deleted: frozenset[str] = frozenset()
    overwritten: frozenset[str] = frozenset()
    stayed: Mapping[str, str] = field(default_factory=dict)
    exit_code: int | None = None
    failure: Failure | None = None
    spoilt: tuple[str, ...] = ()
    kept: Names = field(default_factory=dict)
    kept_size: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """Run a cell. `digests` are those of all its pieces, in order; `pieces` those that are not there yet.

    `dropped` are digests of pieces that will not be needed again. `room` says how many regions may come back.
    """

    request: CellRequest
    digests: tuple[str, ...]
    pieces: tuple[Piece, ...] = ()
    dropped: tuple[str, ...] = ()
    room: int = 0


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Stop the running cell, if one runs."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The process is gone: `why`, in words. Said by the reader of the pipe."""

    why: str

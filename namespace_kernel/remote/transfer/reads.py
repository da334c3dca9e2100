"""Which of the namespace's names a piece of code reads, from its code object."""

from __future__ import annotations

import dis
import re
from collections.abc import Iterator
from types import CodeType

from namespace_kernel.base.syntax import nested

_LOADS = frozenset(("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS", "DELETE_NAME", "DELETE_GLOBAL"))
_ENDS = frozenset(("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE"))

#: What reads names that stand in text: then every word in the code's strings may be one.
_TEXT_READERS = frozenset(
    (
        "eval",
        "exec",
        "compile",
        "globals",
        "locals",
        "vars",
        "getoutput",
        "query",
        "run_cell",
        "run_cell_magic",
        "run_line_magic",
        "system",
        "timeit",
    )
)
_WORD = re.compile(r"[^\W\d]\w*")


def names_read(code: CodeType) -> frozenset[str]:
    """The globals that `code`, or code that it defines, may read or delete.

    Left out are names that it certainly binds first (`import numpy as np`, `x = 5` before any branch). If it
    calls something that reads names from text (`eval`, a magic, `DataFrame.query`), all words in its strings
    count, too.
    """
    bound: set[str] = set()
    read: set[str] = set()
    for step, certain in _steps(code):
        if step.opname in _LOADS:
            if step.argval not in bound:
                read.add(step.argval)
        elif step.opname == "STORE_NAME" and certain:
            bound.add(step.argval)
        elif isinstance(step.argval, CodeType):
            read |= _read_inside(step.argval) - bound
    if any(not _TEXT_READERS.isdisjoint(one.co_names) for one in nested(code)):
        read |= {word for one in nested(code) for word in _words(one.co_consts)}
    return frozenset(read)


def _read_inside(code: CodeType) -> set[str]:
    """The globals that functions and classes read, whenever they run."""
    steps = (step for one in nested(code) for step in dis.get_instructions(one))
    return {step.argval for step in steps if step.opname in _LOADS}


def _steps(code: CodeType) -> Iterator[tuple[dis.Instruction, bool]]:
    """The instructions, and whether each is certainly executed before those that follow it.

    It is not in a branch, a loop, a `try` or a `with`, whose later lines may run without it.
    """
    guarded: list[tuple[int, int]] = [
        (entry.start, entry.end)
        for entry in dis._parse_exception_table(code)  # type: ignore[attr-defined]
    ]
    branch_ends = 0
    ended = False
    for step in dis.get_instructions(code):
        certain = not ended and step.offset >= branch_ends
        yield step, certain and not any(start <= step.offset < end for start, end in guarded)
        if step.opcode in dis.hasjrel or step.opcode in dis.hasjabs:
            branch_ends = max(branch_ends, step.argval)
        ended = ended or step.opname in _ENDS


def _words(constant: object) -> Iterator[str]:
    if isinstance(constant, str):
        yield from _WORD.findall(constant)
    elif isinstance(constant, tuple | frozenset):
        for item in constant:
            yield from _words(item)

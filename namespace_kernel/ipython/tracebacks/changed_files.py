"""Files that were changed after their code was made: a traceback then shows lines that the code never had.

A file's present text is compiled, and compared with the code that ran. So nothing is said of a change
elsewhere in the file, nor after a reload, however that was done. Files that are older than the process
are not looked at.
"""

from __future__ import annotations
import __future__

import os
import time
from collections.abc import Iterator
from functools import lru_cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from traceback import walk_tb
from types import CodeType, FrameType

_BEGAN = time.time()
#: Whoever compiles may add these (`from __future__ import …`).
_FUTURE = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names})


def words_on_changed_files(error: BaseException) -> list[str]:
    """A line for each file whose lines in the traceback of `error` may be wrong."""
    files = dict.fromkeys(
        frame.f_code.co_filename
        for one in _chain(error)
        for frame, _ in walk_tb(one.__traceback__)
        if _is_changed(frame)
    )
    return [
        f"{file} was changed after it was imported: its lines above may not be those that ran; reload it"
        for file in files
    ]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and what it came from, as far as a traceback tells it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _is_changed(frame: FrameType) -> bool:
    code = frame.f_code
    loader = frame.f_globals.get("__loader__")
    if loader is not None and type(loader) is not SourceFileLoader:
        return False  # others may compile what is not in the file
    try:
        found = os.stat(code.co_filename)
    except (OSError, ValueError):
        return False  # a cell's, or none
    if max(found.st_mtime, found.st_ctime) < _BEGAN:
        return False
    codes = _codes_of(code.co_filename, code.co_flags & _FUTURE, found.st_mtime_ns, found.st_size)
    return codes is not None and code not in codes.get(code.co_name, ())


@lru_cache(maxsize=20)
def _codes_of(file: str, flags: int, mtime: int, size: int) -> dict[str, list[CodeType]] | None:
    """All code of a file by its name; nothing if it does not compile, `None` if it cannot be read."""
    try:
        text = Path(file).read_bytes()
    except OSError:
        return None
    codes: dict[str, list[CodeType]] = {}
    try:
        waiting = [compile(text, file, "exec", flags, dont_inherit=True)]
    except (SyntaxError, ValueError):
        return codes
    while waiting:
        code = waiting.pop()
        codes.setdefault(code.co_name, []).append(code)
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return codes

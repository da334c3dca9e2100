"""Places in code, in words: lines of cells, of the user's modules, and of nobody's interest."""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from types import FrameType
from typing import Any

from namespace_kernel.base.execution import current_execution
from namespace_kernel.base.frames import OWN_FOLDER
from namespace_kernel.base.lines import Leak, Place


@cache
def _installed() -> tuple[str, ...]:
    """Where Python and packages are. Not by `sysconfig`, which a `sys.path` that is none spoils for good."""
    import site

    library = os.path.dirname(os.__file__)
    return (str(OWN_FOLDER), library, *site.getsitepackages(), site.getusersitepackages())


@lru_cache(maxsize=10_000)
def is_installed(filename: str) -> bool:
    """Whether a file is Python's, an installed package's, or none at all."""
    if filename.startswith("<") or filename.startswith(_installed()):
        return True
    # Compiled extensions name their sources as they lay where the package was built.
    return not Path(filename).is_absolute() and not Path(filename).exists()


class PlaceNames:
    """Mixed into the shell."""

    compile: Any

    def is_cell_file(self, filename: str) -> bool:
        """Whether code with this file name comes from a cell."""
        return filename in self.compile._filename_map

    def cell_files(self) -> Iterable[str]:
        """The file names of all cells, in their order."""
        files: dict[str, int] = self.compile._filename_map
        return files

    def is_users_file(self, filename: str) -> bool:
        """Whether code with this file name is the user's: a cell's, or a module's that is not installed."""
        return self.is_cell_file(filename) or not is_installed(filename)

    def place_of(self, place: Place | Leak) -> str:
        """How a line is called, seen from the cell that the calling context belongs to."""
        number, execution = self.compile._filename_map.get(place.filename), current_execution.get()
        if number is None and not place.filename.startswith("<"):
            return f"line {place.line} of {place.filename}"
        here = number is None or execution is None or number == execution.cell.number
        return f"line {place.line}" + ("" if here else f" of In [{number}]")

    def describe_frame(self, frame: FrameType) -> str:
        """The innermost line of a cell that `frame` is in, or its own line."""
        inner: FrameType | None = frame
        while inner is not None and not self.is_cell_file(inner.f_code.co_filename):
            inner = inner.f_back
        return self.describe_line(inner or frame)

    def describe_line(self, frame: FrameType) -> str:
        """The line that `frame` is at."""
        filename = frame.f_code.co_filename
        line = frame.f_lineno or frame.f_code.co_firstlineno  # code that the compiler adds has no line
        where = f"In [{self.compile._filename_map[filename]}]" if self.is_cell_file(filename) else filename
        return f"at line {line} of {where}: {linecache.getline(filename, line).strip()}"


def blank_at_top(code: str) -> int:
    """The number of blank lines before the first line of code."""
    return code[: len(code) - len(code.lstrip())].count("\n")

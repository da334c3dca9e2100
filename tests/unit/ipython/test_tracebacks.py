"""A traceback's text is IPython's own, also where many frames are alike."""

from __future__ import annotations

import functools
import linecache
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from IPython.core.ultratb import AutoFormattedTB

from namespace_kernel.ipython.tracebacks.traceback_formatter import LettingGoTB

#: Each defines `fail`. `FILE` has `apply`, `Walker` and `walk`; it is there, while a cell's file is not.
FILE = """\
def apply(function, *args):
    return function(*args)

def count(n):
    if n == 0:
        raise KeyError("at the bottom")
    return count(n - 1)

class Walker:
    def walk(self, n):
        '''A docstring.

        Of several lines.'''
        try:
            return self.visit(n)
        finally:
            self.n = n

def hidden(function, *args):
    __tracebackhide__ = True
    return function(*args)
"""
CELLS = {
    "short": "def fail(): 1 / 0",
    "plain recursion": "def fail(n=0):\n    # a comment\n    return fail(n + 1)",
    "two functions": "def fail(n=0): return other(n)\ndef other(n):\n\n    return fail(n + 1)",
    "three functions": "def fail(n=0): return b(n)\ndef b(n): return c(n)\ndef c(n): return fail(n + 1)",
    "different lines": (
        "def fail(n=0):\n    if n % 3:\n        return fail(n + 1)\n    elif n % 2:\n        fail(n + 1)\n"
        "    return fail(n + 1)"
    ),
    "another error at the bottom": (
        "def down(n):\n    if n == 0:\n        raise ValueError('deep')\n    return down(n - 1)\n"
        "def fail(): down(80)"
    ),
    "a method": (
        "class A:\n    def f(self, *args, **more): return self.f(*args, **more)\ndef fail(): A().f(1, a=2)"
    ),
    "a generator": "def g(n):\n    yield from g(n + 1)\ndef fail(): list(g(0))",
    "an argument that is gone": (
        "def fail(n=0, *, m=1):\n    if n % 2: del m\n    if n > 60: raise IndexError(n)\n"
        "    return fail(n + 1)"
    ),
    "a lambda": "fail = f = lambda n=0: f(n + 1)",
    "a comprehension": "def fail(n=0): return [fail(n + i) for i in range(2)]",
    "through a file": "def fail(n=0): return apply(fail, n + 1)",
    "in a file": "def fail(): return count(80)",
    "in a file, called often": "def fail(n=0): return fail(n + 1) if n < 30 else count(40)",
    "a class of a file": (
        "class W(Walker):\n    def visit(self, n): return self.walk(n + 1)\ndef fail(): W().walk(0)"
    ),
    "frames that are hidden": "def fail(n=0): return hidden(fail, n + 1)",
    "while another is handled": (
        "def fail(n=0):\n    try:\n        return fail(n + 1)\n    except RecursionError:\n"
        "        if n: raise\n        count(40)"
    ),
    "from another": (
        "def down(n): return down(n + 1)\ndef fail():\n    try:\n        down(0)\n"
        "    except RecursionError as error:\n        raise OSError('told') from error"
    ),
    "no source": "exec('def fail(n=0): return fail(n + 1)')",
}
#: Modes and colours.
KINDS = [
    ("Context", "linux"),
    ("Context", "nocolor"),
    ("Verbose", "linux"),
    ("Plain", "linux"),
    ("Minimal", "linux"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("library") / "a_library_file.py"
    path.write_text(FILE)
    module = types.ModuleType("a_library_file")
    exec(compile(FILE, str(path), "exec"), vars(module))
    return vars(module)


def error_of(source: str, library: dict[str, Any], path: Path) -> BaseException:
    """What `fail` raises, in a cell with this source."""
    name = str(path / "kernel_1" / "2.py")
    lines = source.splitlines(keepends=True)
    linecache.cache[name] = (len(source), None, lines, name)
    names = {**library, "__name__": "__main__"}
    limit = sys.getrecursionlimit()
    depth = len(list(frames_outside()))
    try:
        exec(compile(source, name, "exec"), names)
        sys.setrecursionlimit(depth + 100)
        try:
            names["fail"]()
        finally:
            sys.setrecursionlimit(limit)
    except Exception as error:
        return error
    raise AssertionError("it does not fail")


def frames_outside() -> Any:
    frame = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back  # type: ignore[assignment]


def text(formatter: Callable[..., Any], error: BaseException, mode: str, theme: str) -> list[str]:
    made = formatter(mode=mode, theme_name=theme, tb_offset=1)
    first = made.structured_traceback(type(error), error, error.__traceback__, tb_offset=0)
    assert first == made.structured_traceback(type(error), error, error.__traceback__, tb_offset=0)
    return list(first)


@pytest.mark.parametrize(("mode", "theme"), KINDS)
@pytest.mark.parametrize("name", CELLS)
def test_the_text_is_ipython_s(
    name: str, mode: str, theme: str, library: dict[str, Any], tmp_path: Path
) -> None:
    error = error_of(CELLS[name], library, tmp_path)
    assert text(LettingGoTB, error, mode, theme) == text(AutoFormattedTB, error, mode, theme)


def test_each_theme_has_its_own_colours(library: dict[str, Any], tmp_path: Path) -> None:
    error = error_of("def fail(): count(3)", library, tmp_path)
    ours, theirs = (of(mode="Context", theme_name="linux") for of in (LettingGoTB, AutoFormattedTB))
    seen = set()
    for theme in ("linux", "lightbg", "linux", "nocolor", "neutral", "linux"):
        for formatter in (ours, theirs):
            formatter.set_theme_name(theme)
        lines = ours.structured_traceback(type(error), error, error.__traceback__)
        assert lines == theirs.structured_traceback(type(error), error, error.__traceback__)
        seen.add("\n".join(lines))
    assert len(seen) == 4


def test_source_that_has_changed_is_read_again(library: dict[str, Any], tmp_path: Path) -> None:
    error = error_of(CELLS["plain recursion"], library, tmp_path)
    ours = functools.partial(text, LettingGoTB, error, "Context", "nocolor")
    before = ours()
    name = error.__traceback__.tb_next.tb_frame.f_code.co_filename  # type: ignore[union-attr]
    linecache.cache[name] = (
        1,
        None,
        ["def fail(n=0):\n", "    # another\n", "    return fail(n + 1)\n"],
        name,
    )
    after = ours()
    assert before != after == text(AutoFormattedTB, error, "Context", "nocolor")

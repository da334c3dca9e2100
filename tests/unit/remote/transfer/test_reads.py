"""Which names a cell reads, from its code."""

from __future__ import annotations

import ast
import inspect
import sys

import pytest

from namespace_kernel.remote.transfer.reads import names_read
from tests.unit.remote.transfer.travel import code


@pytest.mark.parametrize(
    ("source", "read"),
    [
        ("x + y.z[0]", "x y"),
        ("x = 1\nx + 1", ""),
        ("import numpy as np\nnp.zeros(n)", "n"),
        ("from m import a as b\nb(a)", "a"),
        ("x += 1", "x"),
        ("del x", "x"),
        ("x = x", "x"),
        ("if c:\n    x = 1\nx", "c x"),
        ("if c:\n    x = 1\n    x", "c x"),
        ("for i in items:\n    y = i\ny", "items i y"),
        ("while True:\n    x = 1\n    x\n    break", ""),
        ("try:\n    x = f()\nexcept E:\n    pass\nx", "f E x"),
        ("with a as b:\n    c = b\nc", "a b c"),
        ("def f(p):\n    q = p\n    return q + g", "g"),
        ("def f():\n    global h\n    h = 1\n    return k", "k"),
        ("y = 1\ndef f():\n    return y + z\nf()", "z"),
        ("def f():\n    return y\ny = 1\nf()", "y"),
        ("def f():\n    def g():\n        return [h for _ in k]\n    return g", "h k"),
        (
            "class A(B, metaclass=M):\n    x: T = d\n    def m(self):\n        return super().m() + e",
            "B M T d e super __name__" + (" __annotations__" if sys.version_info < (3, 14) else ""),
        ),
        ("@decorate\ndef f(a=default, *, b: 'N' = other): ...", "decorate default other"),
        ("lambda: a", "a"),
        ("[a for b in c if d]", "a c d"),
        ("f'{a!r:{b}}'", "a b"),
        ("print(x)", "print x"),
        ("match p:\n    case K(q): q", "p K q"),
    ],
)
def test_reads(source: str, read: str) -> None:
    assert names_read(code(source)) == set(read.split())


@pytest.mark.parametrize(
    ("source", "read"),
    [
        ("'a b'", ""),
        ("eval('a + b')", "eval a b"),
        ("frame.query('x > @limit')", "frame x limit"),
        ("get_ipython().run_line_magic('timeit', 'f(a)')", "get_ipython timeit f a"),
        ("def f():\n    return eval('a')", "eval a"),
    ],
)
def test_words_in_strings_count_only_beside_what_reads_them(source: str, read: str) -> None:
    assert names_read(code(source)) == set(read.split())


def test_reads_of_an_awaiting_cell() -> None:
    awaiting = compile(
        "async with a as b:\n    x = await b.get(c)\nprint(x)",
        "<cell>",
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
    )
    assert awaiting.co_flags & inspect.CO_COROUTINE
    assert names_read(awaiting) >= {"a", "b", "c", "print"}

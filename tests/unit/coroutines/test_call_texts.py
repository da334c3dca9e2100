"""Which code made a coroutine, in words that can be typed."""

from __future__ import annotations

import linecache

import pytest

from namespace_kernel.base.lines import Leak
from namespace_kernel.coroutines.call_texts import call_of, returned_by

FILE = "<a cell of these tests>"

#: Code, the function, and what made its coroutine in line 1.
CALLS = {
    "by its name": ("get(1)", "get", "get(1)"),
    "a method": ("api.get(1)", "Api.get", "api.get(1)"),
    "another name": ("fetch(1)", "get", "fetch(1)"),
    "an attribute": ("self.callback(1)", "get", "self.callback(1)"),
    "an item": ("handlers['get'](1)", "get", "handlers['get'](1)"),
    "what a call gave": ("make()(1)", "get", "get()"),
    "inside one of Python's own": ("print(len(fetch(1)))", "get", "fetch(1)"),
    "one of two": ("fetch(1), fetch(2)", "get", "get()"),
    "beside a method's": ("[f(1) for f in handlers.values()]", "get", "f(1)"),
    "by one of Python's own": ("list(each)", "get", "get()"),
    "an object": ("step(1)", "Step.__call__", "step(1)"),
    "an item of an object": ("table[1]", "Table.__getitem__", "table[1]"),
    "an operator": ("one | two", "Step.__or__", "(one | two)"),
    "an operator from the right": ("1 >> two", "Step.__rrshift__", "(1 >> two)"),
    "another operator": ("one + two", "Step.__or__", "Step.__or__()"),
    "a property": ("api.size", "Api.size", "api.size"),
    "a property that is printed": ("print(api.size)", "Api.size", "api.size"),
    "over two lines": ("fetch(1,\n    2)", "get", "fetch(...)"),
}


def leak(code: str, name: str, line: int = 1) -> Leak:
    linecache.cache[FILE] = len(code), None, code.splitlines(keepends=True), FILE
    return Leak(name, FILE, line)


@pytest.mark.parametrize(("code", "name", "text"), CALLS.values(), ids=CALLS)
def test_a_call_is_shown_as_it_is_written(code: str, name: str, text: str) -> None:
    assert call_of(leak(code, name)) == (text, "")


@pytest.mark.parametrize("code", ["map(get, [1])", "pool.submit(get)", "max(values, key=get)"])
def test_whoever_was_given_the_function_is_shown(code: str) -> None:
    assert call_of(leak(code, "get")) == ("get()", code)


@pytest.mark.parametrize("call", ["get(1)", "fetch(1)", "self.handlers['get'](1)"])
def test_the_innermost_function_that_only_returns_it_is_named(call: str) -> None:
    code = f"def outer(fetch):\n    def inner(self):\n        return {call}\n    return inner"
    assert returned_by(leak(code, "get", 3)) == "inner"
    assert returned_by(leak(code.replace("def inner", "async def inner"), "get", 3)) == ""
    assert returned_by(leak(code.replace("return ", ""), "get", 3)) == ""

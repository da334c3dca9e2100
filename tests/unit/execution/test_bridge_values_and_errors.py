"""`execute_in_async` and `execute_in_thread`: what they return, what they raise, and where it shows."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest

import namespace_kernel
from namespace_kernel import Cell, Context, DeferredCoroutine, ExecutionContextBridge, Outcome, Route
from namespace_kernel.base.errors import AwaitInThreadError
from namespace_kernel.base.execution import complete

OURS = str(Path(namespace_kernel.__file__).parent)
WAYS = ["async", "thread", "isolated"]
VALUES = {
    "40 + 2": 42,
    "x = 40\nx + 2": 42,
    "x = 42": None,
    "None": None,
    "": None,
    "# nothing": None,
    "_result = 42": 42,
    "_result = 42\n'the last expression'": 42,
    "for _result in range(43): pass": 42,
    "import math as _result": __import__("math"),
    "def _result(): pass\n_result = _result.__name__": "_result",
    "if True:\n    _result = 42": 42,
    "if False:\n    _result = 1\n42": 42,
    "def f():\n    global _result\n    _result = 42\nf()": 42,
    "def f():\n    _result = 1\nf()\n42": 42,
    "42; x = 1": None,
    "def f(n): return 1 if n == 0 else n * f(n - 1)\nf(5)": 120,
    "a = 3\n[a * b for b in range(3)]": [0, 3, 6],
    "a = 3\n{b: [c for c in range(b) if c < a] for b in range(3)}": {0: [], 1: [0], 2: [0, 1]},
    "def f(): return g()\ndef g(): return 42\nf()": 42,
    "class A:\n    x = 6\n    def f(self): return A.x * 7\nA().f()": 42,
    "fib = lambda n: n if n < 2 else fib(n - 1) + fib(n - 2)\nfib(10)": 55,
    "def f():\n    global made\n    made = 42\nf()\nmade": 42,
    "globals() is locals()": True,
    "def f(x: int): pass\nf.__annotations__['x'] is int": True,
    "__name__": "__main__",
    "'''\n# not a comment'''": "\n# not a comment",
}
BROKEN = {
    "1 +": SyntaxError,
    "return 1": SyntaxError,
    "x = \0": (SyntaxError, ValueError),
    "x = '\ud800'; raise ValueError": (UnicodeEncodeError, ValueError),
    "(" * 2000: (SyntaxError, MemoryError),
    "1 / 0": ZeroDivisionError,
    "def f(): f()\nf()": RecursionError,
    "import sys; sys.exit(3)": SystemExit,
    "raise KeyboardInterrupt": KeyboardInterrupt,
    "raise GeneratorExit": GeneratorExit,
    "import asyncio; raise asyncio.CancelledError": asyncio.CancelledError,
    "class Mine(BaseException): pass\nraise Mine": BaseException,
}


def run(bridge: ExecutionContextBridge, way: str, code: str, name: str = "cell") -> Any:
    if way == "async":
        return asyncio.run(bridge.execute_in_async(code, name))
    return bridge.execute_in_thread(code, name, isolate=way == "isolated")


def outcome_of(bridge: ExecutionContextBridge, code: str, context: Context = Context.CALLER) -> Outcome:
    return complete(bridge.execute(Cell(code, "cell"), Route(context, "a test says so", code)))


def files_of(error: BaseException) -> list[str]:
    return [frame.filename for frame in traceback.extract_tb(error.__traceback__)]


def test_one_is_a_coroutine_function_and_the_other_a_plain_one(bridge: ExecutionContextBridge) -> None:
    assert inspect.iscoroutinefunction(bridge.execute_in_async)
    assert not inspect.iscoroutinefunction(bridge.execute_in_thread)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("code", VALUES)
def test_the_value_is_the_last_expression_or_result(
    bridge: ExecutionContextBridge, code: str, way: str
) -> None:
    assert run(bridge, way, code) == VALUES[code]


@pytest.mark.parametrize("way", WAYS)
def test_a_result_that_an_earlier_execution_bound_is_not_returned_again(
    bridge: ExecutionContextBridge, way: str
) -> None:
    run(bridge, way, "_result = 'earlier'")
    assert run(bridge, way, "42") == 42
    assert run(bridge, way, "def f():\n    _result = 'a local'\nf()\n43") == 43


async def test_awaited_values(bridge: ExecutionContextBridge) -> None:
    await bridge.execute_in_async(
        "import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x", "1"
    )
    assert await bridge.execute_in_async("await f(42)", "2") == 42
    assert await bridge.execute_in_async("x = await f(42)\nx", "3") == 42
    assert await bridge.execute_in_async("_result = await f(42)\n0", "4") == 42
    assert await bridge.execute_in_async("[await f(x) for x in range(3)]", "5") == [0, 1, 2]
    loop = await bridge.execute_in_async("asyncio.get_running_loop()", "6")
    assert loop is asyncio.get_running_loop()


def test_a_value_is_returned_as_it_is_and_never_looked_at(bridge: ExecutionContextBridge) -> None:
    code = "class Hostile:\n    def __eq__(self, o): 1 / 0\n    __bool__ = __repr__ = __eq__\nHostile()"
    value = bridge.execute_in_thread(code, "hostile")
    assert value is bridge.namespace.live["_"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("code", BROKEN, ids=lambda code: ascii(code)[:40])
def test_what_the_code_raises_is_raised_and_kept(bridge: ExecutionContextBridge, code: str, way: str) -> None:
    with pytest.raises(BROKEN[code]) as failure:
        run(bridge, way, code)
    assert bridge.namespace.live["_exception"] is failure.value
    assert run(bridge, way, "1 + 1") == 2
    assert bridge.namespace.live["_exception"] is None


def test_stop_iteration_is_raised_where_python_allows_it(bridge: ExecutionContextBridge) -> None:
    with pytest.raises(StopIteration):
        bridge.execute_in_thread("next(iter([]))", "thread")
    with pytest.raises(RuntimeError, match="StopIteration"):  # no coroutine can raise it (PEP 479)
        asyncio.run(bridge.execute_in_async("next(iter([]))", "async"))
    assert isinstance(bridge.namespace.live["_exception"], StopIteration)


@pytest.mark.parametrize("context", [Context.CALLER, Context.THREAD])
def test_the_traceback_begins_at_the_users_line(bridge: ExecutionContextBridge, context: Context) -> None:
    outcome = outcome_of(bridge, "def f():\n    1 / 0\n\nf()", context)
    assert outcome.error is not None
    frames = traceback.extract_tb(outcome.error.__traceback__)
    assert [(frame.filename, frame.lineno, frame.line) for frame in frames] == [
        ("<cell>", 4, "f()"),
        ("<cell>", 2, "1 / 0"),
    ]


def test_a_caller_sees_nothing_of_ours_inside_the_users_traceback(bridge: ExecutionContextBridge) -> None:
    for way in WAYS:
        with pytest.raises(ZeroDivisionError) as failure:
            run(bridge, way, "x = 1\nlist(map(lambda n: 1 / n, [0]))")
        files = files_of(failure.value)
        first = files.index("<cell>")
        assert files[first:] == ["<cell>", "<cell>"]
        # What stands before is the way the error took to the caller: no engine, no executor.
        ours = {Path(file).name for file in files[:first] if file.startswith(OURS)}
        assert ours <= {"bridge.py", "cell.py"}


def test_a_syntax_error_names_the_cell_and_the_line(bridge: ExecutionContextBridge) -> None:
    with pytest.raises(SyntaxError) as failure:
        bridge.execute_in_thread("x = 1\ny = = 2", "a broken cell")
    assert (failure.value.filename, failure.value.lineno) == ("<a broken cell>", 2)
    assert (failure.value.text or "").strip() == "y = = 2"
    assert "x" not in bridge.namespace.live


@pytest.mark.parametrize("way", WAYS)
def test_failing_code_keeps_what_it_bound_only_in_the_live_dict(
    bridge: ExecutionContextBridge, way: str
) -> None:
    bridge.namespace.update_namespace({"old": 1, "doomed": 1}, "main")
    with pytest.raises(ZeroDivisionError):
        run(bridge, way, "new = 2\nold = 2\ndel doomed\n1 / 0\nnever = 3")
    live = bridge.namespace.live
    if way == "isolated":
        assert (live["old"], live["doomed"], "new" in live) == (1, 1, False)
    else:
        assert (live["old"], "doomed" in live, live["new"]) == (2, False, 2)
    assert "never" not in live


def test_isolated_code_merges_when_it_has_succeeded_and_not_before(bridge: ExecutionContextBridge) -> None:
    live = bridge.namespace.live
    live.update(old=1, doomed=1, look=lambda: (live["old"], "doomed" in live, "new" in live))
    seen = bridge.execute_in_thread("old = 2; new = 3; del doomed\nlook()", "copy", isolate=True)
    assert seen == (1, True, False)
    assert (live["old"], "doomed" in live, live["new"]) == (2, False, 3)


def test_live_code_is_seen_at_once_by_a_thread_that_it_started(bridge: ExecutionContextBridge) -> None:
    code = """\
import threading
done = threading.Event()
def work():
    global answer
    answer = 42
    done.set()
threading.Thread(target=work).start()
done.wait(30)
answer"""
    assert bridge.execute_in_thread(code, "live") == 42


AWAITING = {
    "await sleeping": "import asyncio\nran = 1\nawait asyncio.sleep(0.001)",
    "await a yield": "import asyncio\nran = 1\nawait asyncio.sleep(0)",
    "await what never waits": "async def f(): return 1\nran = 1\nawait f()",
    "async for": "async def g():\n    yield 1\nran = 1\nasync for x in g(): pass",
    "swallowed": "import asyncio\nran = 1\ntry:\n    await asyncio.sleep(0)\nexcept Exception: pass",
}


@pytest.mark.parametrize("isolate", [False, True], ids=["live", "copy"])
@pytest.mark.parametrize("code", AWAITING.values(), ids=AWAITING)
def test_awaiting_code_in_a_thread_is_refused_before_any_of_it_runs(
    bridge: ExecutionContextBridge, code: str, isolate: bool
) -> None:
    with pytest.raises(AwaitInThreadError, match=r"asyncio\.run") as refusal:
        bridge.execute_in_thread(code, "a cell", isolate=isolate)
    assert "a cell" in str(refusal.value)
    assert bridge.namespace.live["_exception"] is refusal.value
    assert "ran" not in bridge.namespace.live
    assert bridge.execute_in_thread("1 + 1", "next") == 2


async def test_awaiting_code_in_a_thread_whose_loop_runs_is_refused_too(
    bridge: ExecutionContextBridge,
) -> None:
    before = asyncio.all_tasks()
    with pytest.raises(AwaitInThreadError):
        bridge.execute_in_thread("import asyncio\nawait asyncio.sleep(0.001)", "a cell")
    assert asyncio.all_tasks() == before


def test_a_thread_may_run_a_loop_of_its_own(bridge: ExecutionContextBridge) -> None:
    code = "import asyncio\nasync def f(): return 42\nasyncio.run(f())"
    assert bridge.execute_in_thread(code, "here") == 42
    values: list[Any] = []
    thread = threading.Thread(target=lambda: values.append(bridge.execute_in_thread(code, "there")))
    thread.start()
    thread.join()
    assert values == [42]


def test_it_runs_in_the_calling_thread(bridge: ExecutionContextBridge) -> None:
    here = "import threading; threading.get_ident()"
    assert bridge.execute_in_thread(here, "main") == threading.get_ident()
    idents: list[tuple[int, int]] = []
    thread = threading.Thread(
        target=lambda: idents.append((bridge.execute_in_thread(here, "other"), threading.get_ident()))
    )
    thread.start()
    thread.join()
    assert idents[0][0] == idents[0][1] != threading.get_ident()


async def test_a_coroutine_as_the_value_can_be_awaited_by_the_caller(
    bridge: ExecutionContextBridge, caplog: pytest.LogCaptureFixture
) -> None:
    value = bridge.execute_in_thread("async def f(): return 42\nf()", "a cell")
    assert isinstance(value, DeferredCoroutine)
    assert await value == 42
    assert "`f()` was called without `await`" in caplog.text and "a cell" in caplog.text


def test_a_coroutine_that_a_name_holds_is_awaited_by_a_later_execution(
    bridge: ExecutionContextBridge,
) -> None:
    bridge.execute_in_thread("async def f(x): return x\ntasks = [f(x) for x in range(3)]", "one")
    code = "import asyncio\nawait asyncio.gather(*tasks)"
    assert asyncio.run(bridge.execute_in_async(code, "two")) == [0, 1, 2]


def test_the_source_of_every_execution_can_be_shown(bridge: ExecutionContextBridge) -> None:
    for name in ("one", "two"):
        bridge.execute_in_thread(f"def {name}(): return '{name}'", name)
    live = bridge.namespace.live
    assert [inspect.getsource(live[name]) for name in ("one", "two")] == [
        "def one(): return 'one'",
        "def two(): return 'two'",
    ]
    assert sys.modules["__main__"].__dict__ is not live

"""`multiprocessing` and `ProcessPoolExecutor` under `spawn` and `forkserver`, with what cells define."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.libraries.steps import ok, result

DEFINITIONS = """\
import dataclasses, enum, functools, math, multiprocessing, threading
from concurrent.futures import ProcessPoolExecutor
offset = 40
def rounded(number): return math.floor(number) + offset
def double(number): return 2 * rounded(number)
@dataclasses.dataclass
class Point:
    x: int
    def moved(self): return Point(self.x + offset)
class Color(enum.Enum):
    RED = 1
def moved(point): return point.moved()
def same(value): return value
def pair(value): return value, isinstance(value, Point)
@functools.cache
def fibonacci(n): return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
def adder(n): return lambda: n + offset
"""
METHODS = ("spawn", "forkserver")


@pytest.fixture(params=METHODS)
def ready(request: pytest.FixtureRequest, notebook: Notebook) -> Notebook:
    """A kernel that knows some definitions, and `context`."""
    ok(notebook, DEFINITIONS + f"context = multiprocessing.get_context({request.param!r})")
    return notebook


@pytest.fixture
def pool(ready: Notebook) -> Notebook:
    """The same, with a `pool` of one process."""
    ok(ready, "pool = context.Pool(1)")
    return ready


@pytest.fixture(autouse=True)
def no_pool_is_left(notebook: Notebook) -> object:
    yield
    notebook.run("if 'pool' in globals(): pool.terminate(); pool.join(); del pool")
    notebook.run("multiprocessing.set_start_method(None, force=True)")


def test_an_executor_runs_functions_lambdas_and_methods_of_cells(ready: Notebook) -> None:
    code = """\
with ProcessPoolExecutor(2, mp_context=context) as executor:
    print(list(executor.map(double, [1.5, 2])))
    print(list(executor.map(lambda n: n + offset, [1, 2])))
    print(executor.submit(Point(1).moved).result(), executor.submit(fibonacci, 30).result())"""
    assert ok(ready, code).stdout == "[82, 84]\n[41, 42]\nPoint(x=41) 832040\n"


def test_a_pool_under_the_default_start_method_runs_functions_of_cells(ready: Notebook) -> None:
    ok(ready, "multiprocessing.set_start_method(context.get_start_method(), force=True)")
    assert (
        ok(ready, "with multiprocessing.Pool(2) as p: print(p.map(double, range(3)))").stdout
        == "[80, 82, 84]\n"
    )


def test_what_comes_back_is_of_the_live_classes(pool: Notebook) -> None:
    code = "points = pool.map(moved, [Point(1), Point(2)]); points, [type(p) is Point for p in points]"
    assert result(pool, code) == "([Point(x=41), Point(x=42)], [True, True])"
    assert result(pool, "pool.apply(same, (Color.RED,)) is Color.RED, pool.apply(pair, (Point(1),))") == (
        "(True, (Point(x=1), True))"
    )
    assert result(pool, "pool.apply(same, (double,)) is double, pool.apply(same, (Point,)) is Point") == (
        "(True, True)"
    )


def test_a_function_made_there_sees_the_live_globals_here(pool: Notebook) -> None:
    ok(pool, "made = pool.apply(adder, (5,)); offset = 100")
    assert result(pool, "made(), made.__globals__ is globals()") == "(105, True)"


def test_a_global_that_changes_here_changes_there(pool: Notebook) -> None:
    ok(pool, "numbers = [1]\ndef total(): return sum(numbers) + offset")
    seen = []
    for change in ("pass", "numbers.append(1)", "numbers.pop()", "offset = 0", "offset = 40"):
        seen.append(result(pool, f"{change}\npool.apply(total)"))
    assert seen == ["41", "42", "41", "1", "41"]


def test_a_function_defined_anew_is_another_one_there(pool: Notebook) -> None:
    assert result(pool, "pool.apply(double, (1,))") == "82"
    ok(pool, "def rounded(number): return -1")
    assert result(pool, "pool.apply(double, (1,))") == "-2"


def test_what_an_initializer_sets_stays_for_the_tasks(ready: Notebook) -> None:
    ok(
        ready,
        """\
state, lock = {}, None
def begin(shared):
    global lock
    lock, state["base"] = shared, 1000
def work(number):
    with lock: state["calls"] = state.get("calls", 0) + 1
    return state["base"] + offset + number
def calls(): return state["calls"]
pool = context.Pool(1, begin, (context.Lock(),))""",
    )
    assert result(ready, "pool.map(work, range(2), chunksize=1)") == "[1040, 1041]"
    ok(ready, "offset = 0")
    assert result(ready, "pool.map(work, range(2), chunksize=1), pool.apply(calls)") == "([1000, 1001], 4)"


def test_what_is_one_object_here_is_one_object_there(pool: Notebook) -> None:
    ok(pool, "first = []; second = {'list': first}\ndef one(): return second['list'] is first")
    assert result(pool, "pool.apply(one)") == "True"


def test_a_process_a_subclass_and_queues_that_are_filled_before(ready: Notebook) -> None:
    code = """\
questions, answers = context.Queue(), context.Queue()
questions.put(Point(1))
def child(): answers.put(questions.get().moved())
process = context.Process(target=child); process.start()
print(answers.get(timeout=30)); process.join()
class Worker(context.Process):
    def __init__(self, queue):
        super().__init__()
        self.queue = queue
    def run(self): self.queue.put(double(2))
worker = Worker(answers); worker.start()
print(answers.get(timeout=30)); worker.join()
print(process.exitcode, worker.exitcode)"""
    assert ok(ready, code).stdout == "Point(x=41)\n84\n0 0\n"


def test_managers_hold_and_run_classes_of_cells(ready: Notebook) -> None:
    code = """\
from multiprocessing.managers import BaseManager
with context.Manager() as manager:
    shared = manager.dict(); shared["a"] = Point(5)
    print(shared["a"], type(shared["a"]) is Point)
class Counter:
    value = offset
    def up(self): self.value += 1; return self.value
class Counters(BaseManager): pass
Counters.register("Counter", Counter)
counters = Counters(ctx=context); counters.start()
counter = counters.Counter(); print(counter.up(), counter.up()); counters.shutdown()"""
    assert ok(ready, code).stdout == "Point(x=5) True\n41 42\n"


def test_what_cannot_be_pickled_is_named(pool: Notebook) -> None:
    ok(
        pool,
        "lock = threading.Lock()\ndef use(): return lock\n"
        "def outer():\n    mine = lock\n    return lambda: mine",
    )
    cell = pool.run("pool.apply(outer())")
    assert cell.error is not None and cell.error[0] == "PicklingError"
    assert (
        "its variable `mine` cannot be pickled (TypeError: cannot pickle '_thread.lock' object)"
        in cell.error[1]
    )
    cell = pool.run("pool.apply(use)")
    assert cell.error is not None and cell.error[:2] == ("NameError", "name 'lock' is not defined")
    assert "`lock` was not sent to this process, since it cannot be pickled" in cell.text
    assert result(pool, "pool.apply(double, (1,))") == "82"


def test_nothing_is_run_again_there(ready: Notebook) -> None:
    ok(ready, "__file__ = 'no/such/notebook.ipynb'")
    assert result(ready, "with context.Pool(1) as p: print(p.apply(double, (1,)))\n__file__") == (
        "'no/such/notebook.ipynb'"
    )
    ok(ready, "del __file__")


def test_forked_children_have_their_own(pool: Notebook) -> None:
    """Also after another start method was used: what they have had since the fork are no copies."""
    code = """\
assert pool.apply(double, (1,)) == 82
class Later:
    class Inner: pass
def is_later(value): return isinstance(value, Later.Inner)
def counted(n):
    global offset
    offset += n
    return offset
with multiprocessing.get_context("fork").Pool(1) as forked:
    print(forked.map(is_later, [Later.Inner()]), type(forked.map(moved, [Point(1)])[0]) is Point)
    print(forked.map(counted, [1, 1], chunksize=1), offset)"""
    assert ok(pool, code).stdout == "[True] True\n[41, 42] 40\n"


def test_names_are_sent_as_ever_while_children_are_only_forked(fresh_notebook: Notebook) -> None:
    code = """\
import sys
with multiprocessing.get_context("fork").Pool(1) as forked: forked.map(double, [1])
"cloudpickle" in sys.modules, "namespace_kernel.remote.spawning.by_value" in sys.modules"""
    assert result(fresh_notebook, DEFINITIONS + code) == "(False, False)"

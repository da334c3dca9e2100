"""concurrent.futures, multiprocessing, and libraries that start threads when they are imported."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.libraries.steps import expect_no_noise, ok, result

BEGINS = {"plain": "", "awaiting": "import asyncio; await asyncio.sleep(0)\n"}
each_kind = pytest.mark.parametrize("begin", BEGINS.values(), ids=BEGINS)
DEFINITIONS = """\
import asyncio, math, multiprocessing, os, threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
offset = 40
def add(number): return offset + number
def tell(number):
    print(f"number {number}\\n", end="")  # in one piece, whatever other threads print
    return number
def fail(): raise ValueError("in the child")
"""
fork = "multiprocessing.get_context('fork')"


@pytest.fixture
def ready(notebook: Notebook) -> Notebook:
    """A kernel that knows some functions."""
    ok(notebook, DEFINITIONS)
    return notebook


# --- concurrent.futures


@each_kind
def test_a_thread_pool_runs_functions_of_cells_and_prints_under_the_cell(begin: str, ready: Notebook) -> None:
    cell = ok(
        ready, f"{begin}with ThreadPoolExecutor(2) as pool: numbers = list(pool.map(tell, range(3)))\nnumbers"
    )
    assert cell.result == "[0, 1, 2]"
    assert sorted(cell.stdout.splitlines()) == ["number 0", "number 1", "number 2"]


def test_a_thread_pool_serves_over_several_cells(ready: Notebook) -> None:
    ok(ready, "pool = ThreadPoolExecutor(2); future = pool.submit(add, 2)")
    assert result(ready, "future.result()") == "42"
    assert result(ready, "await asyncio.get_running_loop().run_in_executor(pool, add, 3)") == "43"
    assert result(ready, "await asyncio.wrap_future(pool.submit(add, 4))") == "44"
    ok(ready, "pool.shutdown()")


def test_to_thread_runs_a_function_of_a_cell(ready: Notebook) -> None:
    assert (
        result(ready, "await asyncio.gather(*[asyncio.to_thread(add, n) for n in range(3)])")
        == "[40, 41, 42]"
    )
    assert result(ready, "asyncio.run(asyncio.to_thread(add, 2))") == "42"


@each_kind
def test_a_forking_process_pool_runs_functions_of_cells(begin: str, ready: Notebook) -> None:
    code = (
        f"{begin}with ProcessPoolExecutor(2, mp_context={fork}) as pool: print(list(pool.map(add, range(3))))"
    )
    assert ready.run(code).stdout == "[40, 41, 42]\n"


@each_kind
def test_a_spawning_process_pool_runs_importable_functions(begin: str, ready: Notebook) -> None:
    code = "with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('spawn')) as pool:\n"
    cell = ok(ready, f"{begin}{code}    print(list(pool.map(math.factorial, range(5))))")
    assert cell.stdout == "[1, 1, 2, 6, 24]\n"


def test_a_process_pool_is_awaited_in_an_awaiting_cell(ready: Notebook) -> None:
    ready.run(f"pool = ProcessPoolExecutor(1, mp_context={fork})")
    assert ready.run("await asyncio.get_running_loop().run_in_executor(pool, add, 2)").result == "42"
    ok(ready, "pool.shutdown()")


def test_stop_ends_a_wait_for_a_process_pool(ready: Notebook) -> None:
    ready.run(f"import time\npool = ProcessPoolExecutor(1, mp_context={fork})\npool.submit(add, 1).result()")
    cell = ready.submit("future = pool.submit(time.sleep, 60)\nprint('begins', flush=True)\nfuture.result()")
    cell.wait_for_text("begins")
    ready.interrupt("SIGINT")
    cell.wait(10)
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
    ok(ready, "for process in pool._processes.values(): process.kill()")
    assert ready.run("pool.shutdown(); 42").result == "42"


# --- multiprocessing


@each_kind
def test_what_a_forked_child_prints_arrives_under_the_cell(begin: str, ready: Notebook) -> None:
    code = f"child = {fork}.Process(target=tell, args=(7,)); child.start(); child.join(); child.exitcode"
    cell = ready.run(begin + code)
    assert cell.result == "0"
    cell.wait_for_text("number 7\n")
    assert ready.run("'goes on'").result == "'goes on'"


@each_kind
def test_what_a_forked_child_raises_arrives_under_the_cell(begin: str, ready: Notebook) -> None:
    code = f"child = {fork}.Process(target=fail); child.start(); child.join(); child.exitcode"
    cell = ready.run(begin + code)
    assert cell.result == "1"
    cell.wait_for_text("ValueError: in the child")


def test_a_forked_child_runs_a_loop_of_its_own(ready: Notebook) -> None:
    ready.run("async def nap():\n    await asyncio.sleep(.01)\n    print('rested')")
    ready.run("def child_main(): asyncio.run(nap())")
    for begin in BEGINS.values():
        code = (
            f"{begin}child = {fork}.Process(target=child_main); child.start(); child.join(10); child.exitcode"
        )
        cell = ready.run(code)
        assert cell.result == "0", cell.text
        cell.wait_for_text("rested")


def test_a_pool_a_queue_and_a_pipe_of_forked_children_work(ready: Notebook) -> None:
    assert (
        ready.run(f"with {fork}.Pool(2) as pool: print(pool.map(add, range(3)))").stdout == "[40, 41, 42]\n"
    )
    code = f"""\
context = {fork}
queue, (ours, theirs) = context.Queue(), context.Pipe()
def both(): queue.put(add(1)); theirs.send(add(2))
child = context.Process(target=both); child.start()
answers = queue.get(timeout=20), ours.recv()
child.join()
answers"""
    assert ready.run(code).result == "(41, 42)"


@each_kind
def test_a_spawned_child_runs_an_importable_function(begin: str, ready: Notebook) -> None:
    code = "context = multiprocessing.get_context('spawn')\n"
    code += "with context.Pool(1) as pool: print(pool.apply(math.factorial, (5,)))"
    assert ok(ready, begin + code).stdout == "120\n"


def test_a_spawned_child_does_not_start_a_second_kernel(ready: Notebook) -> None:
    code = "with multiprocessing.get_context('spawn').Pool(1) as pool: print(pool.apply(eval, (MODULES,)))"
    ok(ready, 'MODULES = \'"namespace_kernel.app" in __import__("sys").modules\'')
    assert ok(ready, code).stdout == "False\n"


def test_a_child_ends_without_taking_the_kernel_s_sockets_along(ready: Notebook) -> None:
    ready.run("import sys")
    for way in ("os._exit", "sys.exit"):
        code = f"child = {fork}.Process(target={way}, args=(3,)); child.start(); child.join(); child.exitcode"
        assert ready.run(code).result == "3"
    assert ready.ask("kernel_info_request")["status"] == "ok"
    assert result(ready, "await asyncio.sleep(.01); 42") == "42"


@pytest.mark.parametrize(
    "child",
    [
        "import subprocess; child = subprocess.Popen(['sleep', '60'])",
        "import asyncio; child = await asyncio.create_subprocess_exec('sleep', '60')",
        f"child = {fork}.Process(target=time.sleep, args=(60,), daemon=True); child.start()",
    ],
    ids=["subprocess", "asyncio", "multiprocessing"],
)
def test_the_kernel_ends_in_good_order_though_a_child_runs(child: str, fresh_notebook: Notebook) -> None:
    ok(
        fresh_notebook,
        "import atexit, multiprocessing, pathlib, time\nended = pathlib.Path('ended').absolute()",
    )
    ok(fresh_notebook, "atexit.register(ended.touch);")
    assert fresh_notebook.run(child).status == "ok"
    fresh_notebook.manager.shutdown_kernel()  # as Jupyter does it: a patience of seconds, then signals
    assert (fresh_notebook.log_path.parent / "ended").exists()


# --- threads that a library starts at import

LIBRARY = '''
"""Works as ipyparallel, fsspec and dask do: a loop on a thread of its own, asked from everywhere."""
import asyncio, atexit, threading

loop = asyncio.new_event_loop()
thread = threading.Thread(target=loop.run_forever, name="library")
thread.start()

async def answer():
    await asyncio.sleep(.01)
    print("answering in", threading.current_thread().name)
    return 42

def ask():
    return asyncio.run_coroutine_threadsafe(answer(), loop).result(10)

async def aask():
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(answer(), loop))

def close():
    loop.call_soon_threadsafe(loop.stop)

threading._register_atexit(close)
'''


@each_kind
def test_a_library_with_a_thread_of_its_own_answers_either_kind_of_cell(
    begin: str, fresh_notebook: Notebook
) -> None:
    (fresh_notebook.log_path.parent / "library.py").write_text(LIBRARY)
    imported = ok(fresh_notebook, f"{begin}import library\nlibrary.ask()")
    assert imported.result == "42"
    assert imported.stdout == "answering in library\n"
    assert result(fresh_notebook, "library.ask()") == "42"
    assert result(fresh_notebook, "await library.aask(), library.ask()") == "(42, 42)"
    assert result(fresh_notebook, "import asyncio; asyncio.run(library.aask())") == "42"
    expect_no_noise(imported)
    fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")
    assert fresh_notebook.wait_exit(10) == 0

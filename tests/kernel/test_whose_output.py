"""D6: what a cell left running shows under that cell, whatever runs when it speaks."""

from __future__ import annotations

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook

PREPARE = """\
import asyncio, ctypes, functools, logging, multiprocessing, multiprocessing.pool, os, subprocess, sys
import threading, time, warnings
from concurrent.futures import ThreadPoolExecutor
from IPython.display import HTML
from tqdm import tqdm
logging.basicConfig(format="%(message)s", force=True); log = logging.getLogger("test")
warnings.simplefilter("always")
libc = ctypes.CDLL(None)
loop = asyncio.get_event_loop()
def renew():
    global gate, said, agate
    gate, said, agate = threading.Event(), threading.Event(), asyncio.Event()
def wait_and_say():
    assert gate.wait(30)
    try: say()
    finally: said.set()
async def await_and_say():
    await agate.wait()
    try: say()
    finally: said.set()
def poll_and_say():
    if not gate.is_set(): loop.call_later(.01, poll_and_say)
    else: say(); said.set()
def nest():
    assert gate.wait(30)
    threading.Thread(target=wait_and_say).start()
class Own(threading.Thread):
    def run(self): wait_and_say()
def open_gate(): gate.set(); loop.call_soon_threadsafe(agate.set)
"""
TEXT = "from cell 1"
SAYS = {
    "print": f"print({TEXT!r})",
    "stderr": f"print({TEXT!r}, file=sys.stderr)",
    "display": f"display(HTML({TEXT!r}))",
    "logging": f"log.warning({TEXT!r})",
    "warning": f"warnings.warn({TEXT!r}, stacklevel=1)",
    "tqdm": f"list(tqdm(range(2), desc={TEXT!r}))",
    "system": f"get_ipython().system('echo {TEXT}')",
    "traceback": f"""
    try: 1 / 0
    except ZeroDivisionError as error: error.add_note({TEXT!r}); get_ipython().showtraceback()""",
}
WAYS = {
    "thread": "threading.Thread(target=wait_and_say).start()",
    "thread with a run of its own": "Own().start()",
    "timer": "threading.Timer(.01, wait_and_say).start()",
    "thread of a thread": "threading.Thread(target=nest).start()",
    "partial": "threading.Thread(target=functools.partial(wait_and_say)).start()",
    "job": "pool.submit(wait_and_say);",
    "jobs by map": "pool.map(lambda number: wait_and_say(), [1]);",
    "job of multiprocessing's pool": "tpool = multiprocessing.pool.ThreadPool(1)\n"
    "tpool.apply_async(wait_and_say);",
    "job of multiprocessing's pool, of an earlier cell": "earlier.apply_async(wait_and_say);",
    "jobs by map_async": "earlier.map_async(lambda number: wait_and_say(), [1]);",
    "jobs by starmap_async": "earlier.starmap_async(lambda a, b: wait_and_say(), [(1, 2)]);",
    "jobs by imap": "jobs = earlier.imap(lambda number: wait_and_say(), [1])",
    "jobs by imap_unordered": "jobs = earlier.imap_unordered(lambda number: wait_and_say(), [1], 2)",
    "callback of multiprocessing's pool": "earlier.apply_async(gate.wait, callback=lambda _: wait_and_say())",
    "error callback of multiprocessing's pool": "earlier.apply_async(\n"
    "    lambda: gate.wait() / 'x', error_callback=lambda error: wait_and_say());",
    "task": "t = asyncio.create_task(await_and_say()); await asyncio.sleep(0)",
    "task from a plain cell": "t = loop.create_task(await_and_say())",
    "task of a task": "async def outer(): asyncio.create_task(await_and_say())\nawait outer()",
    "timer of the loop": "loop.call_later(.01, poll_and_say);",
    "callback": "loop.call_soon_threadsafe(poll_and_say);",
    "to_thread": "t = asyncio.create_task(asyncio.to_thread(wait_and_say)); await asyncio.sleep(0)",
    "run_in_executor": "t = asyncio.get_running_loop().run_in_executor(None, wait_and_say)",
    "run_in_executor of a pool": "t = asyncio.get_running_loop().run_in_executor(pool, wait_and_say)",
    "done callback": "f = loop.create_future(); f.add_done_callback(lambda f: (say(), said.set()))\n"
    "t = loop.create_task(await_and_resolve(f))",
}
OTHERS = {
    "plain": "open_gate(); assert said.wait(30); print('cell 2')",
    "awaiting": "open_gate(); assert await asyncio.to_thread(said.wait, 30); print('cell 2')",
    "busy": "open_gate()\nwhile not said.is_set(): pass\nprint('cell 2')",
}


@pytest.fixture(scope="module")
def _prepared() -> set[int]:
    return set()


@pytest.fixture
def ready(notebook: Notebook, _prepared: set[int]) -> Notebook:
    """A kernel with a pool that an earlier cell made, and whose thread runs already."""
    if notebook.pid not in _prepared:
        _prepared.add(notebook.pid)
        assert notebook.run(PREPARE).status == "ok"
        pool = "pool = ThreadPoolExecutor(1); pool.submit(print, 'the first job').result()\n"
        pool += "earlier = multiprocessing.pool.ThreadPool(1); earlier.apply(print, ['its first'])\n"
        pool += "async def await_and_resolve(f): await agate.wait(); f.set_result(1)"
        assert notebook.run(pool).status == "ok"
    assert notebook.run("renew()").status == "ok"
    return notebook


def seen(cell: Cell) -> str:
    return cell.text + "".join(data.get("text/html", "") for data in cell.displays)


def expect_only_under(first: Cell, other: Cell) -> None:
    first.wait_for(lambda cell: TEXT in seen(cell), "its output")
    assert TEXT not in seen(other)
    assert "cell 2" in other.stdout
    assert "cell 2" not in seen(first)


def test_the_demo(ready: Notebook) -> None:
    first = ready.run('threading.Timer(.5, lambda: print("from cell 1")).start()')
    second = ready.run('time.sleep(1); print("cell 2")')
    first.wait_for_text("from cell 1")
    assert second.stdout == "cell 2\n"


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_whatever_a_cell_leaves_running_prints_under_it(way: str, other: str, ready: Notebook) -> None:
    ready.run(f"def say(): {SAYS['print']}")
    first = ready.run(way)
    assert first.status == "ok", first.text
    expect_only_under(first, ready.run(other))


@pytest.mark.parametrize("way", ["thread", "task", "job", "timer of the loop"])
@pytest.mark.parametrize("say", SAYS)
def test_whatever_it_says_appears_under_its_cell(say: str, way: str, ready: Notebook) -> None:
    ready.run(f"def say(): {SAYS[say]}")
    first = ready.run(WAYS[way])
    other = ready.run(OTHERS["plain"])
    expect_only_under(first, other)
    assert other.displays == [] and other.error is None


@pytest.mark.parametrize("way", ["thread", "thread with a run of its own", "timer", "thread of a thread"])
def test_an_uncaught_exception_in_a_thread_appears_under_the_cell_without_kernel_frames(
    way: str, ready: Notebook
) -> None:
    ready.run(f"def say(): raise ValueError({TEXT!r})")
    first = ready.run(WAYS[way])
    expect_only_under(first, ready.run(OTHERS["plain"]))
    first.wait_for_text(f"ValueError: {TEXT}")
    assert "Exception in thread" in first.stderr
    assert "namespace_kernel" not in first.stderr


def test_a_hook_of_the_user_s_for_exceptions_in_threads_prints_under_the_cell(ready: Notebook) -> None:
    ready.run("threading.excepthook = lambda details: print('hooked', details.exc_value)")
    ready.run(f"def say(): raise ValueError({TEXT!r})")
    first = ready.run(WAYS["thread"])
    expect_only_under(first, ready.run(OTHERS["plain"]))
    assert first.stdout == f"hooked {TEXT}\n"
    ready.run("threading.excepthook = threading.__excepthook__")


def test_the_failure_of_a_task_appears_under_its_cell(ready: Notebook) -> None:
    ready.run(f"def say(): raise ValueError({TEXT!r})")
    first = ready.run(WAYS["task"])
    expect_only_under(first, ready.run(OTHERS["plain"]))
    assert "namespace_kernel" not in first.stderr


def test_the_failure_of_a_callback_appears_under_its_cell(ready: Notebook) -> None:
    ready.run(f"def say(): said.set(); raise ValueError({TEXT!r})")
    first = ready.run(WAYS["timer of the loop"])
    expect_only_under(first, ready.run(OTHERS["plain"]))


def test_jobs_of_one_pool_print_under_their_own_cells(ready: Notebook) -> None:
    cells = [ready.run(f"pool.submit(lambda: (gate.wait(30), print('job {n}')));") for n in range(3)]
    other = ready.run("open_gate(); pool.submit(said.set).result()")
    for number, cell in enumerate(cells):
        cell.wait_for(lambda cell: cell.stdout.endswith("\n"), "its line")
        assert cell.stdout == f"job {number}\n"
    assert other.stdout == ""


def test_after_a_job_its_worker_s_home_is_as_before(ready: Notebook) -> None:
    """A thread that was started as a thread of cell A, and runs a job for B, is A's again afterwards."""
    ready.run("import queue; from concurrent.futures.thread import _WorkItem")
    first = ready.run("""\
calls = queue.SimpleQueue()
def serve():
    while (call := calls.get()) is not None: call(); print("served")
threading.Thread(target=serve).start()""")
    other = ready.run("""\
from concurrent.futures import Future, thread
if hasattr(thread, "WorkerContext"):  # since Python 3.14
    make_context, resolve = thread.WorkerContext.prepare(None, ())
    item = thread._WorkItem(future := Future(), resolve(print, ("the job",), {}))
    job = lambda: item.run(make_context())
else:
    item = thread._WorkItem(future := Future(), print, ("the job",), {})
    job = item.run
calls.put(job); future.result(30); calls.put(None)""")
    first.wait_for_text("served")
    other.wait_for_text("the job")
    assert (first.stdout, other.stdout) == ("served\n", "the job\n")


def test_a_thread_that_was_started_by_a_job_belongs_to_the_job_s_cell(ready: Notebook) -> None:
    ready.run(f"def say(): {SAYS['print']}")
    first = ready.run("pool.submit(threading.Thread(target=wait_and_say).start).result()")
    expect_only_under(first, ready.run(OTHERS["plain"]))


def test_a_user_s_own_context_variable_is_inherited_no_more_than_in_python(ready: Notebook) -> None:
    ready.run("import contextvars; v = contextvars.ContextVar('v', default='default')\nseen = []")
    ready.run("v.set('set'); t = threading.Thread(target=lambda: seen.append(v.get())); t.start(); t.join()")
    ready.run("pool.submit(lambda: seen.append(v.get())).result()")
    assert ready.run("seen, await asyncio.to_thread(v.get)").result == "(['default', 'default'], 'set')"


def test_the_trait_gives_output_to_the_latest_cell(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(
        "import threading, concurrent.futures; pool = concurrent.futures.ThreadPoolExecutor(1)"
    )
    fresh_notebook.run("%config NamespaceKernel.thread_output = 'latest'")
    fresh_notebook.run("gate, said = threading.Event(), threading.Event()")
    say = "def say(): gate.wait(30); print('said'); said.set()\n"
    for way in ("threading.Thread(target=say).start()", "pool.submit(say);"):
        first = fresh_notebook.run(f"gate.clear(); said.clear()\n{say}{way}")
        second = fresh_notebook.run("gate.set(); assert said.wait(30)")
        second.wait_for_text("said")
        assert first.stdout == ""


def test_set_thread_parent_overrides_the_inheritance(ready: Notebook) -> None:
    first = ready.run("""\
def run():
    gate.wait(30)
    print("at home", flush=True)
    get_ipython().set_thread_parent(parent); print("moved"); said.set()
threading.Thread(target=run).start()""")
    chosen = ready.run("parent = get_ipython().get_parent()")
    other = ready.run(OTHERS["plain"])
    chosen.wait_for_text("moved")
    first.wait_for_text("at home")
    assert (first.stdout, chosen.stdout, other.stdout) == ("at home\n", "moved\n", "cell 2\n")


def test_a_comm_s_callback_prints_under_the_cell_that_made_the_comm(ready: Notebook) -> None:
    first = ready.run("""\
from ipykernel.comm import Comm
comm = Comm("nowhere")
@comm.on_msg
def on_message(message): print("from", message["content"]["data"]); said.set()
comm.comm_id""")
    assert first.result is not None
    other = ready.submit("print('runs', flush=True); assert said.wait(30)").wait_for_text("runs")
    ready.request("comm_msg", {"comm_id": first.result.strip("'"), "data": "the callback"})
    first.wait_for_text("from the callback")
    assert other.wait().stdout == "runs\n"
    ready.run("comm.close()")

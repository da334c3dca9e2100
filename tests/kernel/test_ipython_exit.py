"""D11: `exit()` and `quit`, and the end of the process that a frontend asks for while cells run."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.kernel.cells import Cell, Request
from tests.kernel.client import Notebook

# From the request to the end of the process. jupyter_client kills after five seconds of patience.
BOUND = 20.0
PUBLISHED = {"stream", "display_data", "comm_open"}
WAITING = {"plain": "", "awaiting": "import asyncio; await asyncio.sleep(0)\n"}
each_kind = pytest.mark.parametrize("waiting", WAITING.values(), ids=WAITING)
ASK_EXIT = {"source": "ask_exit", "keepkernel": False}

PREPARE = """\
import asyncio, atexit, contextlib, pathlib, signal, subprocess, sys, threading, time
def note(word):
    with pathlib.Path("notes.txt").open("a") as notes: notes.write(word + "\\n")
atexit.register(note, "atexit ran")
async def live():
    try: await asyncio.sleep(3600)
    finally: note("the task was cancelled")
living = asyncio.create_task(live()); await asyncio.sleep(0)"""


@pytest.fixture
def prepared(fresh_notebook: Notebook) -> Notebook:
    assert fresh_notebook.run(PREPARE).status == "ok"
    return fresh_notebook


def notes(notebook: Notebook) -> list[str]:
    path: Path = notebook.log_path.parent / "notes.txt"
    return path.read_text().splitlines() if path.exists() else []


def wait_replied(notebook: Notebook, request: Request) -> None:
    notebook.pump(lambda: bool(request.replies), f"the reply to {request.what!r}")


# --- exit


# Without parentheses it is a command of IPython's only if it is the cell's one line.
EXITS = ["exit()", "quit()", "exit", "quit", WAITING["awaiting"] + "exit()"]


@pytest.mark.parametrize("code", EXITS)
def test_exit_asks_the_frontend_and_ends_the_process_cleanly(code: str, prepared: Notebook) -> None:
    cell = prepared.submit(code)
    wait_replied(prepared, cell)
    assert cell.status == "ok"
    assert cell.reply["payload"] == [ASK_EXIT]
    assert prepared.wait_exit(BOUND) == 0
    assert sorted(notes(prepared)) == ["atexit ran", "the task was cancelled"]


@pytest.mark.parametrize("code", ["exit", WAITING["awaiting"] + "exit()"])
def test_the_frontend_that_is_asked_still_finds_the_kernel(code: str, prepared: Notebook) -> None:
    """A console looks whether the kernel lives before it reads the reply, and then asks for the end."""
    wait_replied(prepared, prepared.submit(code))
    ended = prepared.request("shutdown_request", {"restart": False}, channel="control")
    prepared.pump(lambda: bool(ended.replies), "the shutdown_reply")
    assert ended.reply == {"status": "ok", "restart": False}
    assert prepared.wait_exit(BOUND) == 0


def test_what_exit_s_cell_prints_and_its_idle_still_come(prepared: Notebook) -> None:
    cell = prepared.submit("print('before')\nexit()\nprint('after')").wait()
    assert cell.stdout == "before\nafter\n", "exit() asks; it does not cut the cell off"
    assert cell.states == ["busy", "idle"]
    assert prepared.wait_exit(BOUND) == 0


def test_a_cell_queued_behind_exit_is_not_run(prepared: Notebook) -> None:
    cell = prepared.submit("time.sleep(.2)\nexit()")
    prepared.submit("note('the queued cell ran')")
    wait_replied(prepared, cell)
    assert prepared.wait_exit(BOUND) == 0
    assert "the queued cell ran" not in notes(prepared)


def test_exit_can_keep_the_kernel(prepared: Notebook) -> None:
    cell = prepared.run("exit(keep_kernel=True)")
    assert cell.reply["payload"] == [{"source": "ask_exit", "keepkernel": True}]
    assert prepared.run("6 * 7").result == "42"
    assert prepared.alive


@each_kind
def test_system_exit_neither_ends_the_process_nor_asks_for_it(waiting: str, prepared: Notebook) -> None:
    cell = prepared.run(f"{waiting}raise SystemExit(3)")
    assert (cell.status, cell.reply["payload"]) == ("error", [])
    assert cell.text.strip().splitlines()[0] == "exited with 3"
    assert prepared.run("_exit_code").result == "3"
    assert notes(prepared) == []


# --- shutdown_request

RUNNING = {
    "idle": "",
    "sleeping": "print('ready'); time.sleep(3600)",
    "busy": "print('ready')\nwhile True: pass",
    "awaiting": "print('ready'); await asyncio.sleep(3600)",
    "blocking the loop": "await asyncio.sleep(0); print('ready'); time.sleep(3600)",
    "asking": "print('ready'); input()",
    "stubborn": "print('ready')\nwhile True:\n    with contextlib.suppress(BaseException): time.sleep(3600)",
    "stubborn, awaiting": (
        "print('ready')\nwhile True:\n    with contextlib.suppress(BaseException): await asyncio.sleep(3600)"
    ),
    "with a thread": "threading.Thread(target=time.sleep, args=(3600,)).start(); print('ready')",
    "with a task that refuses": (
        "async def refuse():\n"
        "    while True:\n"
        "        with contextlib.suppress(BaseException): await asyncio.sleep(3600)\n"
        "refusing = asyncio.create_task(refuse()); await asyncio.sleep(0); print('ready')"
    ),
    "with a hook that hangs": "atexit.register(time.sleep, 3600); print('ready')",
}
# These leave no orderly way out; the bound is all that can be asked for.
HOPELESS = {"stubborn", "stubborn, awaiting", "with a hook that hangs"}


@pytest.mark.parametrize("restart", [False, True], ids=["shutdown", "restart"])
@pytest.mark.parametrize("running", RUNNING)
def test_a_shutdown_is_answered_and_the_process_gone_in_bounded_time(
    running: str, restart: bool, prepared: Notebook
) -> None:
    if RUNNING[running]:
        prepared.submit(RUNNING[running], allow_stdin=True).wait_for_text("ready")
    asked = prepared.request("shutdown_request", {"restart": restart}, channel="control")
    if running not in HOPELESS:
        wait_replied(prepared, asked)
        assert asked.reply == {"status": "ok", "restart": restart}
    assert prepared.wait_exit(BOUND) == 0
    assert "atexit ran" in notes(prepared) or running in HOPELESS


@pytest.mark.parametrize("wait", ["time.sleep(3600)", "await asyncio.sleep(3600)"])
def test_a_shutdown_lets_the_running_cell_tidy_up(wait: str, prepared: Notebook) -> None:
    code = f"print('ready')\ntry: {wait}\nfinally: note('the cell tidied up')"
    cell = prepared.submit(code).wait_for_text("ready")
    queued = prepared.submit("note('the queued cell ran')")
    prepared.request("shutdown_request", {"restart": False}, channel="control")
    assert prepared.wait_exit(BOUND) == 0
    found = notes(prepared)
    assert found[0] == "the cell tidied up"
    assert sorted(found[1:]) == ["atexit ran", "the task was cancelled"]
    assert not queued.outputs
    assert cell.states[0] == "busy"


@pytest.mark.parametrize("restart", [True, False], ids=["restart", "shutdown"])
def test_async_generators_are_closed_and_their_finally_runs(restart: bool, prepared: Notebook) -> None:
    code = """\
async def count():
    try:
        while True: yield 1
    finally:
        await asyncio.sleep(.01); note("the generator was closed")
kept = count(); await anext(kept)"""
    assert prepared.run(code).status == "ok"
    wait_replied(prepared, prepared.request("shutdown_request", {"restart": restart}, channel="control"))
    assert prepared.wait_exit(BOUND) == 0
    assert "the generator was closed" in notes(prepared)


def test_a_shutdown_ends_the_processes_that_cells_started(prepared: Notebook) -> None:
    cell = prepared.run("child = subprocess.Popen(['sleep', '3600']); child.pid")
    child = psutil.Process(int(cell.result or ""))
    prepared.request("shutdown_request", {"restart": False}, channel="control")
    assert prepared.wait_exit(BOUND) == 0
    gone, alive = psutil.wait_procs([child], timeout=BOUND)
    for process in alive:
        process.kill()
    assert gone


@pytest.mark.parametrize("code", ["", "child = subprocess.Popen(['sleep', '3600'])"], ids=["idle", "child"])
def test_a_shutdown_is_announced_to_all_clients(code: str, prepared: Notebook) -> None:
    prepared.run(code)
    asked = prepared.request("shutdown_request", {"restart": True}, channel="control")
    prepared.wait_exit(BOUND)
    prepared.take_rest()
    announced = [m["content"] for m in asked.messages if m["msg_type"] == "shutdown_reply"]
    assert announced == [{"status": "ok", "restart": True}]


# --- restart as a frontend does it


def restarted(notebook: Notebook) -> Notebook:
    """The same connection, a new process, as `KernelManager.restart_kernel` makes it."""
    old = notebook.pid
    notebook.manager.restart_kernel(now=False)
    assert notebook.pid != old
    asked = notebook.request("kernel_info_request")
    while "idle" not in asked.states:
        if not notebook.take_in(1.0):  # an answer before IOPub was subscribed again: ask once more
            asked = notebook.request("kernel_info_request")
    return notebook


@pytest.mark.parametrize("code", ["", "time.sleep(3600)", "await asyncio.sleep(3600)"])
def test_after_a_restart_the_same_client_has_a_clean_kernel(code: str, prepared: Notebook) -> None:
    if code:
        prepared.submit(f"print('ready'); {code}").wait_for_text("ready")
    restarted(prepared)
    assert "atexit ran" in notes(prepared)
    fresh: Cell = prepared.run("'note' in globals(), In[1:]")
    assert (fresh.count, fresh.result) == (1, "(False, [\"'note' in globals(), In[1:]\"])")
    assert prepared.run("import asyncio; await asyncio.sleep(0, 7)").result == "7"
    assert prepared.run("print('seen')").stdout == "seen\n"


# From 3.12 on Python starts no thread any more when these run, and pyzmq wants one for what is large.
AT_THE_END = {
    "a line": "print('the end')",
    "much": "print('x' * 1_000_000 + 'the end')",
    "much, then a line": "print('x' * 1_000_000, flush=True); print('the end')",
    "much, displayed": "display({'text/plain': 'x' * 1_000_000 + 'the end'}, raw=True)",
    "a large buffer": "create_comm(target_name='none', data='the end', buffers=[bytes(1_000_000)])",
}


@pytest.mark.parametrize("what", AT_THE_END)
def test_what_an_atexit_callback_publishes_arrives(what: str, fresh_notebook: Notebook) -> None:
    code = f"import atexit\nfrom comm import create_comm\ndef end():\n    {AT_THE_END[what]}\n"
    assert fresh_notebook.run(f"{code}_ = atexit.register(end)").status == "ok"
    fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")
    assert fresh_notebook.wait_exit(BOUND) == 0
    fresh_notebook.take_rest()
    arrived = [*fresh_notebook.strays, *(m for r in fresh_notebook.requests.values() for m in r.messages)]
    assert "the end" in str([message["content"] for message in arrived if message["msg_type"] in PUBLISHED])


POOLS = {
    "a pool": "pool = context.Pool(2); pool.map(abs, [1])",
    "a pool that works": "pool = context.Pool(2); busy = pool.map_async(time.sleep, [3600] * 9)",
    "a pool of threads": "pool = multiprocessing.pool.ThreadPool(2); pool.map(abs, [1])",
    "an executor": "pool = concurrent.futures.ProcessPoolExecutor(2, context); list(pool.map(abs, [1]))",
    "a daemon": "process = context.Process(target=time.sleep, args=(3600,), daemon=True); process.start()",
    "no daemon": "process = context.Process(target=time.sleep, args=(3600,)); process.start()",
    "shared memory": "memory = multiprocessing.shared_memory.SharedMemory(create=True, size=10)",
    "joblib": "import joblib; joblib.Parallel(2)(joblib.delayed(abs)(n) for n in range(4))",
    "a manager": "manager = context.Manager(); shared = manager.dict(a=1)",
}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("what", POOLS)
def test_a_pool_that_nobody_closed_ends_with_the_kernel(
    what: str, method: str, fresh_notebook: Notebook
) -> None:
    """Not by being killed, after `shutdown_time`."""
    code = f"context = multiprocessing.get_context({method!r}); {POOLS[what]}"
    assert fresh_notebook.run(f"%config NamespaceKernel.shutdown_time = {10 * BOUND}").status == "ok"
    imports = "import concurrent.futures, multiprocessing.pool, multiprocessing.shared_memory, time"
    assert fresh_notebook.run(f"{imports}\n{code}").status == "ok"
    children = psutil.Process(fresh_notebook.pid).children()
    fresh_notebook.request("shutdown_request", {"restart": True}, channel="control")
    assert fresh_notebook.wait_exit(BOUND) == 0
    left = psutil.wait_procs(children, BOUND)[1]
    assert [child.cmdline() for child in left if child.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_daemon_ends_with_the_kernel_also_if_a_hook_hangs(method: str, prepared: Notebook) -> None:
    code = f"import multiprocessing; context = multiprocessing.get_context({method!r}); {POOLS['a daemon']}"
    child = psutil.Process(
        int(prepared.run(f"{code}\natexit.register(time.sleep, 3600)\nprocess.pid").result or "")
    )
    prepared.request("shutdown_request", {"restart": True}, channel="control")
    assert prepared.wait_exit(BOUND) == 0
    left = psutil.wait_procs([child], BOUND)[1]
    assert not left or child.status() == psutil.STATUS_ZOMBIE


# When all `atexit` callbacks of cells have run, and the kernel's own.
LATE = {
    "logging's own end": """\
handler = logging.handlers.MemoryHandler(100, target=logging.StreamHandler(sys.stdout))
logging.getLogger().addHandler(handler); logging.warning("late")""",
    "a handler's": """\
class Late(logging.Handler):
    def close(self, stream=sys.stderr): print("late", file=stream, flush=True)
logging.late = Late()""",
}


@pytest.mark.parametrize("what", LATE)
def test_what_is_written_when_nobody_sends_any_more_is_for_the_servers_log(
    what: str, fresh_notebook: Notebook
) -> None:
    assert fresh_notebook.run(f"import logging, logging.handlers, sys\n{LATE[what]}").status == "ok"
    fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")
    assert fresh_notebook.wait_exit(BOUND) == 0
    assert "late\n" in fresh_notebook.log
    assert "Traceback" not in fresh_notebook.log

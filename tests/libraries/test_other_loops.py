"""uvloop and trio: other event loops than the one that the kernel brings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import StartNotebook
from tests.kernel.client import Notebook
from tests.libraries.steps import ok, result

WHOSE = """\
import asyncio
async def whose():
    await asyncio.sleep(.01)
    return type(asyncio.get_running_loop()).__module__
async def fetch():
    process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    out, _ = await process.communicate(b"hello")
    return out
"""
POLICIES = {
    "set_event_loop_policy": "import uvloop; asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())",
    "install": "import uvloop; uvloop.install()",
}
# uvloop.install() has been deprecated, and tells so; since Python 3.14 so have policies.
IGNORED = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n"


@pytest.mark.parametrize("install", POLICIES.values(), ids=POLICIES)
def test_with_uvloop_s_policy_asyncio_run_uses_uvloop(install: str, fresh_notebook: Notebook) -> None:
    ok(fresh_notebook, IGNORED + WHOSE)
    assert result(fresh_notebook, f"{install}\nasyncio.run(whose())") == "'uvloop'"
    for _ in range(2):
        assert result(fresh_notebook, "asyncio.run(whose())") == "'uvloop'"
        assert result(fresh_notebook, "asyncio.run(fetch())") == "b'hello'"


def test_with_uvloop_s_policy_the_user_loop_still_starts_processes(fresh_notebook: Notebook) -> None:
    ok(fresh_notebook, IGNORED + WHOSE + POLICIES["set_event_loop_policy"])
    assert result(fresh_notebook, "asyncio.run(fetch())") == "b'hello'"
    assert result(fresh_notebook, "await fetch()") == "b'hello'"


def test_with_uvloop_s_policy_the_user_loop_goes_on(fresh_notebook: Notebook) -> None:
    ok(fresh_notebook, IGNORED + WHOSE)
    ok(fresh_notebook, "loop = asyncio.get_event_loop(); done = loop.create_future()")
    ok(fresh_notebook, POLICIES["set_event_loop_policy"])
    ok(fresh_notebook, "asyncio.run(whose())")
    assert result(fresh_notebook, "asyncio.get_event_loop() is loop") == "True"
    assert result(fresh_notebook, "await whose() == type(loop).__module__ != 'uvloop'") == "True"
    code = "asyncio.get_event_loop().run_until_complete(whose()) == type(loop).__module__"
    assert result(fresh_notebook, code) == "True"
    ok(fresh_notebook, "def start(): return asyncio.create_task(whose())\ntask = start()")
    assert result(fresh_notebook, "loop.call_later(.01, done.set_result, 42); await done") == "42"
    assert result(fresh_notebook, "await task != 'uvloop'") == "True"


def test_uvloop_run_works_in_a_plain_cell_between_awaiting_ones(notebook: Notebook) -> None:
    ok(notebook, WHOSE + "import uvloop")
    for _ in range(2):
        assert result(notebook, "uvloop.run(whose())") == "'uvloop'"
        assert result(notebook, "await whose() != 'uvloop'") == "True"
    code = "with asyncio.Runner(loop_factory=uvloop.new_event_loop) as r: answer = r.run(whose())\nanswer"
    assert result(notebook, code) == "'uvloop'"


def test_stop_ends_a_run_of_uvloop(notebook: Notebook) -> None:
    # Before the loop runs there is a coroutine that nobody has awaited, of which Python would tell later.
    begins = "async def nap():\n    print('begins', flush=True)\n    await asyncio.sleep(60)"
    ok(notebook, f"{WHOSE}import uvloop\n{begins}")
    cell = notebook.submit("uvloop.run(nap())")
    cell.wait_for_text("begins")
    notebook.interrupt("SIGINT")
    cell.wait(10)
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
    assert result(notebook, "uvloop.run(whose())") == "'uvloop'"


# --- trio

TRIO = "import trio\nasync def nap():\n    await trio.sleep(.01)\n    return 42"


def test_trio_run_works_in_a_plain_cell(notebook: Notebook) -> None:
    ok(notebook, TRIO)
    for _ in range(2):
        assert result(notebook, "trio.run(nap)") == "42"
        assert result(notebook, "import asyncio; await asyncio.sleep(.01); 'asyncio'") == "'asyncio'"


def test_stop_ends_a_run_of_trio(notebook: Notebook) -> None:
    ok(notebook, TRIO)
    cell = notebook.submit("print('begins', flush=True)\ntrio.run(trio.sleep, 60)")
    cell.wait_for_text("begins")
    notebook.interrupt("SIGINT")
    cell.wait(10)
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
    assert result(notebook, "trio.run(nap)") == "42"


@pytest.fixture(scope="module")
def _trio_notebook(start_notebook: StartNotebook) -> Iterator[Notebook]:
    notebook = start_notebook()
    ok(notebook, TRIO)
    yield notebook
    notebook.close()


@pytest.fixture
def trio_notebook(_trio_notebook: Notebook) -> Notebook:
    """A kernel whose awaiting cells are trio's."""
    ok(_trio_notebook, "%autoawait trio")
    return _trio_notebook


def test_after_autoawait_trio_cells_await_what_is_trio_s(trio_notebook: Notebook) -> None:
    assert result(trio_notebook, "await nap()") == "42"
    cell = ok(
        trio_notebook,
        "async def tell(n):\n    await trio.sleep(.01 * n); print(n)\n"
        "async with trio.open_nursery() as nursery:\n    for n in (1, 0): nursery.start_soon(tell, n)",
    )
    assert cell.stdout == "0\n1\n"
    assert result(trio_notebook, "trio.run(nap)") == "42"
    assert result(trio_notebook, "import asyncio\nasync def f(): return 42\nasyncio.run(f())") == "42"


def test_after_autoawait_trio_an_error_and_stop_end_a_cell(trio_notebook: Notebook) -> None:
    failed = trio_notebook.run("await nap(); 1 / 0")
    assert failed.error == ("ZeroDivisionError", "division by zero")
    cell = trio_notebook.submit("print('begins', flush=True)\nawait trio.sleep(60)")
    cell.wait_for_text("begins")
    trio_notebook.interrupt("SIGINT")
    cell.wait(10)
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt", cell.text
    assert result(trio_notebook, "await nap()") == "42"


def test_autoawait_asyncio_leads_back_to_the_loop_that_persists(trio_notebook: Notebook) -> None:
    ok(trio_notebook, "import asyncio, threading\nloop, rung = asyncio.get_event_loop(), threading.Event()")
    assert result(trio_notebook, "await nap()") == "42"
    ok(trio_notebook, "%autoawait asyncio")
    assert result(trio_notebook, "await asyncio.sleep(0); asyncio.get_running_loop() is loop") == "True"
    ok(trio_notebook, "async def ring(): await asyncio.sleep(.01); rung.set()")
    ok(trio_notebook, "task = asyncio.create_task(ring()); await asyncio.sleep(0)")
    assert result(trio_notebook, "rung.wait(10)") == "True"


def test_autoawait_is_switched_off_and_on_again(fresh_notebook: Notebook) -> None:
    ok(fresh_notebook, "import asyncio\nloop = asyncio.get_event_loop()\n%autoawait off")
    failed = fresh_notebook.run("await asyncio.sleep(0)")
    assert failed.error is not None and failed.error[0] == "SyntaxError"
    ok(fresh_notebook, "%autoawait on")
    assert result(fresh_notebook, "await asyncio.sleep(0); asyncio.get_running_loop() is loop") == "True"

"""Work for an event loop that is not running: a line says so, and how to let it run."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

HINT = "Put %%async on its first line"


@pytest.mark.parametrize(
    "code",
    [
        "import asyncio\ndef helper(): asyncio.get_running_loop()\nhelper()",
        "import anyio\ndef helper(): anyio.get_cancelled_exc_class()\nhelper()",
        "raise RuntimeError('MyClient must be made inside of a running event loop')",
        "class OwnError(Exception): pass\ndef helper():\n    try: asyncio.get_running_loop()\n"
        "    except RuntimeError as error: raise OwnError('no client') from error\nimport asyncio; helper()",
        "raise RuntimeError('There is no current event loop in thread')",
    ],
)
def test_an_error_that_misses_a_loop_says_what_to_do(code: str, notebook: Notebook) -> None:
    assert HINT in notebook.run(code).traceback
    assert HINT not in notebook.run(f"%%async\n{code}").traceback


@pytest.mark.parametrize(
    "code", ["raise RuntimeError('no event')", "1 / 0", "raise ValueError('no running event loop')"]
)
def test_another_error_says_nothing_of_it(code: str, notebook: Notebook) -> None:
    cell = notebook.run(code)
    assert cell.status == "error" and HINT not in cell.traceback


OWN_LOOP = """\
import asyncio, threading
async def work(): done.append(1)
def start():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    {}
    return loop
done = []
loop = start()"""


@pytest.mark.parametrize(
    "work",
    [
        "loop.create_task(work())",
        "asyncio.ensure_future(work(), loop=loop)",
        "loop.call_later(.1, print)",
        "loop.run_until_complete(asyncio.sleep(0)); loop.create_task(work())",
    ],
)
def test_a_loop_that_is_set_and_does_not_run_is_told(work: str, fresh_notebook: Notebook) -> None:
    cell = fresh_notebook.run(OWN_LOOP.format(work))
    assert "does not run" in cell.receipt and "`%%async`" in cell.receipt
    fresh_notebook.run("loop.run_until_complete(asyncio.sleep(0)); loop.close()")
    fresh_notebook.run("%config NamespaceKernel.report_idle_loops = False")
    assert fresh_notebook.run(OWN_LOOP.format(work)).receipt == ""
    fresh_notebook.run("loop.run_until_complete(asyncio.sleep(0)); loop.close()")


@pytest.mark.parametrize(
    "work",
    [
        "loop.run_until_complete(work())",
        "pass",
        "loop.close()",
        "asyncio.run(work())",
        "loop.create_task(work()); threading.Thread(target=loop.run_forever, daemon=True).start()",
    ],
)
def test_a_loop_that_runs_or_has_nothing_to_do_is_not_told(work: str, fresh_notebook: Notebook) -> None:
    cell = fresh_notebook.run(OWN_LOOP.format(work))
    fresh_notebook.run("import time; time.sleep(.8)" if "Thread" in work else "1")
    assert cell.status == "ok" and "does not run" not in cell.text


def test_plain_cells_run_with_the_loop_around_them_if_the_notebook_says_so(fresh_notebook: Notebook) -> None:
    helper = "import asyncio\ndef helper(): return asyncio.get_running_loop().is_running()"
    fresh_notebook.run(helper)
    assert fresh_notebook.run("helper()").status == "error"
    assert fresh_notebook.run("%plain_cells").stdout == "script\n"
    for switch in ("%plain_cells loop", "%config NamespaceKernel.plain_cells = 'loop'"):
        fresh_notebook.run(switch)
        assert fresh_notebook.run("helper()").result == "True"
        assert fresh_notebook.run("%%sync\nhelper()").status == "error"
        assert fresh_notebook.run("asyncio.run(asyncio.sleep(0, 42))").result == "42"
        cell = fresh_notebook.submit("import time\nprint('begins', flush=True)\ntime.sleep(60)")
        cell.wait_for_text("begins")
        fresh_notebook.interrupt("SIGINT")
        assert cell.wait(10).error is not None
        fresh_notebook.run("%plain_cells script")
        assert fresh_notebook.run("helper()").status == "error"
    assert fresh_notebook.run("%plain_cells sometimes").status == "error"

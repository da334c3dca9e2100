"""D3, the edges: an interrupt belongs to the cell that ran when it arrived; shutdown ends a running cell."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.kernel.cells import Request
from tests.kernel.client import INTERRUPTS, Notebook

ROUNDS = 60
QUICK = {
    "plain": "sum(range({n}))",
    "awaiting": "await asyncio.sleep(0); sum(range({n}))",
    "task": "asyncio.create_task(asyncio.sleep(0)); sum(range({n}))",
}
both_ways = pytest.mark.parametrize("how", INTERRUPTS)


@both_ways
@pytest.mark.parametrize("quick", QUICK.values(), ids=QUICK)
def test_an_interrupt_never_hits_the_next_cell(quick: str, how: str, notebook: Notebook) -> None:
    """The interrupt is on its way, or has come too late, when the next cell is sent."""
    notebook.run("import asyncio")
    chance = random.Random(1)
    hit = 0
    for _ in range(ROUNDS):
        first = notebook.submit(quick.format(n=chance.choice([10, 10_000, 300_000])))
        if chance.random() < 0.7:
            first.wait_started()
        if chance.random() < 0.3:
            first.wait()
        asked = interrupted(notebook, how)
        first.wait()
        if asked is not None:
            asked.wait()
        assert first.status == "ok" or first.reply["ename"] == "KeyboardInterrupt", first.text
        hit += first.status == "error"
        following = notebook.run("await asyncio.sleep(0); 6 * 7" if chance.random() < 0.5 else "6 * 7")
        assert (following.status, following.result) == ("ok", "42"), following.text
    assert notebook.alive
    assert "Traceback" not in notebook.log


def interrupted(notebook: Notebook, how: str) -> Request | None:
    if how == "SIGINT":
        notebook.interrupt(how)
        return None
    return notebook.request("interrupt_request", channel="control")


@both_ways
def test_a_cell_that_is_sent_while_the_interrupt_is_on_its_way_is_run_or_aborted(
    how: str, notebook: Notebook
) -> None:
    """Sent right after the interrupt, without waiting: only the first cell may be hit."""
    for round_ in range(ROUNDS):
        first = notebook.submit("sum(range(100_000))")
        if round_ % 3:
            first.wait_started()
        notebook.interrupt(how)
        second = notebook.submit("6 * 7")
        first.wait()
        second.wait()
        if first.status == "error":
            assert second.status in ("ok", "aborted")
        elif how == "SIGINT":
            assert (second.status, second.result) == ("ok", "42"), second.text


def test_the_reply_to_an_interrupt_request_is_ok(notebook: Notebook) -> None:
    assert notebook.ask("interrupt_request", channel="control") == {"status": "ok"}


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(60)",
        "import asyncio; await asyncio.sleep(60)",
        "while True: pass",
        "import asyncio; await asyncio.sleep(0)\nwhile True: pass",
        "import queue; queue.Queue().get()",
    ],
)
def test_shutdown_ends_a_running_cell_and_runs_atexit(
    code: str, fresh_notebook: Notebook, tmp_path: Path
) -> None:
    bye = tmp_path / "bye"
    fresh_notebook.run(f"import atexit, pathlib; atexit.register(pathlib.Path({str(bye)!r}).touch)")
    fresh_notebook.submit(code).wait_started()
    asked = fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")
    fresh_notebook.pump(lambda: bool(asked.replies), "the shutdown reply")
    assert asked.reply == {"status": "ok", "restart": False}
    assert fresh_notebook.wait_exit(30) == 0
    assert bye.exists()


def test_what_is_printed_at_exit_is_sent(fresh_notebook: Notebook) -> None:
    code = "import atexit, sys; atexit.register(lambda: (print('bye'), print('alas', file=sys.stderr)))"
    assert fresh_notebook.run(code).status == "ok"
    fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")

    def said() -> set[str]:
        texts = (m["content"]["text"] for m in fresh_notebook.strays if m["msg_type"] == "stream")
        return set("".join(texts).split())

    fresh_notebook.pump(lambda: said() == {"bye", "alas"}, "what is printed at exit")
    assert fresh_notebook.wait_exit(30) == 0


def test_shutdown_of_an_idle_kernel_with_a_running_task_is_clean(
    fresh_notebook: Notebook, tmp_path: Path
) -> None:
    bye = tmp_path / "bye"
    fresh_notebook.run(f"""\
import atexit, asyncio, pathlib
atexit.register(pathlib.Path({str(bye)!r}).touch)
async def forever():
    while True: await asyncio.sleep(.01)
t = asyncio.create_task(forever())""")
    asked = fresh_notebook.request("shutdown_request", {"restart": True}, channel="control")
    fresh_notebook.pump(lambda: bool(asked.replies), "the shutdown reply")
    assert asked.reply == {"status": "ok", "restart": True}
    assert fresh_notebook.wait_exit(30) == 0
    assert bye.exists()
    assert "Traceback" not in fresh_notebook.log
    assert "Task was destroyed" not in fresh_notebook.log

"""D7: what Stop ends where cells run side by side."""

from __future__ import annotations

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import INTERRUPTS, Notebook
from tests.kernel.side_by_side import IN_JUPYTERLAB, WAITS, close_gate, in_background, number_of, open_gate

BODIES = {
    **WAITS,
    "busy": "while True: pass",
    "busy after await": "await asyncio.sleep(0)\nwhile True: pass",
    "busy, tidies up": "try:\n    READY\n    while True: time.sleep(0)\nfinally:\n"
    "    await asyncio.sleep(0); print('tidy')",
    "its task is busy": "async def f():\n    READY\n    while True: pass\nawait asyncio.create_task(f())",
    "its callback is busy": "def f():\n    while True: pass\n"
    "asyncio.get_running_loop().call_soon(f)\nawait asyncio.Event().wait()",
    "waits for long": "await asyncio.sleep(600)",
    "waits for tasks": "await asyncio.gather(*[asyncio.sleep(600) for _ in range(3)])",
    "asks": "input('never answered')",
}
READY = "print('rea' 'dy', flush=True)"
STOPPED = "KeyboardInterrupt"


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    return close_gate(notebook)


def start(notebook: Notebook, body: str) -> Cell:
    """A background cell that has come to `body`."""
    first = "await asyncio.sleep(0); " if "await" in body else ""
    code = body.replace("READY", f"{first}{READY}") if "READY" in body else f"{first}{READY}\n{body}"
    cell = in_background(notebook, code, allow_stdin=True, metadata=IN_JUPYTERLAB).wait_for_text("ready")
    if "input(" in body:
        cell.wait_for_input_request()
    return cell


def check_all_runs(notebook: Notebook) -> None:
    assert notebook.run("20 + 1").result == "21"
    assert notebook.run("await asyncio.sleep(0, 22)").result == "22"
    assert notebook.run("%%background\nawait asyncio.sleep(.01, 23)").result == "23"
    assert notebook.run("%%background\n24").result == "24"


@pytest.mark.parametrize("how", INTERRUPTS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_with_no_cell_in_the_foreground_stop_ends_it(body: str, how: str, prepared: Notebook) -> None:
    cell = start(prepared, body)
    prepared.interrupt(how)
    assert cell.wait().error is not None
    assert cell.error is not None and cell.error[0] == STOPPED
    assert cell.count == number_of(cell)
    assert ("tidy" in cell.stdout) == ("tidy" in body)
    check_all_runs(prepared)


def test_it_ends_all_of_them(prepared: Notebook) -> None:
    cells = [start(prepared, body) for body in WAITS.values()]
    prepared.interrupt("SIGINT")
    assert [cell.wait().error for cell in cells] == [(STOPPED, "")] * 2
    check_all_runs(prepared)


def test_it_ends_those_that_wait_for_their_turn(prepared: Notebook) -> None:
    prepared.run("%config NamespaceKernel.background_cells = 1")
    running = start(prepared, WAITS["plain"])
    waiting = [in_background(prepared, "ran = True").wait_for_text("waits for its turn") for _ in range(2)]
    prepared.interrupt("SIGINT")
    for cell in (running, *waiting):
        assert cell.wait().error == (STOPPED, "")
        assert cell.count == number_of(cell)
    prepared.run("%config NamespaceKernel.background_cells = 32")
    assert prepared.run("'ran' in globals()").result == "False"
    check_all_runs(prepared)


@pytest.mark.parametrize("sleep", ["time.sleep(600)", "await asyncio.sleep(600)"])
def test_it_ends_the_foreground_s_cell_alone(sleep: str, prepared: Notebook) -> None:
    background = [start(prepared, f"{wait}\n'went on'") for wait in WAITS.values()]
    foreground = prepared.submit(f"print('in ' 'front', flush=True); {sleep}").wait_for_text("in front")
    prepared.interrupt("SIGINT")
    assert foreground.wait().error == (STOPPED, "")
    open_gate(prepared)
    assert [cell.wait().result for cell in background] == ["'went on'"] * 2


ENDERS = ["%stop N", "cell(N).cancel()", "x = 1\n%stop N", "await asyncio.sleep(0); cell(N).cancel()"]


@pytest.mark.parametrize("ender", ENDERS)
@pytest.mark.parametrize("kind", WAITS)
def test_one_can_be_ended_by_its_number(kind: str, ender: str, prepared: Notebook) -> None:
    ended, other = (start(prepared, f"{WAITS[kind]}\n'went on'") for _ in range(2))
    assert prepared.run(ender.replace("N", str(number_of(ended)))).status == "ok"
    assert ended.wait().error == (STOPPED, "")
    assert not other.done
    open_gate(prepared)
    assert other.wait().result == "'went on'"


def test_one_that_waits_for_its_turn_can_be_ended_by_its_number(prepared: Notebook) -> None:
    prepared.run("%config NamespaceKernel.background_cells = 1")
    running = start(prepared, WAITS["plain"])
    for ender in ENDERS[:2]:
        waiting = in_background(prepared, "'never'").wait_for_text("waits for its turn")
        assert prepared.run(ender.replace("N", str(number_of(waiting)))).status == "ok"
        assert waiting.wait().error == (STOPPED, "")
        assert waiting.count == number_of(waiting)
    open_gate(prepared)
    assert running.wait().status == "ok"
    prepared.run("%config NamespaceKernel.background_cells = 32")


@pytest.mark.parametrize("first", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
def test_one_that_blocks_in_c_code_is_named_with_its_line(first: str, prepared: Notebook) -> None:
    prepared.run(
        "import ctypes, os\nfor name in ('open', 'inside'):\n    if os.path.exists(name): os.remove(name)"
    )
    wait = "b'trap : INT; touch inside; while [ ! -e open ]; do sleep .05; done'"
    cell = start(prepared, f"{first}ctypes.CDLL(None).system({wait})")
    prepared.run("while not os.path.exists('inside'): time.sleep(.01)")
    prepared.interrupt("SIGINT")
    cell.wait_for_text("nothing can interrupt")
    line = 3 if first else 2
    assert f"line {line + 1} of In [{number_of(cell)}]: ctypes.CDLL(None).system(" in cell.text
    assert "it ends as soon as that returns" in cell.text
    assert prepared.run("open('open', 'w').close()").status == "ok"
    assert cell.wait().error == (STOPPED, "")
    check_all_runs(prepared)


def test_the_tasks_of_the_stopped_cell_are_cancelled_and_no_others(prepared: Notebook) -> None:
    tick = "async def tick(ticks):\n    while True: ticks.append(1); await asyncio.sleep(.01)"
    prepared.run(f"{tick}\nmine, others = [], []\nkept = asyncio.create_task(tick(others))")
    cell = start(prepared, "ended = asyncio.create_task(tick(mine)); READY\nawait asyncio.sleep(600)")
    prepared.interrupt("SIGINT")
    assert cell.wait().error == (STOPPED, "")
    assert (
        prepared.run("(await asyncio.wait([ended]))[0] == {ended}, ended.cancelled()").result
        == "(True, True)"
    )
    grown = prepared.run(
        "n, m = len(mine), len(others); await asyncio.sleep(.1)\nlen(mine) == n, len(others) > m"
    )
    assert grown.result == "(True, True)"
    prepared.run("kept.cancel()")


def test_a_busy_cell_on_the_loop_is_stopped_and_not_its_neighbours(prepared: Notebook) -> None:
    neighbour = start(prepared, f"{WAITS['awaiting']}\n'went on'")
    busy = start(prepared, "await asyncio.sleep(0)\nwhile True: pass")
    assert prepared.run(f"%stop {number_of(busy)}").status == "ok"
    assert busy.wait().error == (STOPPED, "")
    assert "while True: pass" in busy.traceback
    open_gate(prepared)
    assert neighbour.wait().result == "'went on'"


def test_a_cell_that_catches_it_can_be_stopped_again(prepared: Notebook) -> None:
    code = "try:\n    READY\n    while True: pass\nexcept KeyboardInterrupt: print('caught')\n"
    cell = start(prepared, code + "await asyncio.sleep(600)")
    prepared.interrupt("SIGINT")
    cell.wait_for_text("caught")
    assert not cell.done
    prepared.interrupt("SIGINT")
    assert cell.wait().error == (STOPPED, "")


def test_a_stop_that_nobody_runs_for_hits_nobody(prepared: Notebook) -> None:
    assert prepared.run("%%background\n1").status == "ok"
    prepared.interrupt("SIGINT")
    check_all_runs(prepared)

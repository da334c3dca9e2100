"""What `docs/thread_safety.md` promises, where no other test holds it; and that it names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.kernel.client import ROOT, Notebook
from tests.kernel.leaks import ok
from tests.kernel.side_by_side import WAITS, close_gate, in_background, open_gate
from tests.kernel.test_subshells import create, delete

PAGE = ROOT / "docs" / "thread_safety.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
SETUP = "%reset -f\nimport asyncio, contextvars, decimal, logging, sys, threading, time"


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    ok(notebook.run(SETUP))
    return notebook


# --- the page


def guarantees() -> list[str]:
    """The items of the lists that stand under "Guarantees"."""
    lists = re.findall(r"\*\*Guarantees\*\*\n\n(.*?)(?=\n\n[^ ]|\Z)", PAGE.read_text(), re.DOTALL)
    return [item for text in lists for item in re.split(r"^- ", text, flags=re.MULTILINE)[1:]]


def test_every_guarantee_names_a_test() -> None:
    assert len(guarantees()) > 15
    assert [item for item in guarantees() if not NAMED.search(item)] == []


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(PAGE.read_text())
    assert PAGE.read_text().count("tests/") == len(named)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    for file, test in named:
        tree = ast.parse((Path(ROOT) / file).read_text())
        functions = {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
        assert test in functions, f"{file} has no {test}"


# --- tasks


def test_a_task_s_steps_run_on_either_thread(prepared: Notebook) -> None:
    ok(
        prepared.run(
            "seen = []\n"
            "async def watch():\n"
            "    while True: seen.append(threading.current_thread().name); await asyncio.sleep(.01)\n"
            "t = asyncio.create_task(watch())"
        )
    )
    ok(prepared.run("while 'User loop' not in seen: time.sleep(.01)"))
    ok(prepared.run("while 'MainThread' not in seen: await asyncio.sleep(.01)"))
    assert ok(prepared.run("t.cancel(); sorted(set(seen))")).result == "['MainThread', 'User loop']"


def test_two_tasks_never_execute_at_the_same_instant(prepared: Notebook) -> None:
    ok(
        prepared.run(
            "inside, clashes, steps = [], [], 0\n"
            "async def step(name):\n"
            "    global steps\n"
            "    while True:\n"
            "        clashes.extend(inside); inside.append(name)\n"
            "        until = time.perf_counter() + .0003\n"
            "        while time.perf_counter() < until: pass\n"
            "        inside.remove(name); steps += 1\n"
            "        await asyncio.sleep(0)\n"
            "tasks = [asyncio.create_task(step(name)) for name in 'abc']"
        )
    )
    for _ in range(20):  # the loop moves between two threads each time
        prepared.submit("await asyncio.sleep(0)")
        prepared.submit("sum(range(1000));")
    ok(prepared.run("begun = steps\nwhile steps < begun + 100: time.sleep(.01)"))
    assert ok(prepared.run("[t.cancel() for t in tasks]; clashes")).result == "[]"


def test_during_an_awaiting_cell_tasks_run_on_main_between_its_awaits(prepared: Notebook) -> None:
    ok(
        prepared.run(
            "seen = []\n"
            "async def watch():\n"
            "    while True: seen.append(threading.get_ident()); await asyncio.sleep(0)\n"
            "t = asyncio.create_task(watch())"
        )
    )
    result = ok(
        prepared.run(
            "await asyncio.sleep(0); seen.clear()\n"
            "until = time.monotonic() + .1\n"
            "while time.monotonic() < until: pass\n"
            "while_busy = len(seen)\n"
            "while len(seen) < 9: await asyncio.sleep(0)\n"
            "t.cancel(); while_busy, set(seen) == {threading.main_thread().ident}"
        )
    ).result
    assert result == "(0, True)"


WAKES = {
    "queue": ("asyncio.Queue()", "await thing.get()", "thing.put_nowait(42)"),
    "event": ("asyncio.Event()", "await thing.wait() and 42", "thing.set()"),
    "future": ("asyncio.get_event_loop().create_future()", "await thing", "thing.set_result(42)"),
    "condition of a task": (
        "asyncio.Semaphore(0)",
        "await thing.acquire() and 42",
        "thing.release()",
    ),
}


@pytest.mark.parametrize(("make", "wait", "wake"), WAKES.values(), ids=WAKES)
def test_a_plain_cell_wakes_a_task_that_waits(make: str, wait: str, wake: str, prepared: Notebook) -> None:
    ok(
        prepared.run(
            f"thing = {make}; got = []\n"
            f"async def work(): got.append({wait})\n"
            "t = asyncio.create_task(work()); await asyncio.sleep(0)"
        )
    )
    # The loop is at home and sleeps; the cell gives it nothing else to do.
    woken = prepared.run(f"time.sleep(.05); {wake}\nwhile not got: time.sleep(.01)\ngot")
    assert ok(woken).result == "[42]"


# --- output


def test_lines_from_many_threads_arrive_whole(prepared: Notebook) -> None:
    cell = ok(
        prepared.run(
            "logging.basicConfig(format='%(message)s', stream=sys.stdout, force=True)\n"
            "ways = [lambda s: print(s), lambda s: sys.stdout.write(s + '\\n'), logging.warning]\n"
            "def say(number):\n"
            "    for step in range(300): ways[number % 3](f'<{number} {step}>')\n"
            "threads = [threading.Thread(target=say, args=(number,)) for number in range(6)]\n"
            "for t in threads: t.start()\n"
            "for t in threads: t.join()"
        )
    )
    expected = {f"<{number} {step}>" for number in range(6) for step in range(300)}
    said = re.findall(r"<\d \d+>", cell.stdout)
    assert len(said) == len(expected)
    assert set(said) == expected


# --- context variables, and what Python keeps in them


def test_a_subshell_and_a_background_cell_start_with_a_copy(prepared: Notebook) -> None:
    close_gate(prepared)
    ok(prepared.run("V = contextvars.ContextVar('V'); V.set('foreground'); None"))
    subshell = create(prepared)
    assert ok(subshell.run("V.get()")).result == "'foreground'"
    ok(subshell.run("V.set('subshell'); None"))
    background = in_background(prepared, f"before = V.get(); V.set('background')\n{WAITS['plain']}\nV.get()")
    assert ok(prepared.run("V.get()")).result == "'foreground'"
    open_gate(prepared)
    assert ok(background.wait()).result == "'background'"
    assert ok(subshell.run("V.get()")).result == "'subshell'"
    assert ok(prepared.run("V.get(), before")).result == "('foreground', 'foreground')"
    delete(subshell)


def test_a_widget_s_callback_has_a_copy(prepared: Notebook) -> None:
    ok(
        prepared.run(
            "from comm import create_comm\nV = contextvars.ContextVar('V', default='unset'); V.set('cell')\n"
            "seen = []; comm = create_comm(target_name='nobody')\n"
            "comm.on_msg(lambda message: (seen.append(V.get()), V.set('callback')))"
        )
    )
    comm_id = ok(prepared.run("print(comm.comm_id)")).stdout.strip()
    for _ in range(2):
        prepared.request("comm_msg", {"comm_id": comm_id, "data": {}}).wait_idle()
    assert ok(prepared.run("V.get(), seen")).result == "('cell', ['cell', 'cell'])"


def test_an_event_that_many_tasks_await_is_set_in_a_plain_cell(prepared: Notebook) -> None:
    ok(
        prepared.run(
            "async def work(event): await event.wait(); woken.append(1)\n"
            "async def start(event): return [asyncio.create_task(work(event)) for n in range(20)]\n"
            "woken = []"
        )
    )
    for number in range(1, 11):
        ok(prepared.run("event = asyncio.Event(); tasks = await start(event); await asyncio.sleep(0)"))
        ok(
            prepared.run(
                f"event.set(); event.is_set() or 1 / 0\nwhile len(woken) < {20 * number}: time.sleep(.001)"
            )
        )
    # Those who wait are woken though it is cleared at once; those who come later are not.
    ok(prepared.run("event.clear(); woken.clear(); tasks = await start(event); await asyncio.sleep(0)"))
    ok(prepared.run("event.set(); event.clear()\nwhile len(woken) < 20: time.sleep(.001)"))
    assert ok(prepared.run("tasks = await start(event); await asyncio.sleep(.01); len(woken)")).result == "20"
    ok(prepared.run("event.set(); None"))


@pytest.mark.parametrize("kind", WAITS)
def test_arithmetic_s_settings_are_each_cell_s_own(kind: str, prepared: Notebook) -> None:
    close_gate(prepared)
    ok(prepared.run("import numpy; decimal.getcontext().prec = 6; numpy.seterr(divide='raise');"))
    background = in_background(
        prepared,
        f"decimal.setcontext(decimal.Context(prec=3)); numpy.seterr(divide='ignore')\n{WAITS[kind]}\n"
        "decimal.Decimal(1) / 3, str(numpy.float64(1) / numpy.float64(0))",
    )
    assert ok(prepared.run("decimal.Decimal(1) / 3")).result == "Decimal('0.333333')"
    assert prepared.run("numpy.float64(1) / numpy.float64(0)").error[0] == "FloatingPointError"  # type: ignore[index]
    open_gate(prepared)
    assert ok(background.wait()).result == "(Decimal('0.333'), 'inf')"
    ok(prepared.run("decimal.getcontext().prec = 28; numpy.seterr(divide='warn');"))


def test_what_stays_on_main_can_be_kept_for_a_later_cell_and_forgotten(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(
        "import asyncio, threading, time\nfrom namespace_kernel import on_main\n"
        "async def who(): await asyncio.sleep(.02); return threading.current_thread().name"
    )
    fresh_notebook.run("task = asyncio.create_task(on_main(who()))\nkept = on_main(who())")
    fresh_notebook.run("time.sleep(.1)")
    assert fresh_notebook.run("await task, await kept").result == "('MainThread', 'MainThread')"
    forgotten = fresh_notebook.run("on_main(who());")
    assert "`who()` was called without `await`" in forgotten.receipt and "Warning" not in forgotten.text

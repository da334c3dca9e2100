"""Redirecting and capturing, by cells, tasks and threads: only what the redirecting code prints is taken."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.kernel.test_subshells import create
from tests.libraries.widgets import Page

PREPARE = """\
import asyncio, contextlib, gc, io, sys, threading, weakref
from contextlib import redirect_stdout, redirect_stderr
from IPython.utils.capture import capture_output
import ipywidgets as w
loop = asyncio.get_event_loop()
def renew():
    global gate, said, agate, asaid
    gate, said, agate, asaid = threading.Event(), threading.Event(), asyncio.Event(), asyncio.Event()
def open_gate(): gate.set(); loop.call_soon_threadsafe(agate.set)
def done(): said.set(); loop.call_soon_threadsafe(asaid.set)
def speak(): print("mine"); print("my error", file=sys.stderr); display("my display")
"""
SPEAKERS = {
    "thread": "threading.Thread(target=lambda: (gate.wait(30), speak(), done())).start()",
    "task": "async def run(): await agate.wait(); speak(); done()\n"
    "t = asyncio.create_task(run()); await asyncio.sleep(0)",
    "timer of the loop": """\
def run():
    if gate.is_set(): speak(); done()
    else: loop.call_later(.01, run)
loop.call_soon_threadsafe(run);""",
}
TAKERS = {
    "redirect_stdout": "with redirect_stdout(io.StringIO()) as f, redirect_stderr(f):",
    "capture_output": "with capture_output() as f:",
    "output widget": "with w.Output() as f:",
    "redirect to None": "f = None\nwith redirect_stdout(None), redirect_stderr(None):",
    "crossed": "f = None\nwith redirect_stdout(sys.stderr), redirect_stderr(sys.stdout):",
}
LETS_SPEAK = {
    "plain": "    print('before'); open_gate(); assert said.wait(30); print('after')",
    "awaiting": "    print('before'); open_gate(); await asyncio.wait_for(asaid.wait(), 30); print('after')",
}


@pytest.fixture(scope="module")
def _prepared() -> set[int]:
    return set()


@pytest.fixture
def ready(notebook: Notebook, _prepared: set[int]) -> Notebook:
    if notebook.pid not in _prepared:
        _prepared.add(notebook.pid)
        assert notebook.run(PREPARE).status == "ok"
    assert notebook.run("renew()").status == "ok"
    return notebook


@pytest.mark.parametrize("lets", LETS_SPEAK.values(), ids=LETS_SPEAK)
@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("speaker", SPEAKERS.values(), ids=SPEAKERS)
def test_who_redirects_does_not_take_what_an_earlier_cell_says(
    speaker: str, taker: str, lets: str, ready: Notebook
) -> None:
    first = ready.run(speaker)
    second = ready.run(f"{TAKERS[taker]}\n{lets}")
    assert second.status == "ok", second.text
    first.wait_for(lambda cell: bool(cell.stdout and cell.stderr and cell.displays), "all that it says")
    assert (first.stdout, first.stderr) == ("mine\n", "my error\n")
    assert [data["text/plain"] for data in first.displays] == ["'my display'"]
    assert "mine" not in second.text and "my " not in second.text
    if taker == "crossed":
        assert (second.stdout, second.stderr) == ("", "before\nafter\n")
    elif taker == "output widget":  # the page takes it out of what has the cell as its parent
        assert Page(ready).find("OutputModel").captured == "before\nafter\n"
    else:
        assert (second.stdout, second.stderr) == ("", "")
    if taker == "redirect_stdout":
        assert ready.run("f.getvalue()").result == "'before\\nafter\\n'"
    if taker == "capture_output":
        assert ready.run("f.stdout, f.stderr, f.outputs").result == "('before\\nafter\\n', '', [])"


REDIRECTS_LATER = {
    "task": """\
entered = asyncio.Event()
async def run():
    global f
    {}
        speak(); entered.set(); await agate.wait(); speak()
    print('free'); done()
t = asyncio.create_task(run()); await entered.wait()""",
    "thread": """\
entered = threading.Event()
def run():
    global f
    {}
        speak(); entered.set(); gate.wait(30); speak()
    print('free'); done()
threading.Thread(target=run).start(); assert entered.wait(30)""",
}


@pytest.mark.parametrize("taker", ["redirect_stdout", "capture_output", "output widget"])
@pytest.mark.parametrize("who", REDIRECTS_LATER)
def test_a_task_or_thread_that_redirects_takes_nothing_of_a_later_cell(
    who: str, taker: str, ready: Notebook
) -> None:
    first = ready.run(REDIRECTS_LATER[who].format(TAKERS[taker]))
    assert first.status == "ok", first.text
    second = ready.run("speak()")
    assert (second.stdout, second.stderr, len(second.displays)) == ("mine\n", "my error\n", 1)
    third = ready.run("await asyncio.sleep(0); speak()")
    assert (third.stdout, third.stderr, len(third.displays)) == ("mine\n", "my error\n", 1)
    ready.run("open_gate(); said.wait(30)")
    first.wait_for_text("free")
    if taker == "output widget":
        assert Page(ready).find("OutputModel").captured.count("mine") == 2
        return
    assert first.stdout == "free\n"
    taken = ready.run("f.getvalue() if hasattr(f, 'getvalue') else f.stdout + f.stderr")
    assert (
        taken.result is not None and taken.result.count("mine") == 2 and taken.result.count("my error") == 2
    )


def test_two_tasks_redirect_at_the_same_time(ready: Notebook) -> None:
    cell = ready.run("""\
async def run(name):
    with redirect_stdout(io.StringIO()) as f:
        for n in range(3): print(name, n, end=" "); await asyncio.sleep(.01)
    return f.getvalue()
a, b = await asyncio.gather(run("a"), run("b"))
print(a, b)""")
    assert cell.stdout == "a 0 a 1 a 2  b 0 b 1 b 2 \n"


def test_redirections_nest(ready: Notebook) -> None:
    cell = ready.run("""\
a, b = io.StringIO(), io.StringIO()
with redirect_stdout(a) as g:
    assert g is a
    print(1)
    with redirect_stdout(b): print(2)
    print(3)
    with redirect_stdout(a), redirect_stdout(None): print("nowhere")
    print(4)
print(5)
again = redirect_stdout(a)
with again:
    with again: print(6)
    print(7)
a.getvalue(), b.getvalue()""")
    assert (cell.stdout, cell.result) == ("5\n", r"('1\n3\n4\n6\n7\n', '2\n')")


def test_the_streams_can_be_redirected_to_each_other(ready: Notebook) -> None:
    cell = ready.run("""\
with redirect_stdout(sys.stderr): print("to stderr"); sys.stdout.flush()
with redirect_stdout(sys.stdout): print("to stdout")
with redirect_stdout(sys.stderr), redirect_stderr(sys.stdout): print("both", file=sys.stderr)
f = io.StringIO()
with redirect_stdout(f):
    with redirect_stderr(sys.stdout): print("to f", file=sys.stderr)
    with redirect_stdout(sys.__stdout__): print("to the kernel's own")
f.getvalue()""")
    assert cell.status == "ok", cell.text
    assert cell.result == r"'to f\n'"
    assert cell.stdout.startswith("to stdout\n")
    assert cell.stderr.startswith("to stderr\n")
    # As in Python, the second of the crossed ones takes what the first has made of its target.
    assert "both\n" in cell.stderr
    assert "both\n" not in cell.stdout


def test_a_redirection_ends_with_an_error_and_with_exit_stacks(ready: Notebook) -> None:
    failed = ready.run("with redirect_stdout(io.StringIO()) as f:\n    print('hidden'); 1 / 0")
    assert failed.error == ("ZeroDivisionError", "division by zero")
    assert (failed.stdout, ready.run("print('seen')").stdout) == ("", "seen\n")
    cell = ready.run("""\
with contextlib.ExitStack() as stack:
    f = stack.enter_context(redirect_stdout(io.StringIO())); print("hidden")
print("seen")
stack = contextlib.ExitStack(); stack.enter_context(redirect_stdout(f)); print("hidden"); stack.close()
print("seen")""")
    assert cell.stdout == "seen\nseen\n"


def test_a_redirection_may_begin_in_one_cell_and_end_in_another(ready: Notebook) -> None:
    first = ready.run("r = redirect_stdout(io.StringIO()); f = r.__enter__(); print('one')")
    second = ready.run("print('two')")
    third = ready.run("await asyncio.sleep(0); print('three'); r.__exit__(None, None, None); print('free')")
    assert (first.stdout, second.stdout, third.stdout) == ("", "", "free\n")
    assert ready.run("f.getvalue()").result == r"'one\ntwo\nthree\n'"


def test_a_generator_s_redirection_may_end_in_another_context(ready: Notebook) -> None:
    cell = ready.run("""\
def generate():
    with redirect_stdout(f := io.StringIO()): print("inside"); yield f
async def begin(): g = generate(); return g, next(g)
g, f = await asyncio.create_task(begin())
print("between")
g.close()
print("after")
f.getvalue()""")
    assert cell.status == "ok", cell.text
    assert (cell.stdout, cell.result) == ("between\nafter\n", r"'inside\n'")
    again = ready.run(
        "g = generate(); f = next(g); contextlib.closing(g)\nloop.call_soon_threadsafe(g.close);"
    )
    assert again.status == "ok"
    ready.run("await asyncio.sleep(0)")
    assert ready.run("print('free')").stdout == "free\n"


def test_a_thread_started_inside_inherits_it_and_prints_to_its_cell_afterwards(ready: Notebook) -> None:
    cell = ready.run("""\
def run():
    print("inside"); said.set(); assert gate.wait(30); print("outside"); done()
with redirect_stdout(io.StringIO()) as f:
    threading.Thread(target=run).start(); assert said.wait(30)
f.getvalue()""")
    assert cell.result == r"'inside\n'"
    other = ready.run("print('other'); open_gate()")
    cell.wait_for_text("outside")
    assert (cell.stdout, other.stdout) == ("outside\n", "other\n")


def test_a_task_started_inside_inherits_it_and_prints_to_its_cell_afterwards(ready: Notebook) -> None:
    cell = ready.run("""\
async def run(): print("inside"); asaid.set(); await agate.wait(); print("outside"); done()
with redirect_stdout(io.StringIO()) as f:
    t = asyncio.create_task(run()); await asaid.wait()
f.getvalue()""")
    assert cell.result == r"'inside\n'"
    other = ready.run("print('other'); open_gate()")
    cell.wait_for_text("outside")
    assert (cell.stdout, other.stdout) == ("outside\n", "other\n")


def test_assigning_sys_stdout_works_as_in_python(ready: Notebook) -> None:
    cell = ready.run("""\
kept, sys.stdout = sys.stdout, io.StringIO()
print("taken")
with redirect_stdout(io.StringIO()) as inner: print("inner")
print("again")
f, sys.stdout = sys.stdout, kept
print("free")
with redirect_stdout(io.StringIO()) as outer:
    kept, sys.stdout = sys.stdout, io.StringIO()
    print("assigned"); g, sys.stdout = sys.stdout, kept
    print("redirected")
f.getvalue(), inner.getvalue(), g.getvalue(), outer.getvalue()""")
    assert cell.result == r"('taken\nagain\n', 'inner\n', 'assigned\n', 'redirected\n')"
    assert cell.stdout == "free\n"


def test_sys_stdout_may_stay_assigned_and_be_put_back_by_a_later_cell(ready: Notebook) -> None:
    ready.run("kept, sys.stdout = sys.stdout, io.StringIO()")
    assert ready.run("print('taken')").stdout == ""
    assert ready.run("f, sys.stdout = sys.stdout, kept; print('free')\nf.getvalue()").result == r"'taken\n'"


@pytest.mark.parametrize("taker", ["redirect_stdout", "capture_output"])
def test_what_has_ended_keeps_nothing_alive(taker: str, ready: Notebook) -> None:
    cell = ready.run(f"""\
class Weak(io.StringIO): pass
async def wait(): await agate.wait()
{TAKERS[taker].replace("io.StringIO()", "Weak()")}
    print("x")
    threading.Thread(target=gate.wait).start(); t = asyncio.create_task(wait())
kept = weakref.ref(f); del f; gc.collect(); kept() is None""")
    assert cell.result == "True", cell.text
    ready.run("open_gate()")


@pytest.mark.parametrize("wait", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
def test_capture_takes_a_cell_that_awaits_and_nothing_of_others(wait: str, ready: Notebook) -> None:
    first = ready.run(SPEAKERS["task"])
    body = f"{wait}speak()\nopen_gate(); {'await asaid.wait()' if wait else 'said.wait(30)'}\n'result'"
    cell = ready.run(f"%%capture taken\n{body}")
    assert (cell.status, cell.text) == ("ok", "")
    first.wait_for_text("my display")
    assert (
        ready.run("taken.stdout, taken.stderr, len(taken.outputs)").result == r"('mine\n', 'my error\n', 2)"
    )
    assert first.stdout == "mine\n"


@pytest.mark.parametrize(
    "capture",
    [
        "%%capture\n{body}",
        "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()): {body}",
        "from IPython.utils.capture import capture_output\nwith capture_output(): {body}",
    ],
)
def test_what_is_asked_while_a_cell_captures_is_answered_where_it_was_asked(
    capture: str, fresh_notebook: Notebook
) -> None:
    fresh_notebook.run("import os, threading\ngo_on = threading.Event()")
    cell = fresh_notebook.submit(capture.format(body="os.write(1, b'begins'); go_on.wait(30)"))
    cell.wait_for_text("begins")
    assert "In [2]" in fresh_notebook.run("%ps").text, "in its first use, which makes its lane"
    beside = create(fresh_notebook).submit("print('said'); go_on.set()")
    assert beside.wait().stdout == "said\n"
    assert cell.wait().stdout == "begins"


TEES = """\
class Tee:
    def __init__(self, to): self.to = to
    def write(self, text): return self.to.write(text)
    def flush(self): self.to.flush()
ours = sys.{0}, sys.{0}
sys.{0} = Tee(sys.{0})"""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("begin", ["", "await asyncio.sleep(0)\n", "%%background\n"])
def test_what_a_stream_of_the_users_passes_on_is_the_cell_s_that_prints(
    begin: str, stream: str, ready: Notebook
) -> None:
    first = ready.run(TEES.format(stream))
    second = ready.run(f"{begin}print('second', file=sys.{stream})")
    third = create(ready).run(f"print('third', file=sys.{stream})")
    ready.run(f"sys.{stream} = ours[0]")
    second.wait_for_text("second")
    assert (first.text, second.text, third.text) == ("", "second\n", "third\n")

"""D8: an exception is there to be looked at, and let go after the next good cell."""

from __future__ import annotations

from tests.kernel.client import Notebook

FAILING = """\
import weakref, gc
class Big: pass
def h():
    global r
    b = Big(); r = weakref.ref(b); raise ValueError
h()"""


def test_the_demo_as_written(notebook: Notebook) -> None:
    assert notebook.run(FAILING).error == ("ValueError", "")
    assert notebook.run('"ok"').result == "'ok'"
    assert notebook.run("gc.collect(); r() is None").result == "True"


def test_the_same_holds_when_the_failing_cell_awaits(notebook: Notebook) -> None:
    failing = "import asyncio; await asyncio.sleep(0)\n" + FAILING
    assert notebook.run(failing).error == ("ValueError", "")
    assert notebook.run("await asyncio.sleep(0); 'ok'").result == "'ok'"
    assert notebook.run("gc.collect(); r() is None").result == "True"


def test_exception_is_the_failed_cell_s_right_after_it_and_none_after_a_good_one(notebook: Notebook) -> None:
    for waiting in ("", "import asyncio; await asyncio.sleep(0)\n"):
        notebook.run(waiting + "raise ValueError('seen')")
        assert notebook.run("repr(_exception)").result == "\"ValueError('seen')\""
        assert notebook.run("repr(_exception)").result == "'None'"


def test_debug_opens_the_failed_frame(notebook: Notebook) -> None:
    notebook.run(FAILING)
    debugging = notebook.submit("%debug", allow_stdin=True)
    assert "ipdb>" in debugging.wait_for_input_request()["prompt"]
    notebook.answer("type(b).__name__")
    debugging.wait_for_input_request(2)
    notebook.answer("q")
    debugging.wait()
    assert debugging.status == "ok"
    assert "'Big'" in debugging.text

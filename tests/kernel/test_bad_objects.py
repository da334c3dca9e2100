"""User code that raises where somebody else calls it: in a repr, a comparison, a destructor, a hook."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernel.client import Notebook

KINDS = {"plain": "", "awaiting": "import asyncio; await asyncio.sleep(0)\n"}
each_kind = pytest.mark.parametrize("waiting", KINDS.values(), ids=KINDS)

BAD = """\
import asyncio
class Bad:
    def __repr__(self): raise ValueError("no repr")
    def __eq__(self, other): raise ValueError("no comparison")
    def __hash__(self): raise ValueError("no hash")
    def __bool__(self): raise ValueError("no truth")
    def __len__(self): raise ValueError("no length")
    def __getattr__(self, name): raise ValueError(f"no attribute {name}")
    def __iter__(self): raise ValueError("no iteration")
class BadDel:
    def __del__(self): raise ValueError("no end")
class BadError(Exception):
    def __str__(self): raise ValueError("no message")
    __repr__ = __str__
class BadMeta(type):
    def __instancecheck__(cls, x): raise ValueError("no instance check")
    def __repr__(cls): raise ValueError("no class repr")
class BadClass(metaclass=BadMeta): pass
precious = ["kept"]"""


@pytest.fixture
def intact(notebook: Notebook) -> Iterator[Notebook]:
    """A kernel with badly behaved classes, whose namespace is checked after the test."""
    assert notebook.run(BAD).status == "ok"
    pid = notebook.pid
    yield notebook
    assert notebook.alive and notebook.pid == pid
    assert notebook.run("precious").result == "['kept']"
    assert notebook.run("await asyncio.sleep(0, 42)").result == "42"
    assert notebook.run("_").result == "42"


@each_kind
def test_a_repr_that_raises_is_shown_with_its_reason(waiting: str, intact: Notebook) -> None:
    cell = intact.run(waiting + "Bad()")
    assert "no repr" in cell.text or "no attribute" in cell.text
    assert intact.run("type(_).__name__").result == "'Bad'", "it is the last result all the same"


@each_kind
def test_a_value_that_cannot_be_compared_is_bound_rebound_and_deleted(waiting: str, intact: Notebook) -> None:
    for code in (
        "bad = Bad()",
        "bad = Bad()",
        "held = [Bad()]; other = {'k': Bad()}",
        "del bad, held, other",
    ):
        cell = intact.run(waiting + code)
        assert (cell.status, cell.outputs) == ("ok", []), f"{code}: {cell.text}"
    assert intact.run("bad").error == ("NameError", "name 'bad' is not defined")


@each_kind
def test_a_class_whose_metaclass_raises_is_bound(waiting: str, intact: Notebook) -> None:
    cell = intact.run(waiting + "worse = BadClass(); classes = [BadClass, worse]")
    assert (cell.status, cell.outputs) == ("ok", []), cell.text


@each_kind
def test_a_destructor_that_raises_is_reported_and_ends_nothing(waiting: str, intact: Notebook) -> None:
    cell = intact.run(waiting + "bad = BadDel(); del bad; 'after'")
    assert cell.result == "'after'"
    cell.wait_for_text("no end")


@each_kind
def test_an_exception_whose_message_raises_is_an_error_of_its_class(waiting: str, intact: Notebook) -> None:
    cell = intact.run(waiting + "raise BadError()")
    assert cell.status == "error"
    assert "BadError" in cell.text
    assert "raise BadError()" in cell.text


@each_kind
def test_an_exception_that_is_not_an_exception_is_an_error_like_others(
    waiting: str, intact: Notebook
) -> None:
    cell = intact.run(waiting + "class Odd(BaseException): pass\nraise Odd('odd')")
    assert cell.error == ("Odd", "odd")


@pytest.mark.parametrize(
    "error", ["GeneratorExit", "asyncio.CancelledError", "StopIteration", "KeyboardInterrupt"]
)
@each_kind
def test_an_exception_that_means_something_to_machinery_is_only_an_error_here(
    waiting: str, error: str, intact: Notebook
) -> None:
    cell = intact.run(f"{waiting}raise {error}('by hand')")
    assert cell.status == "error"
    assert cell.reply["ename"] in (error.rpartition(".")[2], "RuntimeError")
    assert "by hand" in cell.traceback


@pytest.mark.parametrize("event", ["pre_execute", "pre_run_cell", "post_execute", "post_run_cell"])
def test_an_event_callback_that_raises_is_reported_under_the_cell(event: str, intact: Notebook) -> None:
    intact.run("def hook(*args): raise ValueError('hook broke')")
    intact.run(f"get_ipython().events.register({event!r}, hook)")
    try:
        for code in ("6 * 7", "await asyncio.sleep(0, 42)"):
            cell = intact.run(code)
            assert (cell.status, cell.result) == ("ok", "42")
            assert "hook broke" in cell.text
    finally:
        intact.run(f"get_ipython().events.unregister({event!r}, hook)")


@each_kind
def test_a_display_formatter_that_raises_is_reported(waiting: str, intact: Notebook) -> None:
    intact.run("""\
class Shown: pass
def broken(shown): raise ValueError("formatter broke")
get_ipython().display_formatter.formatters["text/html"].for_type(Shown, broken);""")
    cell = intact.run(waiting + "Shown()")
    assert "formatter broke" in cell.text
    assert cell.status == "error", "as in ipykernel: what could not be displayed marks the cell"
    assert (cell.reply["ename"], cell.reply["evalue"]) == ("ValueError", "formatter broke")
    assert cell.result is not None and "Shown" in cell.result, "what can be shown is shown"


@each_kind
def test_a_transformer_that_raises_is_reported_and_can_be_removed(waiting: str, intact: Notebook) -> None:
    intact.run("""\
def broken(lines):
    if any("trigger" in line for line in lines): raise ValueError("transformer broke")
    return lines
get_ipython().input_transformers_post.append(broken)""")
    cell = intact.run(waiting + "trigger = 1")
    assert cell.status == "error"
    assert "transformer broke" in cell.text
    assert intact.run("get_ipython().input_transformers_post.remove(broken)").status == "ok"
    assert intact.run(waiting + "trigger = 1; trigger").result == "1"


@each_kind
def test_an_ast_transformer_that_raises_is_reported(waiting: str, intact: Notebook) -> None:
    # Python shows a warning of the same words once, and IPython's has the object's address.
    intact.run(f"""\
import ast
class Broken(ast.NodeTransformer):
    def __repr__(self): return {waiting!r}
    def visit_Constant(self, node): raise ValueError("visitor broke")
get_ipython().ast_transformers.append(Broken());""")
    cell = intact.run(waiting + "6 * 7")
    assert "visitor broke" in cell.text
    assert intact.run("get_ipython().ast_transformers").result == "[]", "IPython removes it"


def test_an_exception_handler_of_the_user_s_that_raises_ends_nothing(intact: Notebook) -> None:
    intact.run("""\
await asyncio.sleep(0)
def broken(loop, context): raise ValueError("handler broke")
asyncio.get_running_loop().set_exception_handler(broken)
asyncio.get_running_loop().call_soon(lambda: 1 / 0);""")
    assert intact.run("await asyncio.sleep(.05, 42)").result == "42"
    intact.run("await asyncio.sleep(0); asyncio.get_running_loop().set_exception_handler(None)")


@pytest.mark.parametrize(
    "attack",
    [
        "await asyncio.sleep(0); asyncio.get_running_loop().stop()",
        "asyncio.get_event_loop().stop()",
        "await asyncio.sleep(0)\nfor t in asyncio.all_tasks(): t.cancel()",
        "await asyncio.sleep(0); asyncio.get_running_loop().call_soon(asyncio.get_running_loop().stop)",
        "for t in asyncio.all_tasks(asyncio.get_event_loop()): t.cancel()",
        "asyncio.get_event_loop().close()",
        "asyncio.set_event_loop(None)",
        "asyncio.set_event_loop(asyncio.new_event_loop())",
    ],
)
def test_a_user_loop_that_user_code_stops_or_empties_serves_the_next_cell(
    attack: str, fresh_notebook: Notebook
) -> None:
    fresh_notebook.run("import asyncio")
    fresh_notebook.run(attack)
    assert fresh_notebook.run("await asyncio.sleep(.01, 42)").result == "42"
    assert (
        fresh_notebook.run("asyncio.get_event_loop().run_until_complete(asyncio.sleep(0, 43))").result == "43"
    )
    started = fresh_notebook.run("async def say(): print('still')\nasyncio.create_task(say());")
    started.wait_for_text("still")


@pytest.mark.parametrize(
    "attack",
    [
        "import sys; sys.stdout.close()",
        "import os; os.close(1)",
        "import builtins; builtins.print = None",
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
        "import threading; threading.settrace(lambda *a: 1 / 0)",
        "import warnings; warnings.simplefilter('error')",
        "import gc; gc.disable()",
        "import os, tempfile; d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)",
    ],
)
def test_rough_treatment_of_the_process_leaves_the_next_cell_its_result(
    attack: str, fresh_notebook: Notebook
) -> None:
    fresh_notebook.run(attack)
    assert fresh_notebook.run("40 + 2").result == "42"
    assert fresh_notebook.run("import asyncio; await asyncio.sleep(0, 43)").result == "43"

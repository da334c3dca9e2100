"""The public methods of ipykernel's `Kernel` are what they are there: most answer, none is a coroutine."""

from __future__ import annotations

import inspect

import pytest
from ipykernel.ipkernel import IPythonKernel

from namespace_kernel.kernel.kernel import NamespaceKernel
from tests.kernel.client import Notebook

METHODS = [name for name in dir(IPythonKernel) if name.startswith("do_")]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_keeps_its_kind(name: str) -> None:
    ours, theirs = getattr(NamespaceKernel, name), getattr(IPythonKernel, name)
    assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(theirs)


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("do_complete('some_na', 7)['matches']", "['some_name']"),
        ("do_inspect('some_name', 3)['found']", "True"),
        ("do_is_complete('for x in y:')", "{'status': 'incomplete', 'indent': '    '}"),
        ("do_history('range', False, True, session=0, start=0)['status']", "'ok'"),
    ],
)
@pytest.mark.parametrize("begins", ["", "import asyncio; await asyncio.sleep(0)\n"])
def test_a_cell_can_call_it(begins: str, call: str, answer: str, notebook: Notebook) -> None:
    notebook.run("some_name = 1")
    assert notebook.run(f"{begins}get_ipython().kernel.{call}").result == answer


def test_requests_are_answered_where_warnings_are_errors(fresh_notebook: Notebook) -> None:
    fresh_notebook.run("import warnings; warnings.simplefilter('error'); some_name = 1")
    asked = {"code": "some_na", "cursor_pos": 7}
    assert fresh_notebook.ask("complete_request", asked)["matches"] == ["some_name"]
    assert fresh_notebook.ask("inspect_request", {**asked, "detail_level": 0})["status"] == "ok"
    assert fresh_notebook.ask("is_complete_request", {"code": "1"})["status"] == "complete"
    fields = {"hist_access_type": "range", "output": False, "raw": True, "session": 0, "start": 1}
    assert fresh_notebook.ask("history_request", fields)["status"] == "ok"
    ended = fresh_notebook.request("shutdown_request", {"restart": True}, channel="control")
    fresh_notebook.pump(lambda: bool(ended.replies), "the shutdown_reply")
    assert ended.reply == {"status": "ok", "restart": True}
    assert fresh_notebook.wait_exit() == 0


@pytest.mark.parametrize("restart", [True, False])
@pytest.mark.parametrize("begins", ["", "import asyncio; await asyncio.sleep(0)\n"])
def test_do_shutdown_answers_and_the_kernel_ends_after_the_cell(
    begins: str, restart: bool, fresh_notebook: Notebook
) -> None:
    """Whoever watches the process (a server) starts another."""
    cell = fresh_notebook.run(f"{begins}answer = get_ipython().kernel.do_shutdown({restart})\nprint(answer)")
    assert cell.status == "ok" and cell.stdout == f"{{'status': 'ok', 'restart': {restart}}}\n"
    assert fresh_notebook.wait_exit() == 0

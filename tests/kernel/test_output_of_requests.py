"""What the user's objects print while completion or inspection asks them belongs to that request."""

from __future__ import annotations

import pytest

from tests.conftest import StartNotebook
from tests.kernel.cells import Cell, Message, Request
from tests.kernel.client import Notebook

PRELUDE = """\
import builtins, logging, sys, warnings
from IPython.display import display
said = []
def speak(what):
    said.append(what)
    print("printed by", what); print("an error of", what, file=sys.stderr); display("shown by " + what)
    warnings.warn("warned by " + what); logging.warning("logged by %s", what)
class Loud:
    @property
    def prop(self): speak("property"); return "x"
    def __dir__(self): speak("dir"); return ["prop", "other"]
    def __repr__(self): speak("repr"); return "Loud"
class Answers:
    def __getattr__(self, name):
        if name != "value": raise AttributeError(name)
        speak("getattr"); return "x"
class Asks:
    @property
    def prop(self): return input("a question")
loud, answers, asks = Loud(), Answers(), Asks()
def transform(lines):
    if lines[0][:1] == "~": speak("transformer")
    return lines
get_ipython().input_transformers_cleanup.append(transform)"""

REQUESTS: dict[str, tuple[str, Message]] = {
    "dir": ("complete_request", {"code": "loud.", "cursor_pos": 5}),
    "property": ("complete_request", {"code": "loud.prop.", "cursor_pos": 10}),
    "getattr": ("complete_request", {"code": "answers.value.", "cursor_pos": 14}),
    "repr": ("inspect_request", {"code": "loud", "cursor_pos": 4, "detail_level": 0}),
    "transformer": ("is_complete_request", {"code": "~ 1"}),
}


@pytest.fixture(scope="module")
def prepared(start_notebook: StartNotebook) -> tuple[Notebook, Cell]:
    notebook = start_notebook()
    prelude = notebook.run(PRELUDE, allow_stdin=True)
    assert prelude.status == "ok", prelude.text
    return notebook, prelude


def texts_of(request: Request) -> str:
    contents = [message["content"] for message in request.messages]
    return "".join(content.get("text", "") + str(content.get("data", "")) for content in contents)


@pytest.mark.parametrize(("what", "request_"), REQUESTS.items(), ids=REQUESTS)
def test_what_an_object_says_belongs_to_the_request(
    what: str, request_: tuple[str, Message], prepared: tuple[Notebook, Cell]
) -> None:
    notebook, prelude = prepared
    last = notebook.run("warnings.simplefilter('always'); said.clear()")
    asked = notebook.request(*request_).wait()
    assert what in notebook.run("said").result
    said = texts_of(asked)
    for words in ("printed by", "an error of", "shown by", "logged by"):
        assert f"{words} {what}" in said, said
    assert f"warned by {what}" in said or what in ("property", "getattr"), "IPython silences those"
    assert asked.messages[-1]["content"].get("execution_state") == "idle", "what is said comes before idle"
    assert not prelude.outputs and not last.outputs


def test_it_does_so_while_a_cell_runs(prepared: tuple[Notebook, Cell]) -> None:
    notebook, _ = prepared
    running = notebook.submit("import threading; go_on = threading.Event(); print('begun'); go_on.wait()")
    running.wait_for_text("begun")
    asked = notebook.request(*REQUESTS["dir"]).wait()
    notebook.request("complete_request", {"code": "go_on.set().", "cursor_pos": 12}).wait()
    assert "printed by dir" in texts_of(asked)
    notebook.interrupt("SIGINT")
    running.wait()
    assert "dir" not in running.stdout + running.stderr


def test_a_question_is_refused_and_not_asked_under_the_last_cell(prepared: tuple[Notebook, Cell]) -> None:
    notebook, _ = prepared
    last = notebook.run("1", allow_stdin=True)
    asked = notebook.request("complete_request", {"code": "asks.prop.", "cursor_pos": 10}).wait()
    assert asked.reply["status"] == "ok"
    assert not asked.input_requests and not last.input_requests


@pytest.mark.parametrize("code", ["", " ", "    ", "\t", "x = 5\n    ", "def f():\n\t"])
def test_completing_blanks_shows_no_traceback(code: str, prepared: tuple[Notebook, Cell]) -> None:
    notebook, _ = prepared
    last = notebook.run("1")
    asked = notebook.request("complete_request", {"code": code, "cursor_pos": len(code)}).wait()
    assert "loud" in asked.reply["matches"]
    notebook.run("1")
    assert "Traceback" not in texts_of(asked) + last.stderr + notebook.log

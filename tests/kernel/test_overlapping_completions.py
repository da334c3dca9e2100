"""Completions that overlap, above all while jedi is imported: jedi is in one thread at a time."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.kernel.test_while_busy import asked

#: jedi's import waits for a gate.
SLOW_IMPORT = """\
import sys, threading
from importlib.machinery import PathFinder
entered, gate = threading.Event(), threading.Event()
class Slow:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != {name!r}:
            return None
        spec = PathFinder.find_spec(name, path)
        run = spec.loader.exec_module
        def exec_module(module):
            entered.set()
            gate.wait(60)
            run(module)
        spec.loader.exec_module = exec_module
        return spec
sys.meta_path.insert(0, Slow)
quick_name = 1
class Thing:
    attribute_one = attribute_two = 1
thing = Thing()"""

#: jedi itself takes its time, and counts those who are in it.
SLOW_JEDI = """\
import jedi, threading, time
lock, inside, most, times = threading.Lock(), 0, 0, 0
original = jedi.Interpreter.complete
def complete(self, *args, **options):
    global inside, most, times
    with lock:
        inside += 1; times += 1
        most = max(most, inside)
    try:
        time.sleep(1.3)
        return original(self, *args, **options)
    finally:
        with lock: inside -= 1
jedi.Interpreter.complete = complete
quick_name = 1"""

WANTED = {"pri": "print", "quick_n": "quick_name", "thing.attri": ".attribute_one", "thr": "threading"}
IMPORTED = ("jedi.api", "parso.python.tree", "jedi.inference.compiled.mixed", "jedi.api.completion")


def matches(notebook: Notebook, text: str) -> list[str]:
    found: list[str] = notebook.ask("complete_request", asked(text))["matches"]
    return found


def finds(found: list[str], name: str) -> bool:
    return any(match.endswith(name.lstrip(".")) for match in found)


@pytest.mark.parametrize("name", IMPORTED)
def test_a_completion_overtakes_one_that_imports_jedi(name: str, fresh_notebook: Notebook) -> None:
    notebook = fresh_notebook
    assert notebook.run(SLOW_IMPORT.format(name=name)).status == "ok"
    first = notebook.request("complete_request", asked("pri"))
    assert notebook.run("entered.wait(30)").result == "True"
    for text, wanted in WANTED.items():
        assert finds(matches(notebook, text), wanted), text
    assert notebook.ask("inspect_request", {**asked("quick_name"), "detail_level": 0})["found"]
    assert not first.done
    notebook.run("gate.set()")
    assert finds(first.wait().reply["matches"], "print")
    for text, wanted in WANTED.items():
        assert finds(matches(notebook, text), wanted), f"{text} completes to nothing for good"
    assert notebook.run("'jedi' in sys.modules").result == "True"


def test_completions_that_overlap_at_the_start_of_a_session_find_names(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(SLOW_IMPORT.format(name="jedi.api") + "\ngate.set()")
    texts = [*WANTED] * 3
    asked_for = [
        fresh_notebook.request("complete_request", asked(text), channel)
        for text, channel in zip(texts, ["shell", "control", "shell", "shell"] * 3, strict=True)
    ]
    for text, request in zip(texts, asked_for, strict=True):
        assert finds(request.wait().reply["matches"], WANTED[text]), text
    for text, wanted in WANTED.items():
        assert finds(matches(fresh_notebook, text), wanted), text


def test_jedi_is_in_one_thread_at_a_time(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(SLOW_JEDI)
    asked_for = [
        fresh_notebook.request("complete_request", asked("quick_n"), channel)
        for channel in ("shell", "control", "shell", "shell", "control", "shell")
    ]
    for request in asked_for:
        assert finds(request.wait().reply["matches"], "quick_name")
    assert fresh_notebook.run("inside, most").result == "(0, 1)"
    assert finds(matches(fresh_notebook, "pri"), "print")
    assert fresh_notebook.run("most, times > 1").result == "(1, True)", "and it is used again afterwards"


def test_a_slow_completion_is_overtaken_without_jedi(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(SLOW_JEDI + "\ngate = threading.Event()\ntime = type('', (), {'sleep': gate.wait})")
    slow = fresh_notebook.request("complete_request", asked("quick_n"))
    fresh_notebook.run("while not inside: pass")
    assert finds(matches(fresh_notebook, "quick_n"), "quick_name")
    assert fresh_notebook.ask("inspect_request", {**asked("quick_name"), "detail_level": 0})["found"]
    assert not slow.done and fresh_notebook.run("times").result == "1"
    fresh_notebook.run("gate.set()")
    assert finds(slow.wait().reply["matches"], "quick_name")

"""The kernel asks what is started for nothing: an attribute may be a request, or fail, or be made anew."""

from __future__ import annotations

import pytest

from tests.conftest import StartNotebook
from tests.kernel.client import Notebook

PRELUDE = """\
import asyncio, concurrent.futures, functools, threading, multiprocessing.pool
from unittest.mock import Mock
asked = []
class Meta(type):
    def __getattribute__(cls, name):
        if name not in ("__init__", "__new__", "__call__", "mro", "__doc__", "__await__"): asked.append(name)
        return super().__getattribute__(name)
class Proxy:
    def __getattribute__(self, name):
        if name == "__name__": raise AttributeError(name)  # Python's Thread asks for it
        asked.append(name)
        raise ConnectionError("no such server")
    def __call__(self, *args): done.append(args)
class Answers:
    def __getattr__(self, name): asked.append(name); return Answers()
    def __call__(self, *args): done.append(args)
class Named:
    @property
    def func(self): asked.append("property"); return 5
    __code__ = __func__ = func
    def __eq__(self, other): asked.append("eq"); return False
    __hash__ = None
    def __call__(self, *args): done.append(args)
class OfMeta(metaclass=Meta):
    def __init__(self, *args): done.append(args)
class Methods:
    __getattribute__ = Proxy.__getattribute__
    def run(self, *args): done.append(args)
class OwnThread(threading.Thread):
    _target = property(lambda self: asked.append("target"), lambda self, value: None)
    function = property(lambda self: asked.append("function"))
    cancelling = lambda self: asked.append("cancelling")
    def is_alive(self): asked.append("alive"); return super().is_alive()
    def __setattr__(self, name, value):
        if "kernel" in name: asked.append(name)
        super().__setattr__(name, value)
    def run(self): done.append(())
done = []
partial = functools.partial(functools.partial(Proxy(), 1))
method = object.__getattribute__(Methods(), "run")
callables = {"proxy": Proxy(), "answers": Answers(), "named": Named(), "class": OfMeta, "partial": partial,
             "method": method}"""

CALLABLES = ("proxy", "answers", "named", "class", "partial", "method")
WAYS = {
    "a thread": "t = threading.Thread(target=one); asked.clear(); t.start(); t.join()",
    "a named thread": "t = threading.Thread(target=one, name='t'); asked.clear(); t.start(); t.join()",
    "a timer": "t = threading.Timer(0, one); asked.clear(); t.start(); t.join()",
    "a job": "with concurrent.futures.ThreadPoolExecutor() as pool: pool.submit(one).result()",
    "an executor's job": "await asyncio.get_running_loop().run_in_executor(None, one)",
    "a pool's job": "with multiprocessing.pool.ThreadPool(1) as pool: pool.apply_async(one).get()",
}


@pytest.fixture(scope="module")
def prepared(start_notebook: StartNotebook) -> Notebook:
    notebook: Notebook = start_notebook()
    prelude = notebook.run(PRELUDE)
    assert prelude.status == "ok", prelude.text
    return notebook


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("name", CALLABLES)
def test_what_is_started_is_asked_for_nothing(name: str, way: str, prepared: Notebook) -> None:
    cell = prepared.run(f"done.clear(); asked.clear(); one = callables[{name!r}]\n{way}\nasked, len(done)")
    assert cell.result == "([], 1)", cell.text


def test_a_mock_gets_no_children(prepared: Notebook) -> None:
    cell = prepared.run(
        "mock = Mock()\nwith concurrent.futures.ThreadPoolExecutor() as pool: pool.submit(mock).result()\n"
        "mock._mock_children"
    )
    assert cell.result == "{}", cell.text


def test_a_thread_of_ones_own_is_asked_for_nothing(prepared: Notebook) -> None:
    cell = prepared.run("asked.clear(); t = OwnThread(); asked.clear(); t.start()\nasked, t.join()")
    assert cell.result == "([], None)", cell.text
    prepared.run("go_on = threading.Event(); OwnThread.run = lambda self: go_on.wait()")
    cell = prepared.run("asked.clear(); t = OwnThread(); asked.clear(); t.start()")
    assert "1 thread still ran" in cell.receipt
    assert "OwnThread" in prepared.run("%ps").text or "Thread-" in prepared.run("%ps").text
    assert prepared.run("go_on.set(); asked").result == "[]"


@pytest.mark.parametrize(
    "code",
    [
        "asyncio.ensure_future(Odd())",
        "asyncio.create_task(Odd())",
        "await asyncio.gather(Odd())",
    ],
)
def test_a_coroutine_of_ones_own_is_asked_for_nothing(code: str, prepared: Notebook) -> None:
    prepared.run(
        "import collections.abc\n"
        "class Odd(collections.abc.Coroutine):\n"
        "    ended = False\n"
        "    def __getattr__(self, name): asked.append(name); raise ConnectionError(name)\n"
        "    def send(self, value): raise StopIteration(7)\n"
        "    def throw(self, *error): raise error[0]\n"
        "    def close(self): pass\n"
        "    def __await__(self): return iter(())"
    )
    cell = prepared.run(f"asked.clear()\n{code}\nawait asyncio.sleep(0)\nasked")
    assert cell.result == "[]", cell.text
    assert prepared.run("%ps").status == "ok"

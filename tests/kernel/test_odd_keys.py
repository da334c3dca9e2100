"""`globals()` holds keys that are no plain strings: cells run, and nothing of the kernel's fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernel.client import Notebook

SETUP = """\
def armed(arms=[]):
    if arms == [1]: raise RuntimeError("eq")
    return False
class Key:
    def __hash__(self): return 7
    def __eq__(self, other): raise RuntimeError("eq")
class SameHash:
    def __init__(self, name): self.name = name
    def __hash__(self): return hash(self.name)
    def __eq__(self, other): return armed()
class HashedOnce:
    hashed = 0
    def __hash__(self):
        self.hashed += 1
        if self.hashed > 1: raise RuntimeError("hash")
        return 7
class Name(str):
    pass
class OddName(str):
    def __hash__(self): return str.__hash__(self)
    def __eq__(self, other): return armed()
    def __getattribute__(self, name): raise RuntimeError("attribute")
class LostName(str):
    def __hash__(self): return 7
class NoText:
    def __repr__(self): raise RuntimeError("repr")
    def __bool__(self): raise RuntimeError("bool")
    def __lt__(self, other): raise RuntimeError("lt")
import numpy
before = 1"""

KEYS = {
    "a number": "5",
    "zero": "0",
    "a tuple": "(1, 'x')",
    "None": "None",
    "bytes": "b'_'",
    "a float": "float('nan')",
    "a type": "int",
    "a function": "print",
    "an equality that raises": "Key()",
    "a hash that raises later": "HashedOnce()",
    "a string's subclass": "Name('some_name')",
    "numpy's string": "numpy.str_('some_name')",
    "a string's odd subclass": "OddName('some_name')",
    "a string's subclass with another hash": "LostName('_')",
    "no text": "NoText()",
    "no identifier": "'no identifier'",
    "an empty string": "''",
    "half a character": "'\\ud800'",
}


#: These have the hash of a name; then IPython's own magics fail, as in ipykernel.
AT_A_NAME = {
    "a name of the engine": "SameHash('_')",
    "the error's name": "SameHash('_exception')",
    "the user's name": "SameHash('before')",
    "a name of the engine, by a string's subclass": "OddName('__')",
}


#: The keys do not raise yet when they come: that would be the cell's own error.
PUT = "globals()[{key}] = 2; armed.__defaults__[0].append(1)"


@pytest.fixture
def prepared(notebook: Notebook) -> Iterator[Notebook]:
    notebook.run("get_ipython().reset()")
    notebook.run(SETUP)
    yield notebook
    reset = notebook.run("get_ipython().reset()")
    assert reset.status == "ok", reset.text
    assert notebook.run("[key for key in globals() if type(key) is not str]").result == "[]"
    assert notebook.run("6 * 7").result == "42"
    assert notebook.run("_").result == "42"


def clean(notebook: Notebook, code: str) -> str | None:
    """The result of a cell under which nothing else stands."""
    cell = notebook.run(code)
    assert cell.status == "ok", cell.text
    kinds = [kind for kind, _ in cell.outputs]
    assert set(kinds) <= {"execute_result", "display_data"}, cell.text
    assert "namespace_kernel" not in cell.text
    return cell.result


@pytest.mark.parametrize("way", ["{put}", "import asyncio; await asyncio.sleep(0); {put}"])
@pytest.mark.parametrize("key", [*KEYS.values(), *AT_A_NAME.values()], ids=[*KEYS, *AT_A_NAME])
def test_cells_run_on(key: str, way: str, prepared: Notebook) -> None:
    log = len(prepared.log)
    assert clean(prepared, way.format(put=PUT.format(key=key))) is None
    assert clean(prepared, "x = 1; y = 2  # some_name before _ __ _exception") is None
    assert clean(prepared, "del y; z = x + 1") is None  # what is compared in another way
    assert clean(prepared, "z") == "2"
    assert clean(prepared, "import asyncio; await asyncio.sleep(0, z + 1)") == "3"
    assert prepared.run("for _ in range(3): pass\n1 / 0").error == ("ZeroDivisionError", "division by zero")
    assert clean(prepared, "6 * 7") == "42"
    assert clean(prepared, "_") == "42"
    assert clean(prepared, "async def f(): return 'held'\nheld = [f()]") is None
    assert clean(prepared, "await held[0]") == "'held'"
    assert "Traceback" not in prepared.log[log:]


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_whoever_looks_at_the_names_copes(key: str, prepared: Notebook) -> None:
    prepared.run(PUT.format(key=key) + "\nvery_long_name = 3")
    for look in ("%namespace", "%namespace --live", "%ps", "%tasks", "x = [1]; x"):
        cell = prepared.run(look)
        assert cell.status == "ok", cell.text
        assert "Traceback" not in cell.text
    completed = prepared.ask("complete_request", {"code": "very_l", "cursor_pos": 6})
    assert completed["status"] == "ok" and "very_long_name" in completed["matches"]
    assert prepared.ask("complete_request", {"code": "very_long_name.", "cursor_pos": 15})["status"] == "ok"
    inspected = prepared.ask(
        "inspect_request", {"code": "very_long_name", "cursor_pos": 4, "detail_level": 0}
    )
    assert inspected["found"] is True


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_cells_in_another_process_cope(key: str, prepared: Notebook) -> None:
    prepared.run(PUT.format(key=key) + "\nread = 20")
    assert (
        clean(prepared, "%%isolated\nwritten = read + 1\nglobals()[5] = 2\nglobals()[None] = 3\nwritten")
        == "21"
    )
    assert clean(prepared, "written") == "21"
    assert clean(prepared, "%%background\nbeside = read + 2") is None
    assert clean(prepared, "%wait\nbeside") == "22"

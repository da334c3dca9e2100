"""What is changed in Python while the kernel serves, and not in what a cell forks or starts."""

from __future__ import annotations

import sys

import pytest

from namespace_kernel.patches import WHEN_USED, WHILE_SERVING
from tests.kernel.client import Notebook

NEW_IN_3_13 = {"asyncio.Queue.shutdown", "asyncio.Server.close_clients", "asyncio.Server.abort_clients"}
NAMES = {
    f"{owner}.{name}"
    for owner, names, _ in WHILE_SERVING
    for name in names.split()
    if sys.version_info >= (3, 13) or f"{owner}.{name}" not in NEW_IN_3_13
}
LATE = {f"{owner}.{name}" for owner, names, _ in WHEN_USED for name in names.split()}

#: What stands in the place of a function says what it stands for; the one for warnings is a method of ours.
PREPARE = f"""\
import asyncio, inspect, os, pickle, pkgutil, sys, multiprocessing.pool
names, late = {sorted(NAMES)}, {sorted(LATE)}

def changed(names):
    found = []
    for name in names:
        owner, _, own = name.rpartition(".")
        value = vars(pkgutil.resolve_name(owner)).get(own)
        if hasattr(value, "__wrapped__") or inspect.ismethod(value):
            found.append(name)
    return found"""


WRAPPED = {
    "a thread": (
        "threading.Thread",
        "start",
        "thread = threading.Thread(target=say, args=('ran',)); thread.start(); thread.join()",
        "ran",
    ),
    "a job": (
        "threading.Thread",
        "start",
        "with concurrent.futures.ThreadPoolExecutor() as pool: pool.submit(say, 'ran').result()",
        "ran",
    ),
    "a loop": ("asyncio", "run", "say(asyncio.run(asyncio.sleep(0, 'ran')))", "ran"),
    "tasks": ("asyncio", "all_tasks", "with suppress(RuntimeError): say(str(asyncio.all_tasks()))", ""),
    "a handler": (
        "signal",
        "signal",
        "signal.signal(signal.SIGUSR1, lambda *_: say('ran')); signal.raise_signal(signal.SIGUSR1)",
        "ran",
    ),
    "a command": ("os", "system", "say(str(os.system('exit 3') >> 8))", "3"),
}


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    cell = notebook.run(PREPARE)
    assert cell.status == "ok", cell.text
    return notebook


def test_all_of_the_inventory_is_changed(prepared: Notebook) -> None:
    """A kernel that is started safe, with `-P`, starts others so without us."""
    safe = {"multiprocessing.util._args_from_interpreter_flags"}
    assert prepared.run(f"sys.flags.safe_path, sorted(set(names) - set(changed(names)) - {safe})").result == (
        "(True, [])"
    )


def test_what_is_changed_when_it_is_used_is_python_s_own_until_then(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(PREPARE)
    assert fresh_notebook.run("changed(late)").result == "[]"
    fresh_notebook.run("with multiprocessing.pool.ThreadPool(1) as pool: pool.map(str, [1])")
    fresh_notebook.run("pool = multiprocessing.get_context('spawn').Pool(1); pool.terminate()")
    assert fresh_notebook.run("sorted(set(late) - set(changed(late)))").result == "[]"


@pytest.mark.parametrize("way", ["plain", "awaiting"])
def test_a_forked_child_has_python_s_own(way: str, prepared: Notebook) -> None:
    cell = prepared.run(
        ("await asyncio.sleep(0)\n" if way == "awaiting" else "") + "reader, writer = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    try: os.write(writer, repr(changed(names + late)).encode())\n"
        "    finally: os._exit(0)\n"
        "os.close(writer); os.wait(); os.read(reader, 100_000).decode()"
    )
    assert cell.result == "'[]'", cell.text


@pytest.mark.parametrize(("owner", "name", "use", "told"), list(WRAPPED.values()), ids=WRAPPED)
def test_who_has_put_something_before_ours_keeps_it_in_a_child(
    owner: str, name: str, use: str, told: str, fresh_notebook: Notebook
) -> None:
    """And ours, which it calls, does as Python's own."""
    fresh_notebook.run(PREPARE)
    fresh_notebook.run(
        "import asyncio, signal, threading, concurrent.futures\nfrom contextlib import suppress\n"
        f"ours = {owner}.{name}\n"
        "def theirs(*args, **options): return ours(*args, **options)\n"
        f"{owner}.{name} = theirs"
    )
    cell = fresh_notebook.run(
        "reader, writer = os.pipe()\n"
        "def say(text): os.write(writer, text.encode())\n"
        "if os.fork() == 0:\n"
        "    try:\n"
        f"        {use}\n"
        f"        say(' still theirs' if {owner}.{name} is theirs else ' gone')\n"
        "    except BaseException as error: say(repr(error))\n"
        "    finally: os._exit(0)\n"
        "os.close(writer); os.wait(); os.read(reader, 100).decode()"
    )
    assert cell.result == repr(f"{told} still theirs"), cell.text


@pytest.mark.parametrize("name", ["os.system", "asyncio.run", "asyncio.gather", "inspect.getfile"])
def test_what_stands_there_can_be_pickled_as_python_s_own(name: str, prepared: Notebook) -> None:
    cell = prepared.run(f"pickle.loads(pickle.dumps({name})) is {name}, {name}.__name__")
    assert cell.result == str((True, name.partition(".")[2])), cell.text

"""What a cell does to its process: it has an outcome in words, and the next cell runs."""

from __future__ import annotations

import sys
import time

import pytest

from tests.kernel.client import Notebook
from tests.trust.conftest import SOON, WANTED, goes_on, run

pytestmark = pytest.mark.trust("faults", WANTED, unit="rows")

# --- sys.stdout and sys.stderr

TEE = """\
class Tee:
    def __init__(self, to): self.to = to
    def write(self, text): return self.to.write(text)
"""

#: What a cell assigns, and what it is told.
STREAMS = {
    "a file that it closes": (
        "with open('out.txt', 'w') as file:\n    sys.{name} = file\n    print('x', file=file)",
        "was closed",
    ),
    "a closed StringIO": ("import io\nsys.{name} = io.StringIO()\nsys.{name}.close()", "was closed"),
    "a Tee without flush": (TEE + "sys.{name} = Tee(sys.{name})", "has no `flush`"),
    "one whose flush raises": (
        TEE + "Tee.flush = lambda self: 1/0\nsys.{name} = Tee(sys.{name})",
        "could not be flushed (ZeroDivisionError: division by zero)",
    ),
    "one whose flush exits": (
        TEE + "Tee.flush = lambda self: sys.exit(3)\nsys.{name} = Tee(sys.{name})",
        "could not be flushed (SystemExit: 3)",
    ),
    "a number": ("sys.{name} = 5", "was of the type `int`, which has no `write`"),
    "None": ("sys.{name} = None", "was None"),
    "a number, in an awaiting cell": ("import asyncio\nawait asyncio.sleep(0)\nsys.{name} = 5", "type `int`"),
}


@pytest.mark.parametrize("name", ["stdout", "stderr"])
@pytest.mark.parametrize("what", STREAMS)
def test_a_stream_that_cannot_be_used_is_replaced(what: str, name: str, kernel: Notebook) -> None:
    code, told = STREAMS[what]
    cell = run(kernel, "import sys\n" + code.format(name=name))
    assert cell.status == "ok"
    assert f"`sys.{name}` {told}" in cell.stderr or (
        f"`sys.{name}` was" in cell.stderr and told in cell.stderr
    )
    assert cell.stderr.count("the notebook's own again") == 1
    assert run(kernel, f"print('heard', file=sys.{name})").text == "heard\n"
    goes_on(kernel)


@pytest.mark.parametrize("name", ["stdout", "stderr"])
@pytest.mark.parametrize("value", ["del sys.{name}", "sys.{name} = 5"])
def test_an_error_is_shown_though_the_stream_is_gone(value: str, name: str, kernel: Notebook) -> None:
    cell = run(kernel, f"import sys\n{value.format(name=name)}\n1/0")
    assert cell.reply["ename"] == "ZeroDivisionError" and "1/0" in cell.traceback
    goes_on(kernel)


CLOSE = ("sys.{0}.close()", "sys.__{0}__.close()", "with sys.{0}: pass", "sys.{0}.__del__()")


@pytest.mark.parametrize("name", ["stdout", "stderr"])
@pytest.mark.parametrize("code", CLOSE)
def test_the_notebooks_own_stream_stays_open(code: str, name: str, spoilt: Notebook) -> None:
    cell = run(spoilt, "import os, sys\n" + code.format(name) + f"\nprint('same', file=sys.{name})")
    assert (cell.status, cell.text) == ("ok", "same\n")
    assert run(spoilt, f"print('next', file=sys.{name})").text == "next\n"
    assert run(spoilt, "!echo child; echo other >&2").text.split() == ["child", "other"]
    goes_on(spoilt)


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_that_is_deleted_comes_back(name: str, kernel: Notebook) -> None:
    cell = run(kernel, f"import sys\ndel sys.{name}")
    assert name in cell.text
    goes_on(kernel)


def test_a_result_and_a_display_are_shown_though_the_streams_are_gone(kernel: Notebook) -> None:
    cell = run(
        kernel, "import sys\nfrom IPython.display import display\nsys.stdout = 5\ndisplay('shown')\n42"
    )
    assert cell.displays == [{"text/plain": "'shown'"}] and cell.result == "42"
    goes_on(kernel)


def test_a_background_cell_takes_no_streams_away(kernel: Notebook) -> None:
    cell = run(kernel, "%%background\nimport sys\nsys.stdout = sys.stderr = 5")
    assert "the notebook's own again" in cell.wait_for_text("own again").stderr
    goes_on(kernel)


def test_a_stream_that_works_stays_the_users(kernel: Notebook) -> None:
    run(kernel, "import io, sys\nours, sys.stdout = sys.stdout, io.StringIO()\nprint('one')")
    assert run(kernel, "print('two')").text == ""
    cell = run(kernel, "text = sys.stdout.getvalue()\nsys.stdout = ours\ntext")
    assert cell.result == repr("one\ntwo\n")
    goes_on(kernel)


# --- Functions of Python

REPLACED = {
    "json.loads": "import json\njson.loads = None",
    "os.getpid": "import os\nos.getpid = None",
    "time.monotonic": "import time\ntime.monotonic = None",
    "time.time": "import time\ntime.time = 5",
    "threading.Thread": "import threading\nthreading.Thread = None",
    "signal.signal": "import signal\nsignal.signal = None",
    "builtins.str": "import builtins\nbuiltins.str = None",
    "builtins.int": "import builtins\nclass int(int): pass\nbuiltins.int = int",
    "builtins.repr": "import builtins\nbuiltins.repr = None",
    "builtins.len": "import builtins\ndel builtins.len",
    "builtins.__import__": "import builtins\nbuiltins.__import__ = None",
    "builtins.Exception": "import builtins\nbuiltins.Exception = None",
    "sys.modules": "import sys\nsys.modules.clear()",
    "sys.modules (another dict)": "import sys\nsys.modules = {}",
    "sys.modules (all None)": "import sys\nfor name in list(sys.modules): sys.modules[name] = None",
}


@pytest.mark.parametrize("name", REPLACED)
def test_a_function_without_which_nothing_works_is_put_back(name: str, spoilt: Notebook) -> None:
    cell = run(spoilt, REPLACED[name])
    spoken = name.partition(" ")[0]
    told = cell.text + run(spoilt, "pass").text
    assert spoken in told and "replaced" in told
    goes_on(spoilt)


@pytest.mark.parametrize(
    "code",
    [
        "import builtins\nfor name in list(vars(builtins)): vars(builtins)[name] = None",
        "import builtins\nvars(builtins).clear()",
        "import builtins\nbuiltins.isinstance = builtins.type = builtins.super = None",
        "import select\nselect.select = select.poll = None",
        "import asyncio\nasyncio._set_running_loop = asyncio._get_running_loop = asyncio.Task = None",
        "import warnings, io, re\nwarnings.warn = io.StringIO = re.compile = None",
        "def no(*_, **__): raise ImportError('no')\nimport builtins\nbuiltins.__import__ = no",
        "del __builtins__",
        "__builtins__ = 5",
        "globals().clear()\nkept = ['kept']",
        "import asyncio\nasyncio.get_event_loop().stop()",
        "import asyncio\nasyncio.set_event_loop(None)",
        "import asyncio\nasyncio.get_event_loop().close()",
        "import asyncio, sys\nasyncio.get_event_loop().call_soon(sys.exit, 3)",
    ],
)
def test_the_next_cells_run(code: str, spoilt: Notebook) -> None:
    run(spoilt, code)
    goes_on(spoilt)


FROZEN = """\
import sys, time
frozen = time.time()
for name in ("time", "monotonic", "perf_counter"):
    real, fake = getattr(time, name), lambda: frozen
    for module in list(sys.modules.values()):
        for attribute, value in list(getattr(module, "__dict__", {}).items()):
            if value is real: setattr(module, attribute, fake)
"""


def test_frozen_time_stays_frozen_and_stops_nothing(spoilt: Notebook) -> None:
    assert run(spoilt, FROZEN).stderr == ""
    cell = spoilt.submit("print('at once', flush=True)\nwhile True: pass").wait_for_text("at once")
    spoilt.interrupt("SIGINT")
    cell.wait()
    goes_on(spoilt)
    assert run(spoilt, "time.time() == time.monotonic() == frozen").result == "True"
    assert spoilt.ask("complete_request", {"code": "kep", "cursor_pos": 3})["matches"] == ["kept"]


def test_what_works_in_the_place_of_a_function_stays(kernel: Notebook) -> None:
    code = "import builtins, time, unittest.mock as mock\nprint_, sleep = print, time.sleep\n"
    code += "builtins.print = lambda *args: print_('mine', *args)\ntime.sleep = mock.Mock()"
    assert run(kernel, code).text == ""
    assert run(kernel, "time.sleep(1000)\nprint(1)").stdout == "mine 1\n"
    run(kernel, "builtins.print, time.sleep = print_, sleep")
    goes_on(kernel)


LIBRARIES = {
    "nest_asyncio": "import nest_asyncio; nest_asyncio.apply()",
    "classes of its own": "import threading, asyncio\nclass Event(threading.Event): pass\n"
    "class Other: pass\nthreading.Event = Event\nasyncio.Future = asyncio.Queue = Other",
    "nothing of select": "import select\ndel select.epoll, select.poll",
    "a policy": "import uvloop; uvloop.install()",
    "mocks": "from unittest import mock\nfor name in ('os.getpid', 'json.dumps', "
    "'select.select', 'socket.socket', 'logging.Logger'): _ = mock.patch(name).start()",
}


@pytest.mark.parametrize("code", LIBRARIES.values(), ids=LIBRARIES)
def test_what_libraries_put_in_the_place_of_python_is_left_alone(code: str, spoilt: Notebook) -> None:
    assert run(spoilt, code).text == ""
    assert run(spoilt, "print('heard')").text == "heard\n"
    goes_on(spoilt)


@pytest.mark.parametrize(
    "code",
    [
        "logging.Logger._log = None",
        "logging.disable(100)",
        "logging.Handler.handle = logging.StreamHandler.emit = logging.shutdown = None",
        "class Broken(logging.Handler):\n    def emit(self, _): raise SystemExit\n    flush = close = emit\n"
        "for name in (None, 'namespace_kernel'): logging.getLogger(name).addHandler(Broken(0))",
    ],
)
def test_the_end_does_not_wait_for_a_broken_log(code: str, spoilt: Notebook) -> None:
    run(spoilt, "import logging\n" + code)
    goes_on(spoilt)
    began = time.monotonic()
    spoilt.request("shutdown_request", {"restart": False}, channel="control")
    spoilt.wait_exit()
    assert time.monotonic() - began < 4


def test_cells_have_few_frames_above_them(spoilt: Notebook) -> None:
    run(spoilt, "import sys; sys.setrecursionlimit(60)")
    for code in (
        "x = 1\nx",
        "print(1)",
        "import asyncio\nawait asyncio.sleep(0)",
        "import json; json.dumps([1])",
    ):
        assert run(spoilt, code).status == "ok"
    run(spoilt, "sys.setrecursionlimit(3000)")
    goes_on(spoilt)


@pytest.mark.parametrize("value", ["None", "5", "'text'", "[5]", "[None]", "[]"])
def test_a_path_that_is_none_harms_until_it_is_set_right(value: str, spoilt: Notebook) -> None:
    run(spoilt, f"import sys; kept_path, sys.path = sys.path, {value}")
    cell = run(spoilt, "import colorsys")
    assert cell.reply["ename"] in ("TypeError", "ModuleNotFoundError") and "namespace_kernel" not in cell.text
    cell = run(spoilt, "1/0")
    assert cell.reply["ename"] == "ZeroDivisionError" and "ZeroDivisionError" in cell.traceback
    for request in ("complete_request", "inspect_request"):
        assert spoilt.ask(request, {"code": "kept.app", "cursor_pos": 8, "detail_level": 0})["status"]
    run(spoilt, "sys.path = kept_path")
    assert run(spoilt, "import colorsys").status == "ok"
    asked = {"code": "kept.app", "cursor_pos": 8}
    assert spoilt.ask("complete_request", asked)["matches"] == ["append"]
    goes_on(spoilt)


@pytest.mark.skipif(sys.platform != "linux", reason="only there the kernel's state can be known")
@pytest.mark.parametrize(
    "end", ["pass", "time.sleep(100)", "print(1, flush=True)", "await asyncio.sleep(100)"]
)
@pytest.mark.parametrize("last", [100, 60_000])
def test_a_kernel_that_loses_its_descriptors_ends_and_says_why(last: int, end: str, spoilt: Notebook) -> None:
    spoilt.submit(f"import asyncio, os, time\nos.closerange(3, {last})\n{end}")
    assert spoilt.wait_exit(SOON) < 0
    until = time.monotonic() + SOON
    while "file descriptors were closed" not in spoilt.log and time.monotonic() < until:
        time.sleep(0.01)  # another process writes it
    assert spoilt.log.count("file descriptors were closed, as by `os.closerange(3, 100)`") == 1


# --- What a cell puts into its reply


@pytest.mark.parametrize("value", ["object()", "{1: lambda: 0}", "[[print]]", "payload"])
def test_a_payload_that_is_no_json_is_the_cells_error(value: str, kernel: Notebook) -> None:
    code = "payload = {'source': 'x'}\n" + f"payload['data'] = {value}\n"
    cell = run(kernel, code + "get_ipython().payload_manager.write_payload(payload)\nprint('done')")
    assert cell.status == "error" and cell.stdout == "done\n"
    assert "what it put into its reply by `write_payload` cannot be sent" in cell.reply["evalue"]
    assert "write_payload" in cell.traceback
    goes_on(kernel)


# --- Hooks


@pytest.mark.parametrize(
    "error", ["ZeroDivisionError('mine')", "SystemExit('mine')", "GeneratorExit('mine')"]
)
def test_a_toolkit_that_fails_is_given_up(error: str, kernel: Notebook) -> None:
    run(kernel, "from IPython.terminal import pt_inputhooks")
    run(kernel, f"def hook(context): raise {error}\npt_inputhooks.register('mine', hook)")
    cell = run(kernel, "%gui mine").wait_for_text("mine")
    assert "The toolkit of %gui failed" in cell.text and "hook(context)" in cell.text
    goes_on(kernel)


@pytest.mark.parametrize(
    "error", ["ZeroDivisionError('mine')", "SystemExit('mine')", "KeyboardInterrupt('mine')"]
)
def test_a_signals_handler_may_raise_while_no_cell_runs(error: str, kernel: Notebook) -> None:
    code = f"import signal\ndef handle(*_): raise {error}\nsignal.signal(signal.SIGALRM, handle)\n"
    cell = run(kernel, code + "_ = signal.setitimer(signal.ITIMER_REAL, 0.1)").wait_for_text("mine")
    assert "handle(*_)" in cell.text
    goes_on(kernel)


@pytest.mark.parametrize("event", ["pre_execute", "pre_run_cell", "post_execute", "post_run_cell"])
@pytest.mark.parametrize("error", ["ZeroDivisionError", "SystemExit", "GeneratorExit", "KeyboardInterrupt"])
def test_an_events_hook_may_raise_anything(error: str, event: str, kernel: Notebook) -> None:
    register = "get_ipython().events.{what}('{event}', hook)"
    run(kernel, f"def hook(*_): raise {error}('mine')\n" + register.format(what="register", event=event))
    cell = run(kernel, "print('runs')")
    assert cell.stdout.startswith("runs\n") or "runs\n" in cell.stdout
    assert "hook" in cell.text
    run(kernel, register.format(what="unregister", event=event))
    goes_on(kernel)


def test_a_transformer_may_exit(spoilt: Notebook) -> None:
    run(
        spoilt, "def transform(lines):\n    if 'mine' in lines[0]: raise SystemExit('mine')\n    return lines"
    )
    run(spoilt, "get_ipython().input_transformers_cleanup.append(transform)")
    assert run(spoilt, "mine").reply["ename"] == "SystemExit"
    goes_on(spoilt)


def test_what_completion_asks_may_exit(kernel: Notebook) -> None:
    run(kernel, "class Shy:\n    def __dir__(self): raise SystemExit\nshy = Shy()")
    for _ in range(2):
        assert "matches" in kernel.ask("complete_request", {"code": "shy.a", "cursor_pos": 5}) or True
    goes_on(kernel)


def test_exit_still_ends_the_kernel(spoilt: Notebook) -> None:
    spoilt.submit("exit()")
    assert spoilt.wait_exit() == 0


# --- Switches of the interpreter, and limits of the process

TRACING = "import sys, threading\ndef trace(*_): return trace\n"
SWITCHES = {
    "no garbage collection": "import gc; gc.disable()",
    "threads that hardly switch": "import sys; sys.setswitchinterval(5)",
    "a trace": TRACING + "sys.settrace(trace)",
    "a trace that fails": "import sys\ndef trace(*_): 1/0\nsys.settrace(trace)",
    "a profile": TRACING + "sys.setprofile(trace)",
    "a trace of threads": TRACING + "threading.settrace(trace); threading.setprofile(trace)",
    "no session": "get_ipython().kernel.session = None",
    "a folder that is gone": "import os, tempfile\n"
    "folder = tempfile.mkdtemp()\nos.chdir(folder)\nos.rmdir(folder)",
    "a lock of logging's": "import logging\nfor reference in logging._handlerList: reference().acquire()",
    "an impossible list": "[0] * 10**13",
    "a result without memory": "class Greedy:\n    def __repr__(self): raise MemoryError\nGreedy()",
}
LIMITS = {
    "no file may be written": "RLIMIT_FSIZE, (0, 10**9)",
    "no file may be opened": "RLIMIT_NOFILE, (3, 1000)",
    "no process may be started": "RLIMIT_NPROC, (0, 1000)",
}
if sys.platform != "win32":
    SWITCHES |= {
        name: f"import resource; resource.setrlimit(resource.{what})" for name, what in LIMITS.items()
    }


@pytest.mark.parametrize("name", SWITCHES)
def test_cells_run_whatever_is_switched(name: str, spoilt: Notebook) -> None:
    cell = run(spoilt, SWITCHES[name])
    assert cell.status == "ok" or cell.reply["ename"] in ("MemoryError", "ZeroDivisionError"), cell.text
    goes_on(spoilt)
    spoilt.request("shutdown_request", {"restart": False}, channel="control")
    assert spoilt.wait_exit() == 0


#: Locks that the first traceback may need, because of what it imports.
HELD = {
    "logging's": "import logging\nlock = logging._lock",
    "stack_data's": "import importlib._bootstrap as b\nlock = b._get_module_lock('stack_data')",
    "that of what it imports": "import importlib._bootstrap as b\nlock = b._get_module_lock('executing')",
    "that of the colours": "import importlib._bootstrap as b\nlock = b._get_module_lock('pygments.styles')",
}
HOLD = """
import threading
held, free = threading.Event(), threading.Event()
def hold():
    lock.acquire(); held.set(); free.wait(); lock.release()
threading.Thread(target=hold, daemon=True).start()
held.wait(); None"""


@pytest.mark.parametrize("begins", ["", "import asyncio\nawait asyncio.sleep(0)\n", "%%background\n"])
@pytest.mark.parametrize("lock", HELD.values(), ids=HELD)
def test_the_first_traceback_waits_for_no_lock_of_the_users(lock: str, begins: str, spoilt: Notebook) -> None:
    assert run(spoilt, lock + HOLD).status == "ok"
    cell = run(spoilt, f"{begins}1/0").wait_for_text("ZeroDivisionError", SOON)
    assert "division by zero" in cell.text and "ImportError" not in cell.text
    goes_on(spoilt)
    run(spoilt, "free.set()")
    assert "1/0" in run(spoilt, "1/0").traceback

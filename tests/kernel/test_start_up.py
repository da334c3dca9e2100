"""What a kernel loads only when it is used, and that nobody sees the difference."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.kernel.test_debugger import attached


def loaded(notebook: Notebook, *modules: str) -> str | None:
    cell = notebook.run(f"import sys; [name for name in {modules!r} if name in sys.modules]")
    assert cell.status == "ok"
    return cell.result


def test_the_debugger_is_imported_when_it_is_used(fresh_notebook: Notebook) -> None:
    modules = ("debugpy", "pydevd")
    info = fresh_notebook.ask("kernel_info_request")
    assert "debugger" in info["supported_features"]
    ask_debugger = {"type": "request", "seq": 1, "command": "debugInfo", "arguments": {}}
    before = fresh_notebook.ask("debug_request", ask_debugger, channel="control")
    assert loaded(fresh_notebook, *modules) == "[]"
    inspect = {**ask_debugger, "command": "inspectVariables"}
    assert fresh_notebook.ask("debug_request", inspect, channel="control")["success"]
    assert loaded(fresh_notebook, *modules) == str(list(modules))
    assert fresh_notebook.ask("debug_request", ask_debugger, channel="control") == before


def test_a_cell_runs_while_the_debugger_is_imported(fresh_notebook: Notebook) -> None:
    code = "import sys, time\nuntil = time.monotonic() + 60\nprint('ready', flush=True)\n"
    code += "while 'debugpy' not in sys.modules and time.monotonic() < until: pass\n'debugpy' in sys.modules"
    cell = fresh_notebook.submit(code)
    fresh_notebook.pump(lambda: bool(cell.stdout), "the cell to run")
    with attached(fresh_notebook, prepare=""):
        assert cell.wait().result == "True"


def test_breakpoint_asks_at_the_prompt_also_when_the_debugger_has_been_imported(
    fresh_notebook: Notebook,
) -> None:
    hook = "import sys; sys.breakpointhook.__module__"
    assert fresh_notebook.run(hook).result == "'namespace_kernel.kernel.debugging.breakpoints'"
    with attached(fresh_notebook, prepare=""):
        assert fresh_notebook.run(hook).result == "'namespace_kernel.kernel.debugging.breakpoints'"


def test_the_kernels_own_modules_are_not_debugged_though_imported_late(fresh_notebook: Notebook) -> None:
    with attached(fresh_notebook, prepare=""):
        code = (
            "from namespace_kernel.kernel.debugging import debugger\n"
            "from namespace_kernel.execution import bridge\n"
            "hidden = get_ipython().kernel.debugger.kernel_modules\n"
            "[m.__file__ in hidden for m in (debugger, bridge)]"
        )
        assert fresh_notebook.run(code).result == "[True, True]"


def test_a_first_cell_needs_no_profilers_scripts_or_processes(fresh_notebook: Notebook) -> None:
    modules = ("psutil", "IPython.core.magics.script", "cProfile", "jedi")
    for code in ("1 + 1", "print(1)", "x = [1]"):
        assert fresh_notebook.run(code).status == "ok"
    assert loaded(fresh_notebook, *modules) == "[]"
    assert fresh_notebook.run("%%bash\nexit 3").status == "error"
    assert fresh_notebook.run("_exit_code").result == "3"
    assert fresh_notebook.run(
        "get_ipython().magics_manager.registry['ScriptMagics'].script_magics[:1]"
    ).result
    assert "process" not in (fresh_notebook.run("%ps").stderr or "")


def test_the_app_still_makes_clients_of_its_own_kernel(fresh_notebook: Notebook) -> None:
    code = (
        "from namespace_kernel.app import NamespaceKernelApp as App\n"
        "client = App.instance().blocking_client()\n"
        "type(client).__name__, client.ip, App.instance().ip"
    )
    assert fresh_notebook.run(code).result == "('BlockingKernelClient', '127.0.0.1', '127.0.0.1')"


def test_garbage_is_collected_in_cells(fresh_notebook: Notebook) -> None:
    code = (
        "import gc, weakref\n"
        "class Ring: pass\n"
        "ring = Ring(); ring.me = ring; alive = weakref.ref(ring); del ring\n"
        "made = [[] for _ in range(100_000)]; del made\n"
        "gc.isenabled(), alive()"
    )
    assert fresh_notebook.run(code).result == "(True, None)"


# What Jupyter's packages import on the way to a first cell, and do not call.
UNUSED = ("importlib.metadata", "dateutil", "logging.config", "packaging.version", "IPython.core.completer")


def test_what_others_import_and_do_not_call_is_imported_when_it_is_called(fresh_notebook: Notebook) -> None:
    assert loaded(fresh_notebook, *UNUSED) == "[]"
    uses = {
        "from jupyter_client import jsonutil\n"
        "[jsonutil.parse_date(f'2026-01-02T03:04:05{zone}').tzname() for zone in ('Z', '+01:00')]": (
            "['UTC', 'UTC+01:00']"
        ),
        "str(jsonutil._dateutil_parse('2026-01'))": "'2026-01-01 00:00:00'",  # which Python's parser refuses
        "from datetime import datetime\n"
        "import warnings; warnings.simplefilter('ignore'); "
        "jsonutil._ensure_tzinfo(datetime(2026, 1, 2)).tzinfo is not None": "True",
        "from jupyter_client.provisioning import factory\n"
        "[*factory.KernelProvisionerFactory.instance().get_provisioner_entries()]": "['local-provisioner']",
        "factory.EntryPoint('some', 'value', 'group').name": "'some'",
        "import ipykernel.eventloops as e; e._use_appnope()": "False",
        "class App(type(get_ipython().kernel.parent)): logging_config = {'version': 1}\n"
        "App()._configure_logging(); App.__name__": "'App'",
    }
    for code, result in uses.items():
        cell = fresh_notebook.run(code)
        assert cell.result == result, cell.text


COMPLETER_USES = {
    "%config": ("%config IPCompleter.use_jedi = False\nget_ipython().Completer.use_jedi", "False"),
    "an own completer": (
        "ip = get_ipython()\n"
        "ip.set_custom_completer(lambda self, text: ['own'])\n"
        "[matcher('o') for matcher in ip.Completer.custom_matchers], bool(ip.complete('%c')[1])",
        "([['own']], True)",
    ),
    "a hook of before": (
        "ip = get_ipython()\n"
        "ip.set_hook('complete_command', lambda self, event: ['hooked'], str_key='%hooked')\n"
        "ip.complete('h', '%hooked h')[1]",
        "['hooked']",
    ),
}


@pytest.mark.parametrize(("code", "result"), COMPLETER_USES.values(), ids=COMPLETER_USES)
def test_the_completer_is_made_when_it_is_used(code: str, result: str, fresh_notebook: Notebook) -> None:
    assert loaded(fresh_notebook, "IPython.core.completer") == "[]"
    assert fresh_notebook.run(code).result == result
    assert loaded(fresh_notebook, "IPython.core.completer") == "['IPython.core.completer']"
    reply = fresh_notebook.ask("complete_request", {"code": "import o", "cursor_pos": 8})
    assert "os" in reply["matches"]


@pytest.mark.parametrize("first", ["pdb", "IPython.core.debugger"])
def test_pdb_is_ipythons_whichever_is_imported_first(first: str, fresh_notebook: Notebook) -> None:
    code = (
        f"import {first}; import pdb, IPython.core.debugger\n"
        "debugger = IPython.core.debugger\n"
        "pdb.Pdb is debugger.InterruptiblePdb is debugger.Pdb, pdb.set_trace is debugger.set_trace"
    )
    assert fresh_notebook.run(code).result == "(True, True)"


def test_the_date_of_a_request_is_one_with_a_time_zone(fresh_notebook: Notebook) -> None:
    code = "date = get_ipython().parent_header['header']['date']; type(date).__name__, str(date.utcoffset())"
    assert fresh_notebook.run(code).result == "('datetime', '0:00:00')"

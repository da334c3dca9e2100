"""What a kernel loads only when it is used, and that nobody sees the difference."""

from __future__ import annotations

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
    assert fresh_notebook.run(hook).result == "'namespace_kernel.breakpoints'"
    with attached(fresh_notebook, prepare=""):
        assert fresh_notebook.run(hook).result == "'namespace_kernel.breakpoints'"


def test_the_kernels_own_modules_are_not_debugged_though_imported_late(fresh_notebook: Notebook) -> None:
    with attached(fresh_notebook, prepare=""):
        code = (
            "import namespace_kernel.debugger, namespace_kernel.bridge\n"
            "hidden = get_ipython().kernel.debugger.kernel_modules\n"
            "[m.__file__ in hidden for m in (namespace_kernel.debugger, namespace_kernel.bridge)]"
        )
        assert fresh_notebook.run(code).result == "[True, True]"


def test_a_first_cell_needs_no_clients_profilers_scripts_or_processes(fresh_notebook: Notebook) -> None:
    modules = ("jupyter_client.manager", "psutil", "IPython.core.magics.script", "cProfile", "jedi")
    for code in ("1 + 1", "print(1)", "x = [1]"):
        assert fresh_notebook.run(code).status == "ok"
    assert loaded(fresh_notebook, *modules) == "[]"
    later = "import jupyter_client; jupyter_client.KernelManager.__module__, jupyter_client.__version__ > '8'"
    assert fresh_notebook.run(later).result == "('jupyter_client.manager', True)"
    assert fresh_notebook.run("from jupyter_client import *; MultiKernelManager.__name__").status == "ok"
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

"""What a start leaves in `sys.modules` is the modules themselves: whatever a first cell imports, it works."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from tests.kernel.client import Notebook

#: What a cell may import first, each in the state in which the kernel has just started.
FIRST = [
    # What imports a part of a package that the kernel itself has imported, or has not.
    *(
        "jupyter_client.manager",
        "jupyter_client.blocking",
        "jupyter_client.asynchronous",
        "jupyter_client.provisioning",
    ),
    *(
        "jupyter_client.kernelspec",
        "jupyter_client.multikernelmanager",
        "jupyter_client.threaded",
        "jupyter_client.ssh",
    ),
    *(
        "ipykernel.inprocess",
        "ipykernel.inprocess.blocking",
        "ipykernel.debugger",
        "ipykernel.embed",
        "ipykernel.kernelspec",
    ),
    *(
        "IPython.core.completer",
        "IPython.core.debugger",
        "IPython.core.magics",
        "IPython.terminal.debugger",
        "IPython.lib",
    ),
    *(
        "dateutil",
        "dateutil.parser",
        "dateutil.tz",
        "importlib.metadata",
        "logging.config",
        "logging.handlers",
    ),
    *(
        "packaging.version",
        "debugpy",
        "pdb",
        "ssl",
        "asyncio.sslproto",
        "ctypes.util",
        "html.parser",
        "platformdirs",
    ),
    # What runs notebooks.
    *(
        "nbclient",
        "nbclient.client",
        "nbconvert",
        "nbconvert.exporters",
        "papermill",
        "papermill.execute",
        "nbformat",
        "testbook",
    ),
    *("nbval.plugin", "jupyter_console.ptshell", "jupyter_server.serverapp", "jupyter_kernel_test"),
    # What notebooks are written for.
    *(
        "numpy",
        "numpy.linalg",
        "pandas",
        "pandas.testing",
        "matplotlib.pyplot",
        "sklearn.linear_model",
        "scipy.optimize",
    ),
    *(
        "PIL.Image",
        "ipywidgets",
        "ipympl",
        "tqdm.auto",
        "tqdm.notebook",
        "rich.console",
        "rich.progress",
        "jinja2",
        "yaml",
    ),
    *(
        "httpx",
        "aiohttp.web",
        "requests",
        "fastapi",
        "uvicorn",
        "django.db",
        "asgiref.sync",
        "sqlalchemy.orm",
        "sqlalchemy.ext.asyncio",
    ),
    *(
        "aiosqlite",
        "anyio",
        "trio",
        "nest_asyncio",
        "uvloop",
        "playwright.async_api",
        "playwright.sync_api",
        "pexpect",
    ),
    *(
        "distributed",
        "dask.bag",
        "cloudpickle",
        "jedi",
        "psutil",
        "tornado.web",
        "zmq.asyncio",
        "traitlets.config",
        "comm",
    ),
]

#: A child of the kernel's is in the state of the kernel's.
IMPORT_IN_A_CHILD = """
import os, sys
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    try:
        try:
            __import__({name!r})
            said = f"imported {{sys.modules[{name!r}].__name__}}"
        except BaseException as error:
            said = f"{{type(error).__name__}}: {{error}}"
        os.write(writer, said.encode())
    finally:
        os._exit(0)
os.close(writer)
said = os.fdopen(reader).read()
os.waitpid(child, 0)
said
"""


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(name.partition(".")[0]) is not None


@pytest.mark.parametrize("name", FIRST)
def test_a_first_import_works(name: str, notebook: Notebook) -> None:
    if not _is_installed(name):
        pytest.skip(f"{name.partition('.')[0]} is not installed")
    cell = notebook.run(IMPORT_IN_A_CHILD.format(name=name))
    assert cell.result == repr(f"imported {name}"), cell.text


def test_there_are_sixty_of_them_to_import() -> None:
    assert len([name for name in FIRST if _is_installed(name)]) >= 60


@pytest.mark.parametrize(
    ("package", "code"),
    [
        ("jupyter_client", "from jupyter_client.manager import KernelManager"),
        ("nbclient", "import nbclient"),
        ("papermill", "import papermill"),
        ("nbconvert", "from nbconvert import HTMLExporter"),
        ("ipykernel", "from ipykernel.inprocess import InProcessKernelManager"),
        ("jupyter_client", "from jupyter_client import *; MultiKernelManager, BlockingKernelClient"),
    ],
)
def test_a_first_cell_may_import_it(package: str, code: str, fresh_notebook: Notebook) -> None:
    pytest.importorskip(package)
    cell = fresh_notebook.run(code)
    assert cell.status == "ok", cell.text


# As they are asked by a first cell, before it has imported anything.
NOT_THEMSELVES = """
import sys
[
    name for name, module in sys.modules.items()
    if type(module) is not type(sys) or module.__name__ not in (name, "__main__")
    or getattr(module.__spec__, "name", name) != name and module.__name__ != "__main__"
    or getattr(module.__spec__, "_initializing", False)
]
"""
# Somebody may have kept what stood in a module's place.
KEPT = """
import sys
{
    f"{module.__name__}.{name}" for module in list(sys.modules.values()) if module.__name__ != "__main__"
    for name, value in vars(module).items() if name != "__main__"
    if type(value) is type(sys) and sys.modules.get(value.__name__) is not value
}
"""
# In a plain Python: what libraries do by themselves.
PLAIN = "import multiprocessing, ipykernel.kernelapp, ipykernel.ipkernel, pdb"


@pytest.mark.parametrize("question", [NOT_THEMSELVES, KEPT], ids=["entries", "kept by others"])
def test_each_entry_is_the_module_itself(question: str, fresh_notebook: Notebook) -> None:
    found = fresh_notebook.run(question).result
    expression = question.replace("import sys", "")
    plain = [sys.executable, "-c", f"import sys\n{PLAIN}\nprint({expression.strip()})"]
    done = subprocess.run(plain, capture_output=True, text=True, timeout=60, check=True)
    assert set(eval(found or "")) <= set(eval(done.stdout))


ASKS_ALL_MODULES = {
    "assertWarns": (
        "import unittest, warnings\nwith unittest.TestCase().assertWarns(UserWarning): warnings.warn('x')"
    ),
    "whichmodule": "import pickle\ntry: pickle.whichmodule(object(), 'x')\nexcept pickle.PicklingError: pass",
    "hasattr": "import sys; [hasattr(module, 'x') for module in list(sys.modules.values())]",
    "vars": "import sys\nfor module in list(sys.modules.values()): vars(module), dir(module)",
    "inspect": "import inspect; inspect.getmodule(lambda: 0); inspect.getsource(inspect)",
    "all objects": "import gc\nfor one in gc.get_objects(): hasattr(one, 'shape'), hasattr(one, 'data')",
}


@pytest.mark.parametrize("code", ASKS_ALL_MODULES.values(), ids=ASKS_ALL_MODULES)
def test_whatever_asks_all_modules_imports_none(code: str, fresh_notebook: Notebook) -> None:
    before = "import sys, unittest, pickle, inspect, gc; before = {*sys.modules}"
    assert fresh_notebook.run(before).status == "ok"
    cell = fresh_notebook.run(code)
    assert cell.status == "ok", cell.text
    imported = fresh_notebook.run(
        "{name.partition('.')[0].strip('_') for name in {*sys.modules} - before}"
    ).result
    assert not {"debugpy", "pydevd", "pydev_bundle", "ipykernel"} & set(eval(imported or ""))


def test_pythons_own_tests_of_the_unix_event_loop_end(fresh_notebook: Notebook) -> None:
    """Some of them put a mock in the place of `os.waitpid`, and ask all modules for a name."""
    name = "test.test_asyncio.test_unix_events"
    try:
        importlib.util.find_spec(name)
    except ImportError:
        pytest.skip("this Python comes without its own tests")
    code = f"import io, unittest\nsuite = unittest.defaultTestLoader.loadTestsFromName({name!r})\n"
    code += "done = unittest.TextTestRunner(io.StringIO()).run(suite); done.testsRun > 50"
    cell = fresh_notebook.run(code)
    assert cell.result == "True", cell.text

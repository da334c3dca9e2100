"""What nbclient keeps of a notebook: of ordinary cells what ipykernel gives, and each receipt."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from tests.kernel.client import KERNEL_NAME

ORDINARY = [
    "print('one')\nimport sys; print('two', file=sys.stderr)",
    "x = 6 * 7\nx",
    "x;",
    "from IPython.display import HTML, Markdown, display\ndisplay(HTML('<b>h</b>'), Markdown('*m*'), x)",
    "def f(n):\n    return 1 / n\nf(0)",
    "async def g():\n    raise ValueError('async')\nawait g()",
    "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise KeyError('k') from error",
    "x ==",
    "undefined",
    "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']}); df",
    "df.describe()",
    "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2, 3]); plt.title('t')",
    "fig, ax = plt.subplots(); ax.bar([1, 2], [3, 4]); plt.show()\nprint('after')",
    "for _ in range(3): print(_, end=' ')",
    "import warnings; warnings.warn('careful')",
    "!echo shell",
    "%%bash\necho bash",
    "handle = display('a', display_id='i'); handle.update('b')",
    "{'k': list(range(30))}",
    "class C:\n    def _repr_html_(self): return '<i>c</i>'\nC()",
    "import asyncio\nawait asyncio.sleep(0, 'awaited')",
    "t = asyncio.create_task(asyncio.sleep(0, 1))\nawait t",
    "%%capture out\nprint('hidden')",
    "out.show()",
    "from IPython.display import clear_output\nprint('a'); clear_output(); print('b')",
    "help(f)",
    "import logging; logging.warning('w')",
    "import threading; t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()",
    "object()",
]
FIGURES = [
    "import threading, ipywidgets as w, matplotlib.pyplot as plt",
    "from concurrent.futures import ThreadPoolExecutor",
    "plt.plot([1, 2]); plt.title('a');",
    "for n in range(3): plt.figure(); plt.plot([n])",
    "plt.figure(1); plt.plot([1]); plt.show(); plt.plot([2]); print(plt.get_fignums())",
    "plt.plot([1]); plt.close('all'); print(plt.get_fignums())",
    "with plt.ioff(): late = plt.figure()\nprint(plt.get_fignums())",
    "print(plt.get_fignums())",
    "plt.figure(); plt.plot([1, 2]); print(plt.get_fignums())",
    "%config InlineBackend.close_figures = False",
    "figure, axes = plt.subplots(); axes.plot([1]);",
    "plt.plot([1, 2, 3]); print(plt.get_fignums(), len(axes.lines))",
    "plt.figure(7); plt.plot([1]); plt.figure(1);",
    "print(plt.gcf().number, plt.get_fignums())",
    "get_ipython().run_cell('plt.figure(8);'); print(plt.gcf().number)",
    "plt.close('all'); print(plt.get_fignums())\n%config InlineBackend.close_figures = True",
    "with ThreadPoolExecutor(1) as pool: list(pool.map(lambda n: plt.figure(n).gca().plot([n]), [1, 2, 3]))",
    "t = threading.Thread(target=lambda: plt.plot([1, 2])); t.start(); t.join(); plt.title('after');",
    "get_ipython().run_cell('plt.plot([1])'); plt.plot([2]);",
    "%%capture taken\nplt.plot([1]); plt.show()",
    "len(taken.outputs)",
    "%%capture taken\nplt.plot([1]);",
    "@w.interact(x=(0, 10))\ndef draw(x=2): plt.plot([0, x]); plt.show()",
    "out = w.Output(); display(out)\nplt.plot([1])\nwith out: plt.plot([2]); plt.show()\nplt.plot([3]);",
    "plt.plot([1]); 1 / 0",
    "import pandas as pd; pd.DataFrame({'a': [1, 2]}).plot();",
    "import asyncio\nasync def late(): plt.plot([1]); await asyncio.sleep(0); plt.plot([2])",
    "plt.title('t'); await late()",
    "await asyncio.gather(late(), late()); print(len(plt.gca().lines))",
    "plt.switch_backend('agg'); plt.plot([1]); print(plt.get_fignums())",
    "print(plt.get_fignums()); plt.close()",
]
LEAVING = [
    "import asyncio, threading\nasync def f(): ...\nasync def work(): await go.wait()\ngo = asyncio.Event()",
    "f();",
    "t = asyncio.create_task(work())\nprint('started')",
    "_ = 'mine'",
    "print('clean')",
    "f()\n1 / 0",
    "go.set(); await t",
]


def executed(kernel: str, cells: list[str]) -> Any:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, timeout=60, kernel_name=kernel, allow_errors=True)
    try:
        return client.execute()
    except RuntimeError as error:
        # jupyter_client looks for free ports before the kernel takes them; another may be faster.
        if "died before replying" not in str(error):
            raise
        return client.execute()


def joined(outputs: list[Any]) -> list[Any]:
    """One stream output where several follow each other: a timer may come between two writes."""
    result: list[Any] = []
    for output in outputs:
        if output.output_type == "stream" and result and result[-1].get("name") == output.name:
            result[-1]["text"] += output.text
        else:
            result.append(output)
    return result


def outputs(notebook: Any) -> list[str]:
    """All outputs of each cell, without addresses, process ids and ids of widgets.

    Nor with what the page has told an Output widget of its outputs by then: here it is heard while the cell
    runs, in ipykernel after it. The widget's text is cut off at some length, so what follows goes, too.
    """
    return [
        re.sub(
            r"0x[0-9a-f]+|ipykernel_\d+|\b[0-9a-f]{32}\b|(?<=\bOutput\()(\)|outputs=)[^\"]*",
            "…",
            json.dumps(joined(cell.outputs), indent=1, sort_keys=True),
        )
        for cell in notebook.cells
    ]


@pytest.fixture
def ipykernel(jupyter_environment: str, jupyter_home: Path) -> str:
    """The name of a kernelspec of ipykernel's."""
    directory = jupyter_home / "share" / "kernels" / "ipykernel-itself"
    directory.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (directory / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "ipykernel", "language": "python"})
    )
    return directory.name


@pytest.mark.parametrize("cells", [ORDINARY, FIGURES], ids=["ordinary", "figures"])
def test_ordinary_cells_have_the_outputs_that_ipykernel_gives(
    cells: list[str], jupyter_environment: str, ipykernel: str
) -> None:
    ours, theirs = (executed(kernel, cells) for kernel in (KERNEL_NAME, ipykernel))
    for code, own, other in zip(cells, outputs(ours), outputs(theirs), strict=True):
        assert own == other, code
    assert [cell.execution_count for cell in ours.cells] == [cell.execution_count for cell in theirs.cells]


def test_each_receipt_is_kept_in_its_cell_and_in_the_html(jupyter_environment: str) -> None:
    notebook = executed(KERNEL_NAME, LEAVING)
    receipts = [
        [output.data["text/plain"] for output in cell.outputs if output.output_type == "display_data"]
        for cell in notebook.cells
    ]
    leak = "line 1: `f()` was called without `await`, so it did not run. Use `await f()`"
    name = "`_` is reserved for the last result; your value was discarded"
    # nbclient takes in no updates for earlier cells: what stays is what was so when the cell ended.
    task = "1 task still ran when the cell ended: `work()`, line 1"
    assert receipts == [[], [leak], [task], [name], [], [leak], []]
    assert [[output.output_type for output in cell.outputs] for cell in notebook.cells] == [
        [],
        ["display_data"],
        ["stream", "display_data"],
        ["display_data"],
        ["stream"],
        ["error", "display_data"],
        [],
    ]
    nbformat.validate(notebook)
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert page.count("<code>f()</code> was called without") == 2

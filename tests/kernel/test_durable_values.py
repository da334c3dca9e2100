"""After a kernel was killed, a notebook goes on as it would have: wherever its values came from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.kernel.test_durable import Kernels, keep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="directories and signals are POSIX's")

#: Cells, and what the last one shows, in the first kernel and after a kill just before it.
NOTEBOOKS = {
    "arrays of a cell elsewhere": (
        "import numpy as np\nbase = np.zeros(500_000)",
        "%%isolated\nmade = base + 3\nbase[5] = 7\npair = [made, made]",
        "view = made[:3]",
        "view[0] = 9; made[0], base[5], pair[0] is pair[1], pair[1] is made, made.flags.writeable",
    ),
    "random numbers": (
        "import random, numpy as np\nrandom.seed(1); np.random.seed(2)",
        "a = random.random(), np.random.rand()",
        "a, random.random(), np.random.rand(), np.random.normal()",
    ),
    "pyplot's figures": (
        "import matplotlib.pyplot as plt\nplt.rcParams['lines.linewidth'] = 7\n"
        "fig, ax = plt.subplots()\n_ = ax.plot([1, 2])",
        "ax.set_title('t'); line = ax.lines[0]",
        "ax.plot([2, 1])[0].get_linewidth(), ax.get_title(), fig.axes[0] is ax, line is ax.lines[0]",
    ),
    "a folder and modules": (
        "import os, sys\nos.makedirs('inner', exist_ok=True)\n"
        "open('inner/own_module.py', 'w').write('v = 5')\n"
        "%cd -q inner\n"
        "sys.path.append(os.getcwd())",
        "import own_module, xml.dom.minidom",
        "os.path.basename(os.getcwd()), own_module.v, xml.dom.minidom.__name__",
    ),
    "await and background cells": (
        "import asyncio\nresults = []\nasync def work(n):\n    await asyncio.sleep(0)\n"
        "    results.append(n)\n    return n",
        "got = await asyncio.gather(work(1), work(2))",
        "%%background\nresults.append('beside')",
        "await work(3), results, got",
    ),
    "results of cells": ("x = [1]\nx", "y = [x]\ny", "y[0] is x, x"),
    "what IPython gives": (
        "lines = !echo one; echo two",
        "%%capture out\nprint('kept')",
        "lines.s, out.stdout, lines.grep('one')",
    ),
}


@pytest.fixture
def kernels(tmp_path: Path, kernel_env: dict[str, str]) -> Iterator[Kernels]:
    with closing(Kernels(tmp_path, kernel_env)) as found:
        yield found


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_goes_on_after_a_kill(name: str, kernels: Kernels) -> None:
    *cells, last = NOTEBOOKS[name]
    first = kernels.start()
    first.run("%durable")
    for cell in cells:
        keep(first, cell)
    kernels.kill(first)
    again = kernels.start()
    again.run("%durable")
    restored = again.run("%restore")
    assert restored.status == "ok", restored.text
    shown = again.run(last)
    assert shown.status == "ok", shown.text
    whole = kernels.start("whole")
    for cell in cells:
        assert whole.run(cell).status == "ok"
    assert shown.result == whole.run(last).result

"""gevent's `patch_all()` in a cell: what the kernel's threads wait for are no greenlets."""

from __future__ import annotations

import sys

import pytest

from tests.kernel.client import Notebook
from tests.trust.conftest import goes_on

PATCHES = {
    "all": "import gevent.monkey\ngevent.monkey.patch_all()",
    "in an awaiting cell": "import asyncio, gevent.monkey\nawait asyncio.sleep(0)\ngevent.monkey.patch_all()",
    "while tasks run": "import asyncio, gevent.monkey\n"
    "async def tick():\n    while True: await asyncio.sleep(0.01)\n"
    "ticking = asyncio.create_task(tick())\ngevent.monkey.patch_all()",
    "without threads": "import gevent.monkey\ngevent.monkey.patch_all(thread=False)",
    "threads alone": "import gevent.monkey\ngevent.monkey.patch_thread()",
}
CELLS = {
    "import asyncio\nawait asyncio.sleep(0.01)\nprint('said')": "said",
    "task = asyncio.create_task(asyncio.sleep(0.01, 'said'))\nprint(await task)": "said",
    "print(asyncio.run(asyncio.sleep(0.01, 'said')))": "said",
    "print(asyncio.get_event_loop().run_until_complete(asyncio.sleep(0.01, 'said')))": "said",
    "!echo said": "said",
    "said = !echo said\nprint(*said)": "said",
    "%%bash\necho said": "said",
    "import os\n_ = os.system('echo said')": "said",
    "import subprocess\nprint(subprocess.run(['echo', 'said'], capture_output=True).stdout)": "b'said\\n'",
    "%%background\nprint('said')": "said",
    "%%background\nawait asyncio.sleep(0.01)\nprint('said')": "said",
    "%%isolated\nprint('said')": "said",
    "import threading\nt = threading.Thread(target=print, args=('said',)); t.start(); t.join()": "said",
    "import threading\nprint('said' * (threading.current_thread() is threading.main_thread()))": "said",
    "import gevent, time\ngevent.joinall([gevent.spawn(print, 'said')])\ntime.sleep(0.01)": "said",
}
#: gevent's own hook fails in a forked child, in a plain Python from 3.13 on with a thread from before, too.
_FORK_FAILS = sys.version_info >= (3, 13)


@pytest.mark.parametrize("patch", PATCHES)
def test_cells_of_each_kind_run_on(patch: str, fresh_notebook: Notebook) -> None:
    fresh_notebook.run("kept = ['kept']")
    assert fresh_notebook.run(PATCHES[patch]).status == "ok"
    for code, said in CELLS.items():
        cell = fresh_notebook.run(code).wait_for_text("said")
        errors = "" if "subprocess" in code and _FORK_FAILS else cell.stderr
        assert (cell.status, cell.stdout.split(), errors) == ("ok", [said], ""), (code, cell.text)
    assert fresh_notebook.run("1/0").reply["ename"] == "ZeroDivisionError"
    assert fresh_notebook.ask("complete_request", {"code": "kep", "cursor_pos": 3})["matches"] == ["kept"]
    goes_on(fresh_notebook)


@pytest.mark.parametrize(
    "code",
    ["await asyncio.sleep(100)", "time.sleep(100)", "!sleep 100", "gevent.sleep(100)", "while True: pass"],
)
def test_stop_ends_what_waits(code: str, fresh_notebook: Notebook) -> None:
    fresh_notebook.run(f"kept = ['kept']\nimport asyncio, gevent, time\n{PATCHES['all']}")
    cell = fresh_notebook.submit(f"print('begins', flush=True)\n{code}").wait_for_text("begins")
    fresh_notebook.interrupt("SIGINT")
    assert cell.wait().reply["ename"] == "KeyboardInterrupt"
    goes_on(fresh_notebook)

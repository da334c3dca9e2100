"""Libraries that need a running loop and do not say so: their cells get it, or a line tells what to do."""

from __future__ import annotations

from tests.kernel.client import Notebook
from tests.libraries.steps import ok, result

ADAPTIVE = """\
import adaptive, asyncio
def square(x): return x * x
learner = adaptive.Learner1D(square, bounds=(-1, 1))
"""


def test_adaptive_s_runner_reaches_its_goal_while_plain_cells_run(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(ADAPTIVE)
    ok(fresh_notebook, "from concurrent.futures import ThreadPoolExecutor as Pool")
    fresh_notebook.run("runner = adaptive.Runner(learner, npoints_goal=60, executor=Pool(1))")
    ok(fresh_notebook, "import time\nwhile learner.npoints < 60: time.sleep(.01)")
    ok(fresh_notebook, "await runner.task")
    assert result(fresh_notebook, "learner.npoints >= 60") == "True"


def test_adaptive_s_runner_in_a_helper_of_a_plain_cell_is_told(fresh_notebook: Notebook) -> None:
    fresh_notebook.run(ADAPTIVE)
    fresh_notebook.run("from concurrent.futures import ThreadPoolExecutor as Pool")
    code = "def start(): return adaptive.Runner(learner, npoints_goal=60, executor=Pool(1))\nrunner = start()"
    cell = fresh_notebook.run(code)
    assert "does not run" in cell.receipt and "`%%async`" in cell.receipt, cell.text
    fresh_notebook.run("%plain_cells loop")
    fresh_notebook.run("runner = start()")
    fresh_notebook.run("await runner.task")
    assert result(fresh_notebook, "learner.npoints >= 60") == "True"


def test_panel_s_periodic_callback_is_called(fresh_notebook: Notebook) -> None:
    fresh_notebook.run("import panel as pn, time\ncalled = []")
    ok(fresh_notebook, "callback = pn.state.add_periodic_callback(lambda: called.append(1), period=10)")
    ok(fresh_notebook, "while len(called) < 3: time.sleep(.01)")
    ok(fresh_notebook, "callback.stop()")


def test_apscheduler_s_asyncio_scheduler_runs_its_jobs(fresh_notebook: Notebook) -> None:
    code = """\
from apscheduler.schedulers.asyncio import AsyncIOScheduler
called = []
scheduler = AsyncIOScheduler()
scheduler.add_job(lambda: called.append(1), "interval", seconds=.02)
scheduler.start()"""
    ok(fresh_notebook, code)
    ok(fresh_notebook, "import time\nwhile len(called) < 3: time.sleep(.01)")
    ok(fresh_notebook, "%%async\nscheduler.shutdown()")
    later = "def start(): scheduler.start()\nscheduler = AsyncIOScheduler()"
    ok(fresh_notebook, later)
    assert "Put %%async on its first line" in fresh_notebook.run("start()").traceback
    ok(fresh_notebook, "scheduler.start()")

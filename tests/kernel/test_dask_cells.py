"""`%%dask` on a scheduler and two workers, each a process, and on a cluster that the kernel starts."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.kernel.client import Notebook
from tests.kernel.dask_engine import DaskEngine
from tests.kernel.elsewhere_cells import CASES, play

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskEngine]:
    engine = DaskEngine(tmp_path_factory.mktemp("dask"))
    yield engine
    engine.close()


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[DaskEngine]:
    """One that a test may destroy."""
    engine = DaskEngine(tmp_path)
    yield engine
    engine.close()


@pytest.mark.parametrize("name", CASES)
def test_as_here(name: str, engine: DaskEngine, notebook: Notebook) -> None:
    here = play(notebook, CASES[name], "")
    there = play(notebook, CASES[name], f"%%dask --address {engine.address}")
    assert here.pop("lost") == str(bool(CASES[name].lost))
    assert there.pop("lost") == "False"
    assert there == here


def test_output_arrives_while_it_runs_and_stop_frees_the_worker(
    engine: DaskEngine, notebook: Notebook
) -> None:
    notebook.run("kept = 1")
    for _ in range(3):  # more often than there are seats
        cell = notebook.submit(
            f"%%dask --address {engine.address} --resources SEAT=1\n"
            "import time\nkept = 2\nprint('begins', flush=True)\ntime.sleep(600)"
        )
        cell.wait_for_text("begins")
        notebook.interrupt("SIGINT")
        cell.wait(20)
        assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
        assert "time.sleep(600)" in cell.text
    assert notebook.run("kept").result == "1"
    assert notebook.run(f"%%dask --address {engine.address} --resources SEAT=1\nkept + 1").result == "2"


def test_a_killed_worker_is_told_and_the_next_cell_works(
    own_engine: DaskEngine, fresh_notebook: Notebook
) -> None:
    notebook = fresh_notebook
    notebook.run("kept = 1")
    cell = notebook.submit(
        f"%%dask --address {own_engine.address}\n"
        "import os, time\nkept = 2\nprint('pid', os.getppid(), 'begins', flush=True)\ntime.sleep(600)"
    )
    cell.wait_for_text("begins")
    os.kill(int(cell.stdout.split()[1]), signal.SIGKILL)
    cell.wait(60)
    assert cell.error is not None and cell.error[0] == "WorkerLostError"
    assert "Nothing was merged" in cell.error[1]
    assert notebook.run("kept").result == "1"
    assert notebook.run(f"%%dask --address {own_engine.address}\nkept + 1").result == "2"


def test_a_scheduler_that_goes_away_is_told(own_engine: DaskEngine, fresh_notebook: Notebook) -> None:
    notebook = fresh_notebook
    cell = notebook.submit(
        f"%%dask --address {own_engine.address}\nimport time\nprint('begins', flush=True)\ntime.sleep(600)"
    )
    cell.wait_for_text("begins")
    own_engine.scheduler.kill()
    cell.wait(60)
    assert cell.error is not None and cell.error[0] == "WorkerLostError"
    assert notebook.run("1 + 1").result == "2"


def test_no_scheduler_at_all_is_told(notebook: Notebook) -> None:
    cell = notebook.run("%%dask --address tcp://127.0.0.1:9\n1", timeout=60)
    assert cell.error is not None and "no Dask scheduler can be reached" in cell.error[1]


def test_results_are_kept_on_the_cluster(engine: DaskEngine, notebook: Notebook) -> None:
    cell = notebook.run(f"%%dask --address {engine.address} --keep\nnumbers = list(range(1000))")
    assert "on the cluster (0.0 MiB): `numbers`; `.result()` brings it here" in cell.receipt
    assert notebook.run("type(numbers).__name__, numbers.result()[:3]").result == "('Future', [0, 1, 2])"


def test_the_client_that_the_user_has_is_used(engine: DaskEngine, notebook: Notebook) -> None:
    notebook.run(f"from distributed import Client\nclient = Client({engine.address!r})")
    notebook.run("%%dask\nimport os\npid = os.getppid()")
    known = notebook.run("pid in client.run(os.getpid).values()") if notebook.run("import os") else None
    assert known is not None and known.result == "True"
    notebook.run("client.close()")


def test_a_cluster_is_found_by_its_name(notebook: Notebook) -> None:
    wrong = notebook.run("%%dask --cluster wrong\n1")
    assert wrong.error is not None and "`--cluster wrong` names no Dask cluster" in wrong.error[1]
    notebook.run("from distributed import LocalCluster")
    notebook.run(
        "mine = LocalCluster(n_workers=1, threads_per_worker=1, host='127.0.0.1', dashboard_address=None)"
    )
    found = notebook.run("%%dask --cluster mine\nimport os\nwhere = os.environ['DASK_SCHEDULER_ADDRESS']")
    assert found.status == "ok", found.text
    assert notebook.run("where == mine.scheduler_address").result == "True"
    notebook.run("mine.close()")


def test_the_address_in_the_environment_is_used(engine: DaskEngine, notebook: Notebook) -> None:
    notebook.run(f"import os; os.environ['DASK_SCHEDULER_ADDRESS'] = {engine.address!r}")
    cell = notebook.run("%%dask\nimport os\nos.environ['DASK_SCHEDULER_ADDRESS']")
    assert cell.result == repr(engine.address), cell.text
    notebook.run("del os.environ['DASK_SCHEDULER_ADDRESS']")


def test_dask_s_own_progress_bar_moves_while_the_cell_runs(engine: DaskEngine, notebook: Notebook) -> None:
    """It waits for the half of it to have been seen here."""
    cell = notebook.submit(f"""%%dask --address {engine.address}
from dask import delayed
from dask.diagnostics import ProgressBar
import os, time
@delayed
def first(): return 20
@delayed
def second(n):
    while not os.path.exists('seen'): time.sleep(.01)
    return n + 1
with ProgressBar(dt=.05): [n] = [second(first()).compute(scheduler='threads')]
n""")
    cell.wait_for_text("50% Completed")
    assert not cell.done
    (engine.directory / "seen").touch()
    assert cell.wait().result == "21", cell.text
    assert "100% Completed" in cell.stdout


def test_eight_cells_at_once(engine: DaskEngine, notebook: Notebook) -> None:
    notebook.run("import math")
    for number in range(8):
        notebook.run(
            f"%%background\n%%dask --address {engine.address}\nroot{number} = math.isqrt({number * number})"
        )
    assert notebook.run("%wait", timeout=100).status == "ok"
    assert notebook.run("[globals()[f'root{n}'] for n in range(8)]").result == str(list(range(8)))


def test_without_a_cluster_one_is_started_once_outlives_stop_and_ends_with_the_kernel(
    fresh_notebook: Notebook,
) -> None:
    notebook = fresh_notebook
    notebook.run("%%dask\nimport os\nworker = os.getppid()", timeout=90)
    cell = notebook.submit("%%dask\nimport time\nprint('begins', flush=True)\ntime.sleep(600)")
    cell.wait_for_text("begins")
    notebook.interrupt("SIGINT")
    cell.wait(20)
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt"
    # A frontend's Stop is sent to all processes of the kernel's group.
    assert notebook.run("import signal; os.kill(worker, signal.SIGINT)").status == "ok"
    assert notebook.run("%%dask\nworker + 0 == worker").result == "True"
    worker = int(notebook.run("os.kill(worker, 0); worker").result or 0)
    notebook.request("shutdown_request", {"restart": False}, channel="control")
    assert notebook.wait_exit() == 0
    assert not psutil.pid_exists(worker)


def test_futures_and_collections_go_as_they_are(engine: DaskEngine, notebook: Notebook) -> None:
    here = f"%%dask --address {engine.address}"
    notebook.run(f"{here} --keep\nnumbers = list(range(10))")
    assert notebook.run(f"{here}\nsum(numbers.result())").result == "45"
    assert notebook.run("type(numbers).__name__, numbers.status").result == "('Future', 'finished')"
    notebook.run("import dask.delayed\nlazy = dask.delayed(sum)([1, 2])")
    assert notebook.run(f"{here}\nlazy.compute()").result == "3"

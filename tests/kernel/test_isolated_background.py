"""`%%isolated` in the background: several at once, beside everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.client import Notebook
from tests.kernel.side_by_side import number_of
from tests.kernel.test_isolated_stop import begin, pid_of, wait_gone

ABOVE = "%%background\n%%isolated"


def waiting_for(gate: Path, code: str = "") -> str:
    return f"while not os.path.exists({str(gate)!r}): time.sleep(.01)\n{code}"


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / "gate"


def test_each_has_a_process_and_the_rest_goes_on(notebook: Notebook, gate: Path) -> None:
    notebook.run(
        "import asyncio, time\nticks = []\nasync def tick():\n    while True:\n"
        "        ticks.append(1)\n        await asyncio.sleep(.01)\nticking = asyncio.create_task(tick())"
    )
    cells = [begin(notebook, waiting_for(gate, f"r{i} = {i}"), ABOVE) for i in range(3)]
    assert (
        notebook.run("k = len(ticks)\nwhile len(ticks) < k + 3: time.sleep(.01)\n'went on'").result
        == "'went on'"
    )
    assert notebook.run("await asyncio.sleep(.01); 'so did the loop'").status == "ok"
    assert len({pid_of(cell) for cell in cells}) == 3 and not any(cell.done for cell in cells)
    gate.touch()
    for cell in cells:
        assert cell.wait().status == "ok"
    assert notebook.run("ticking.cancel(); r0, r1, r2").result == "(0, 1, 2)"


def test_the_order_of_directives_and_tags_does_not_matter(notebook: Notebook, gate: Path) -> None:
    swapped = begin(notebook, waiting_for(gate), "%%isolated\n%%background")
    tagged = notebook.submit(
        f"import os, time\n{waiting_for(gate)}",
        metadata={"tags": ["isolated", "background"], "cellId": "of a page"},
    ).wait_started()
    assert notebook.run("1 + 1").result == "2"
    gate.touch()
    assert swapped.wait().status == tagged.wait().status == "ok"


def test_its_handle_gives_the_result_and_the_error(notebook: Notebook) -> None:
    good = begin(notebook, "[1, 2]", ABOVE).wait()
    bad = begin(notebook, "{}['k']", ABOVE).wait()
    assert notebook.run(f"cell({good.count}).result(), await cell({good.count})").result == "([1, 2], [1, 2])"
    error = notebook.run(f"await cell({bad.count})")
    assert error.error == ("KeyError", "'k'")
    assert "----> " in error.traceback and "{}['k']" in error.traceback
    assert f"Cell In[{error.count}]" in error.traceback


def test_a_name_that_was_changed_here_meanwhile_is_a_conflict(notebook: Notebook, gate: Path) -> None:
    notebook.run("x = y = z = 0")
    cell = begin(notebook, waiting_for(gate, "x = 'there'; y = 'there'; z += 1"), ABOVE)
    other = notebook.run("x = 'here'; del y")
    gate.touch()
    cell.wait()
    assert f"`x` (In [{other.count}])" in cell.receipt and "`y` (being deleted)" in cell.receipt
    assert f"what In [{cell.count}] computed is kept" in cell.receipt and "`z`" not in cell.receipt
    assert notebook.run("x, y, z").result == "('there', 'there', 1)"


def test_a_trait_keeps_what_is_here(notebook: Notebook, gate: Path) -> None:
    notebook.run("%config NamespaceKernel.conflicts_keep = 'current'\nx = y = 0; doomed = 1")
    cell = begin(notebook, waiting_for(gate, "x = 'there'; del doomed; y = 'there'"), ABOVE)
    other = notebook.run("x = 'here'; doomed = 2")
    gate.touch()
    cell.wait()
    notebook.run("%config NamespaceKernel.conflicts_keep = 'computed'")
    assert f"`x` (In [{other.count}])" in cell.receipt and "theirs is kept" in cell.receipt
    assert notebook.run("x, y, doomed").result == "('here', 'there', 2)"


def test_a_module_that_both_import_is_no_conflict(notebook: Notebook, gate: Path) -> None:
    cell = begin(notebook, waiting_for(gate, "import colorsys"), ABOVE)
    notebook.run("import colorsys")
    gate.touch()
    assert cell.wait().receipt == ""


def test_one_is_stopped_and_the_others_go_on(notebook: Notebook, gate: Path) -> None:
    first = begin(notebook, waiting_for(gate, "one = 1"), ABOVE)
    second = begin(notebook, "time.sleep(60)", ABOVE)
    notebook.run(f"%stop {number_of(second)}")
    assert second.wait().reply["ename"] == "KeyboardInterrupt"
    gate.touch()
    assert first.wait().status == "ok"
    assert notebook.run("one").result == "1"


def test_stop_with_nothing_in_the_foreground_ends_them(notebook: Notebook) -> None:
    cells = [begin(notebook, "time.sleep(60)", ABOVE) for _ in range(2)]
    notebook.interrupt("SIGINT")
    assert [cell.wait().reply["ename"] for cell in cells] == ["KeyboardInterrupt"] * 2
    assert not any("nothing can interrupt" in cell.stderr for cell in cells)


def test_stop_for_the_foreground_does_not_reach_them(notebook: Notebook, gate: Path) -> None:
    aside = begin(notebook, waiting_for(gate, "two = 2"), ABOVE)
    front = begin(notebook, "time.sleep(60)")
    notebook.interrupt("SIGINT")
    assert front.wait().reply["ename"] == "KeyboardInterrupt"
    gate.touch()
    assert aside.wait().status == "ok"
    assert notebook.run("two").result == "2"


def test_one_that_dies_takes_no_other_along(notebook: Notebook, gate: Path) -> None:
    good = begin(notebook, waiting_for(gate, "three = 3"), ABOVE)
    bad = begin(notebook, "os.kill(os.getpid(), 9)", ABOVE)
    assert bad.wait().reply["ename"] == "WorkerLostError"
    gate.touch()
    assert good.wait().status == "ok"
    wait_gone([pid_of(bad)])


def test_it_reads_what_the_cells_before_it_have_left_whatever_the_next_one_does(
    notebook: Notebook, gate: Path
) -> None:
    notebook.run(
        "import numpy as np\nplain = list(range(200_000)); array = np.zeros(3_000_000); name = 'old'"
    )
    waiting = notebook.submit(f"{ABOVE}\nseen = sum(plain), len(plain), array.sum(), name")
    notebook.submit("plain.append(10 ** 9); array += 1; name = 'new'")
    assert waiting.wait().status == "ok"
    assert notebook.run("seen").result == "(19999900000, 200000, np.float64(0.0), 'old')"


def test_a_large_array_is_sent_once(notebook: Notebook) -> None:
    notebook.run("import numpy as np; big = np.ones(4_000_000); sizes = []")
    notebook.run(
        "from namespace_kernel.remote.transfer.ledger import Ledger\noriginal = Ledger.divide\n"
        "def divide(ledger, pieces):\n    parts = original(ledger, pieces)\n"
        "    sizes.append(sum(piece.size for piece in parts[0]))\n    return parts\nLedger.divide = divide"
    )
    for change in ("", "", "big[0] = 2"):
        notebook.run(f"{change}")
        assert notebook.run("%%isolated\ntotal = big.sum()").status == "ok"
    notebook.run("Ledger.divide = original")
    large = notebook.run("[size > 30_000_000 for size in sizes], total").result
    assert large == "([True, False, True], np.float64(4000001.0))"


def test_ps_tells_which_cell_a_process_works_for(notebook: Notebook, gate: Path) -> None:
    cell = begin(notebook, waiting_for(gate), ABOVE)
    row = next(line for line in notebook.run("%ps").text.splitlines() if f"process {pid_of(cell)}" in line)
    assert f"In [{number_of(cell)}]" in row
    gate.touch()
    cell.wait()
    assert f"In [{number_of(cell)}]" not in notebook.run("%ps").text

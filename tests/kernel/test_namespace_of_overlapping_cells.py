"""D7: one namespace for cells that run side by side."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.kernel.side_by_side import WAITS, close_gate, in_background, number_of, open_gate
from tests.kernel.test_reserved_names import MISSING, ONE_DICT

each_kind = pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    return close_gate(notebook)


@each_kind
def test_each_sees_at_once_what_the_other_binds_and_deletes(wait: str, prepared: Notebook) -> None:
    prepared.run("doomed = 1")
    cell = in_background(prepared, f"mine = 1\n{wait}\ntheirs, 'doomed' in globals()")
    assert prepared.run("while 'mine' not in globals(): time.sleep(.01)\nmine").result == "1"
    prepared.run("theirs = 2; del doomed")
    open_gate(prepared)
    assert cell.wait().result == "(2, False)"


@each_kind
def test_the_last_write_counts_and_the_receipt_names_the_other_cell(wait: str, prepared: Notebook) -> None:
    cell = in_background(prepared, f"contested = 'first'\n{wait}\ncontested = 'last'")
    prepared.run("while 'contested' not in globals(): time.sleep(.01)")
    other = prepared.run("contested = 'between'")
    assert other.receipt == ""
    open_gate(prepared)
    cell.wait()
    assert prepared.run("contested").result == "'last'"
    assert f"`contested` (In [{other.count}])" in cell.receipt
    assert "the last write counts" in cell.receipt


def test_the_receipt_is_of_whichever_ends_later(prepared: Notebook) -> None:
    cell = in_background(prepared, f"{WAITS['plain']}\nboth = 'of the background'")
    other = prepared.submit(
        "gate.append(1)\nwhile 'both' not in globals(): time.sleep(.01)\ncell(N).result()\nboth = 1".replace(
            "N", str(number_of(cell))
        )
    )
    assert cell.wait().receipt == ""
    assert f"`both` (In [{cell.count}])" in other.wait().receipt
    assert prepared.run("both").result == "1"


def test_cells_that_only_read_what_the_other_writes_are_not_told(prepared: Notebook) -> None:
    cell = in_background(prepared, f"{WAITS['plain']}\nown = 1")
    assert prepared.run("foreign = 2; foreign").receipt == ""
    open_gate(prepared)
    assert cell.wait().receipt == ""
    assert prepared.run("own + foreign").receipt == ""


def test_the_receipt_can_be_switched_off(prepared: Notebook) -> None:
    prepared.run("%config NamespaceKernel.report_conflicts = False")
    cell = in_background(prepared, f"contested = 1\n{WAITS['plain']}\ncontested = 3")
    prepared.run("contested = 2")
    open_gate(prepared)
    assert cell.wait().receipt == ""
    prepared.run("%config NamespaceKernel.report_conflicts = True")


ATTACKS = [
    "for _ in range(3): pass",
    "[globals().pop(name, None) for name in ('_oh', 'In')]",
    "Out = _oh = 3",
    "get_ipython = None",
    "import os as _",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_engine_names_are_right_when_both_have_ended(attack: str, prepared: Notebook) -> None:
    prepared.run("'displayed'; ")
    cells = [in_background(prepared, f"{attack}\n{wait}") for wait in WAITS.values()]
    prepared.run(attack)
    assert prepared.run("40 + 2").result == "42"
    open_gate(prepared)
    assert all(cell.wait().status == "ok" for cell in cells)
    assert prepared.run(MISSING).result == "[]"
    assert prepared.run(ONE_DICT).result == "True"
    prepared.run("40 + 2")
    assert prepared.run("_, Out is _oh, In is _ih, callable(get_ipython)").result == "(42, True, True, True)"


def test_a_throw_away_name_is_its_own_cell_s_while_that_runs(prepared: Notebook) -> None:
    """The limitation that docs/background.md names."""
    code = "for _ in range(3):\n    seen = _\n    while not gate: time.sleep(.01)\n    kept.append(seen == _)"
    prepared.run("kept = []")
    cell = in_background(prepared, code)
    assert prepared.run("40 + 2").result == "42"
    open_gate(prepared)
    assert cell.wait().status == "ok", cell.text
    assert prepared.run("kept[1:]").result == "[True, True]"
    prepared.run("40 + 2")
    assert prepared.run("_").result == "42"


@each_kind
def test_reset_takes_the_names_and_lets_the_cell_run(wait: str, prepared: Notebook) -> None:
    prepared.run("import builtins; builtins.held = gate")
    wait = wait.replace("gate", "__import__('builtins').held")
    cell = in_background(
        prepared,
        f"import asyncio as a, time as t\n{wait}\nleft = 'ran to its end'\nleft".replace(
            "time.sleep", "__import__('time').sleep"
        ).replace("asyncio.sleep", "__import__('asyncio').sleep"),
    )
    assert prepared.run("%reset -f\n").status == "ok"
    assert prepared.run("'gate' in globals()").result == "False"
    prepared.run("__import__('builtins').held.append(1)")
    assert cell.wait().result == "'ran to its end'"
    assert prepared.run("left").result == "'ran to its end'"
    assert prepared.run(f"cell({cell.count}).result()").result == "'ran to its end'"
    assert prepared.run("%reset -f").status == "ok"
    assert "is no background cell" in prepared.run(f"cell({cell.count})").text


def test_provenance_names_the_cell_that_wrote(prepared: Notebook) -> None:
    cell = in_background(prepared, f"{WAITS['plain']}\nlate_name = 1")
    prepared.run("early_name = 1")
    open_gate(prepared)
    cell.wait()
    table = prepared.run("%namespace").text
    row = next(line for line in table.splitlines() if line.startswith("late_name"))
    assert f"In [{cell.count}]" in row

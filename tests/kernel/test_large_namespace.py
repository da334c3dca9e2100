"""What is told of names does not depend on how many there are."""

from __future__ import annotations

import sys

import pytest

from tests.kernel.client import Notebook
from tests.kernel.side_by_side import WAITS, close_gate, in_background, open_gate

_WRITER = "(get_ipython().namespace.provenance({!r}) or '').execution_id"


@pytest.fixture
def large(notebook: Notebook) -> Notebook:
    notebook.run("globals().update({f'name{i}': object() for i in range(6_000)})")
    return close_gate(notebook)


def writer(notebook: Notebook, name: str) -> str | None:
    return notebook.run(_WRITER.format(name)).result


@pytest.mark.parametrize(
    "code",
    ["x = 1", "x = y = 2", "%time x = 3", "globals()['x'] = 4", "exec('x = 5')", "for x in (6,): pass"],
)
def test_the_cell_that_binds_a_name_is_its_writer(large: Notebook, code: str) -> None:
    other = large.run("x = other = object()")
    cell = large.run(code)
    assert writer(large, "x") == f"'In [{cell.count}]'"
    assert writer(large, "other") == f"'In [{other.count}]'"


def test_what_a_changed_tree_binds_is_the_cell_s(large: Notebook) -> None:
    large.run(
        "import ast\n"
        "class Renames(ast.NodeTransformer):\n"
        "    def visit_Name(self, node):\n"
        "        return ast.Name('y' if node.id == 'x' else node.id, node.ctx)\n"
        "y = 0\nrenames = Renames()"
    )
    large.run("get_ipython().ast_transformers.append(renames)")
    cell = large.run("x = 1")
    assert writer(large, "y") == f"'In [{cell.count}]'"


def test_engine_names_that_are_attacked_are_told_and_right(large: Notebook) -> None:
    cell = large.run("_ = 3; In = 4")
    assert "`In`" in cell.receipt and "`_`" in cell.receipt
    assert large.run("len(In) > 2").result == "True"


def test_the_other_writer_of_a_name_is_told(large: Notebook) -> None:
    cell = in_background(large, f"contested = 1\n{WAITS['plain']}\ncontested = 3")
    large.run("while 'contested' not in globals(): time.sleep(.01)")
    other = large.run("contested = 2")
    assert other.receipt == ""
    open_gate(large)
    assert f"`contested` (In [{other.count}])" in cell.wait().receipt
    assert writer(large, "contested") == f"'In [{cell.count}]'"


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not say what a process has read")
def test_a_cell_elsewhere_is_told_nothing_of_names_that_it_does_not_read(large: Notebook) -> None:
    def read_for_one_cell() -> int:
        said = [large.run("%%isolated\nopen('/proc/self/io').read().split()[1]").result for _ in range(4)]
        before, after = (int((one or "").strip("'")) for one in said[-2:])
        return after - before

    few = read_for_one_cell()
    large.run("globals().update({f'another{i}': i for i in range(20_000)})")
    assert read_for_one_cell() < few + 20_000
    missing = large.run("%%isolated\neval('name{}'.format(5))")
    assert missing.error is not None and missing.error[1].endswith("add `--send name5`")

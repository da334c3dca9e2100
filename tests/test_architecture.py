"""ARCHITECTURE.md and CONTRIBUTING.md say what is there: each folder, file and name that they give."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import namespace_kernel
from tests.test_layers import FLOORS

TOP = Path(__file__).parent.parent
PACKAGE = Path(namespace_kernel.__file__).parent
PAGE = (TOP / "ARCHITECTURE.md").read_text()

#: More would be no walk.
MOST_STEPS = 12

_STEP = re.compile(r"^\| (\d+) \| (.+?) \| `([\w/.]+)` \| `([\w.]+)` \|$", re.MULTILINE)
_FILE = re.compile(r"`([\w/.-]+(?:\.py|/))`")


def tree_of(page: str) -> dict[str, str]:
    """Path → description of each file and folder in the drawing. Two blanks are one level."""
    found: dict[str, str] = {}
    above: list[str] = []
    drawing = page.partition("```text\nnamespace_kernel/\n")[2].partition("```")[0]
    for line in drawing.splitlines():
        indented, name, description = re.fullmatch(r"( +)(\S+)\s+(.+)", line).groups()  # type: ignore[union-attr]
        above[len(indented) // 2 - 1 :] = [name]
        found["".join(above)] = description
    return found


def folders_and_flat_files() -> set[str]:
    folders = {f"{path.parent.relative_to(PACKAGE)}/" for path in PACKAGE.rglob("__init__.py")} - {"./"}
    return folders | {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}


def names_in(source: str) -> set[str]:
    """What a module defines: functions, classes, methods with their class's name before them."""

    def walk(body: list[ast.stmt], before: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield before + node.name
                if isinstance(node, ast.ClassDef):
                    yield from walk(node.body, f"{before}{node.name}.")

    return set(walk(ast.parse(source).body, ""))


def wrong_steps(page: str) -> list[str]:
    """The steps of the walk whose file does not define their name, as the page has them."""
    wrong = []
    for number, _, file, name in _STEP.findall(page):
        path = PACKAGE / file
        if not path.is_file() or name not in names_in(path.read_text()):
            wrong.append(f"step {number}: {file} has no {name}")
    return wrong


def missing_files(page: str) -> list[str]:
    """The files and folders named on the page that are neither in the package nor in the repository."""
    named = sorted(set(_FILE.findall(page)))
    return [name for name in named if not (PACKAGE / name).exists() and not (TOP / name).exists()]


def test_the_tree_has_each_wing_folder_and_flat_file() -> None:
    assert set(tree_of(PAGE)) == folders_and_flat_files()


def test_the_tree_goes_from_the_roof_to_the_ground() -> None:
    drawn = [name.removesuffix(".py").rstrip("/") for name in tree_of(PAGE) if "/" not in name[:-1]]
    height = {wing: number for number, floor in enumerate(FLOORS) for wing in floor.split()}
    assert [height[wing] for wing in drawn] == sorted((height[wing] for wing in drawn), reverse=True)


def test_the_walk_is_short_and_each_step_is_there() -> None:
    steps = _STEP.findall(PAGE)
    assert [int(number) for number, *_ in steps] == list(range(1, len(steps) + 1))
    assert 8 <= len(steps) <= MOST_STEPS
    assert wrong_steps(PAGE) == []


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_each_file_that_is_named_is_there(name: str) -> None:
    assert missing_files((TOP / name).read_text()) == []


def test_what_is_wrong_would_be_found() -> None:
    page = "| 1 | Read. | `kernel/execute.py` | `nothing` |\n| 2 | Write. | `kernel/none.py` | `x` |\n"
    assert wrong_steps(page) == [
        "step 1: kernel/execute.py has no nothing",
        "step 2: kernel/none.py has no x",
    ]
    assert missing_files(page + "`tests/` `kernel/wire/` `attic/`") == ["attic/", "kernel/none.py"]
    assert tree_of("```text\nnamespace_kernel/\n  a/  one\n    b/  two\n  c.py  three\n```") == {
        "a/": "one",
        "a/b/": "two",
        "c.py": "three",
    }
    assert names_in("class A:\n    def f(self): ...\nasync def g(): ...\n") == {"A", "A.f", "g"}

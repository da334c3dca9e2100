"""What stands in a module's place for one import, and is gone after it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from namespace_kernel.kernel.lent_modules import lent

NAME, BORROWER = "lent_by_a_test", "borrowed_by_a_test"


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module that another imports."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"{NAME}.py").write_text("def call(): return 'its own'\nother = 5\n")
    importlib.invalidate_caches()
    yield tmp_path
    for name in (NAME, BORROWER):
        sys.modules.pop(name, None)


def borrow(modules: Path, source: str) -> ModuleType:
    (modules / f"{BORROWER}.py").write_text(source)
    with lent(NAME, call=lambda: "lent"):
        return importlib.import_module(BORROWER)


def test_the_importer_has_what_was_lent_and_the_next_has_the_module(modules: Path) -> None:
    borrower = borrow(modules, f"from {NAME} import call")
    assert borrower.call() == "lent"
    assert NAME not in sys.modules
    assert importlib.import_module(NAME).call() == "its own"


def test_who_asks_for_more_has_it_of_the_module_itself(modules: Path) -> None:
    borrower = borrow(modules, f"from {NAME} import call, other\nimport sys\nthere = sys.modules[{NAME!r}]")
    assert (borrower.call(), borrower.other) == ("lent", 5)
    assert sys.modules[NAME] is borrower.there
    assert borrower.there.call() == "its own"


def test_who_asks_for_what_there_is_not_hears_so(modules: Path) -> None:
    with pytest.raises(ImportError, match="nothing"):
        borrow(modules, f"from {NAME} import nothing")
    assert type(sys.modules[NAME]) is ModuleType and sys.modules[NAME].other == 5


def test_it_is_gone_also_when_the_import_fails(modules: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        borrow(modules, "1/0")
    assert NAME not in sys.modules


def test_whoever_looks_through_all_modules_imports_none(modules: Path) -> None:
    borrower = borrow(modules, f"import sys\nfound = hasattr(sys.modules[{NAME!r}], '__file__')")
    assert borrower.found is False
    assert NAME not in sys.modules


def test_what_is_imported_already_is_not_lent(modules: Path) -> None:
    there = importlib.import_module(NAME)
    assert borrow(modules, f"from {NAME} import call").call() == "its own"
    assert sys.modules[NAME] is there

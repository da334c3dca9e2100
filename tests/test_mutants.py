"""The list of changes that tests must notice fits the code: see `tests/trust/mutants.py`."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.trust.mutants import ROOT, Mutant, mutants

MUTANTS = mutants()


def test_each_has_a_name_of_its_own() -> None:
    assert [name for name, times in Counter(one.name for one in MUTANTS).items() if times > 1] == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_change_fits_the_code_and_names_tests_that_are_there(mutant: Mutant) -> None:
    """What the tests then notice is the change, and not that the code has moved."""
    source = (ROOT / mutant.path).read_text()
    changed = mutant.changed(source)
    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source)), "it changes nothing"
    assert mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert not name or f"def {name.partition('[')[0]}(" in Path(ROOT, file).read_text()
        assert Path(ROOT, file).is_file()


@pytest.mark.parametrize("old", ["no such text", "import"])
def test_a_change_that_fits_nowhere_or_at_two_places_is_refused(old: str) -> None:
    mutant = Mutant("one", "app.py", old, "", ("tests/test_mutants.py",))
    with pytest.raises(ValueError, match="stands"):
        mutant.changed((ROOT / mutant.path).read_text())

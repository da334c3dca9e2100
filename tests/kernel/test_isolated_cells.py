"""`%%isolated`: a cell comes to the same in another process as here."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.kernel.elsewhere_cells import CASES, play


@pytest.mark.parametrize("name", CASES)
def test_as_here(name: str, notebook: Notebook) -> None:
    here = play(notebook, CASES[name], "")
    there = play(notebook, CASES[name], "%%isolated")
    assert here.pop("lost") == str(bool(CASES[name].lost))
    assert there.pop("lost") == "False"
    assert there == here

"""`doctor` starts a kernel and runs a cell of each kind, also where that does not work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from namespace_kernel import doctor
from namespace_kernel.doctor import Verdict


@pytest.fixture(autouse=True)
def environment(kernel_env: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    """What the kernel gets; where its configuration is read."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in kernel_env.items():
            patch.setenv(variable, value)
        patch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
        yield tmp_path / "ipython" / "profile_default" / "namespace_kernel_config.py"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a Dask cluster."""
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)


def test_a_cell_of_each_kind_runs() -> None:
    found = list(doctor.cells())
    assert [one.text for one in found] == [f"It ran {name}." for name, _ in doctor.CELLS]
    assert {one.verdict for one in found} == {Verdict.FINE}


@pytest.mark.usefixtures("quick")
def test_without_dask_its_cell_is_left_out() -> None:
    found = list(doctor.cells())
    assert len(found) == len(doctor.CELLS)
    assert found[-1].verdict is Verdict.NOTE and "namespace_kernel[dask]" in found[-1].remedy


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("configured", "said"),
    [
        ("import sys; sys.exit('the configuration ended it')", "the configuration ended it"),
        ("import os; print('not a word more'); os._exit(3)", "Kernel died"),
    ],
)
def test_a_kernel_that_does_not_start_is_told_with_its_last_words(
    environment: Path, configured: str, said: str
) -> None:
    environment.parent.mkdir(parents=True)
    environment.write_text(configured)
    (found,) = doctor.cells()
    assert found.verdict is Verdict.BROKEN and said in found.text


@pytest.mark.usefixtures("quick")
def test_a_way_that_does_not_work_is_told_with_its_error(environment: Path) -> None:
    environment.parent.mkdir(parents=True)
    environment.write_text(
        "c = get_config()\nc.InteractiveShellApp.exec_lines = ["
        "'import sys; sys.executable = \"/no/such/python\"', 'get_ipython().autoawait = False']\n"
    )
    found = {name: one for (name, _), one in zip(doctor.CELLS, doctor.cells(), strict=True)}
    assert found["a plain cell"].verdict is Verdict.FINE
    assert found["a cell that awaits"].verdict is Verdict.BROKEN
    assert "SyntaxError" in found["a cell that awaits"].text
    assert found["%%isolated"].verdict is Verdict.BROKEN
    assert "no process could be started" in found["%%isolated"].text

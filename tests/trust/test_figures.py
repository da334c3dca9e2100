"""The harness itself: what is violated is counted, and told with what repeats it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trust import figures
from tests.trust.figures import MOST_VIOLATIONS, Record, Trial, read_records
from tests.trust.page import BEGIN, END, as_table, plot_days, write_into


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(figures, "RECORDS", tmp_path)
    monkeypatch.setattr(figures, "SCALE", None)
    for variable in ("TRUST_FIRST", "TRUST_TRIES"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def made(spec: str = "namespace") -> Trial:
    return Trial(Record("even", "Numbers are even", "tests/trust/test_x.py::test_x", spec), 1_000, 10)


def test_a_violation_is_counted_kept_and_told_with_what_repeats_it(folder: Path) -> None:
    trial = made()
    for attempt in trial.attempts():
        with attempt:
            assert attempt.number % 5
    trial.measure("+1 MB")
    with pytest.raises(AssertionError, match="--seed 1 --specs namespace --only even --first 5 --tries 1"):
        trial.finish()
    (record,) = read_records(folder)
    assert (record.tries, len(record.violations)) == (10, 2)
    made("python3").finish()
    table = as_table(read_records(folder), 1)
    row = "| **even**: Numbers are even | `tests/trust/test_x.py` | 2 of 10 tests; +1 MB | 0 of 0 tests |"
    assert table.splitlines()[-1] == row and "| ipykernel |" in table


def test_the_course_of_a_day_is_drawn(tmp_path: Path) -> None:
    def day(spec: str, **series: list[float]) -> Record:
        return Record("days", "Nothing grows", "test_days.py", spec, series=series)

    path = tmp_path / "days.png"
    plot_days([], path)
    assert not path.exists()
    plot_days([day(spec, acts=[1, 2], MB=[5, 6], tasks=[0, 1]) for spec in ("namespace", "python3")], path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_try_draws_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = {}
    for attempt in made().attempts():
        with attempt as rng:
            drawn[attempt.number] = rng.random()
    monkeypatch.setenv("TRUST_FIRST", "7")
    monkeypatch.setenv("TRUST_TRIES", "1")
    (attempt,) = made().attempts()
    assert attempt.number == 7
    with attempt as rng:
        assert rng.random() == drawn[7]
    assert len(set(drawn.values())) == 10


def test_a_run_is_scaled_and_ends_after_many_violations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "SCALE", "0.5")
    trial = made()
    for attempt in trial.attempts():
        with attempt:
            raise AssertionError
    assert (trial.count, trial.record.tries) == (500, MOST_VIOLATIONS)


def test_an_error_of_the_test_is_no_violation() -> None:
    (attempt, *_) = made().attempts()
    with pytest.raises(ZeroDivisionError), attempt:
        1 / 0


def test_the_table_stands_between_the_markers_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_into(page, "new")
    write_into(page, "newer")
    assert page.read_text() == f"before\n{BEGIN}\n\nnewer\n\n{END}\nafter\n"
    page.write_text("no markers")
    with pytest.raises(ValueError, match="markers"):
        write_into(page, "new")

"""The harness itself: what it measures, that it survives kernels that fail, and what it writes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import elsewhere, memory, report, run
from benchmarks.case import Case, Group, at_once, output, round_trip
from benchmarks.catalogue import CASES
from benchmarks.environments import OURS, REFERENCE, ROOT, Kernel
from benchmarks.results import Results
from benchmarks.wire import Client, KernelSilent

FLOOR = Kernel("floor", "1", [sys.executable, str(ROOT / "benchmarks" / "floor.py"), "{connection_file}"])
OURS_HERE = Kernel(OURS, "1", [sys.executable, "-P", "-m", "namespace_kernel", "-f", "{connection_file}"])
#: What the benchmark's cells do without a pause, which may be faster than any look.
PACED = "kept = []\nwhile True:\n    kept.append(bytearray(2**22))\n    time.sleep(0.02)"
#: Answers nothing, and then is gone.
DEAD = Kernel("dead", "1", [sys.executable, "-c", "pass"])


def measured(kernel: Kernel, *cases: Case) -> Results:
    results = Results("machine", 1)
    run.run_round(0, [kernel], list(cases), False, results)
    return results


def test_a_kernel_that_answers_has_as_many_samples_as_asked_for() -> None:
    case = Case("some cells", "ms", Group.CELLS, round_trip("x = 1", 7))
    many = Case("many cells", "ms", Group.CELLS, at_once("x = 1", 20))
    results = measured(FLOOR, case, many)
    assert len(results.rows["some cells"].samples["floor"]) == 7
    assert len(results.rows["many cells"].samples["floor"]) == 1
    assert not any(row.failures for row in results.rows.values())


def test_the_start_and_the_end_are_measured() -> None:
    results = Results("machine", 1)
    run.run_round(0, [FLOOR], [], True, results)
    for name in ("start to kernel_info", "start to first result", "memory, idle", "shutdown request to exit"):
        assert len(results.rows[name].samples["floor"]) == 2


def test_a_kernel_that_does_not_start_is_a_failure_and_not_the_end_of_the_run() -> None:
    results = measured(DEAD, CASES[0])
    (reason,) = results.rows["start to first result"].failures["dead"]
    assert reason == "the process ended (status 0)"


def test_a_case_that_kills_the_kernel_fails_and_the_next_one_is_measured() -> None:
    deadly = Case("deadly", "ms", Group.CELLS, round_trip("import os; os._exit(3)"))
    results = measured(FLOOR, deadly, CASES[0])
    assert results.rows["deadly"].failures == {"floor": ["the process ended (status 3)"]}
    assert results.rows[CASES[0].name].samples["floor"]


def test_a_kernel_that_has_only_ever_failed_a_case_is_not_asked_again() -> None:
    asked: list[str] = []

    def silent(client: Client) -> Iterator[float]:
        asked.append(client.kernel.name)
        raise KernelSilent("no answer")
        yield 0.0

    case = Case("silent", "ms", Group.CELLS, silent)
    results = Results("machine", 2)
    for number in range(2):
        run.run_round(number, [FLOOR], [case], False, results)
    assert asked == ["floor"]


def test_output_that_is_lost_is_a_failure() -> None:
    lossy = Case("lossy", "ms", Group.CELLS, output("x = 1", lambda messages: 99_999, 100_000))
    results = measured(FLOOR, lossy)
    assert results.rows["lossy"].failures["floor"] == ["99,999 of 100,000 of its output arrived"]


def test_the_table_has_percentiles_ratios_and_failures(tmp_path: Path) -> None:
    results = Results("machine", 4, {OURS: "0.1", REFERENCE: "7.4", "other": "1"}, {"absent": "no wheel"})
    row = results.row("`pass`", "ms", "Cells")
    for sample in range(1, 101):
        row.add(OURS, sample)
        row.add(REFERENCE, sample * 2)
    row.fail("other", "no answer")
    text = report.as_markdown(results)
    assert "| `pass`, ms | 50.5 / 96 | 101 / 192 | **0.50** | fails |" in text
    assert "- other, no answer: `pass`." in text
    assert "absent was not measured: no wheel." in text
    document = tmp_path / "page.md"
    document.write_text(f"before\n{report._BEGIN}\nold\n{report._END}\nafter\n")
    report.write_into(document, text)
    report.write_into(document, text)
    written = document.read_text()
    assert written.startswith("before\n") and written.endswith("\nafter\n")
    assert "old" not in written and written.count(text) == 1


def test_a_document_without_markers_is_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("mine")
    with pytest.raises(ValueError, match="has no lines"):
        report.write_into(document, "new")
    assert document.read_text() == "mine"


def test_the_page_of_the_documentation_can_be_written() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    assert text.count(report._BEGIN) == text.count(report._END) == 1


def test_no_two_cases_have_the_same_name() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


def test_cells_elsewhere_are_measured_beside_a_library_and_what_does_not_start_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(elsewhere, "RIVALS", ("joblib", "nobody"))
    monkeypatch.setattr(elsewhere, "OTHERS", (elsewhere._short_cells,))
    sizes = elsewhere.Sizes(numbers=300_000, entries=1000)
    results = elsewhere.measure(OURS_HERE, sizes, 1, lambda text: None)
    assert list(results.missing) == ["nobody"] and "does not start" in results.missing["nobody"]
    for title, _, _ in elsewhere._CASES:
        row = results.rows[title]
        assert len(row.samples[OURS]) == len(row.samples["joblib"]) == 1
        assert (row.ratio(OURS) or 0) > 0 and (row.ratio("joblib") or 0) > 0
    assert len(results.rows["a cell that does nothing"].samples[OURS]) == 40
    assert min(results.rows["all cases"].samples[OURS]) > sizes.numbers * 8 / 2**20
    text = report.as_markdown(results)
    assert "| joblib ÷ |" in text and "nobody was not measured" in text


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the memory is not watched")
@pytest.mark.parametrize(
    ("code", "ended"),
    [
        (PACED, "MemoryLimitError"),
        (f"%%background\n{PACED}", "MemoryLimitError"),
        ("x = bytearray(10**12)", "MemoryError"),
        (memory.STILL["cycles"], "ok"),
    ],
)
def test_how_a_cell_under_a_limit_ended_is_told(code: str, ended: str) -> None:
    with memory.limited(OURS_HERE, "`ulimit -v`", 2048) as kernel:
        assert memory.outcome(kernel, code) == f"{ended}, all names whole"


def test_a_kernel_that_dies_under_a_limit_is_told() -> None:
    with memory.limited(OURS_HERE, "`ulimit -v`", 2048) as kernel:
        assert memory.outcome(kernel, "import os; os._exit(3)") == "the process ended (status 3)"

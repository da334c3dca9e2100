"""The page that outlives its process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from namespace_kernel.durable.last_words import CellRecord, Memory, read_page
from namespace_kernel.durable.page import EXIT, EXIT_AT, LOST_DESCRIPTORS, Page
from namespace_kernel.kernel.wire import overflow


def cell(number: int, code: str = "x = 1") -> CellRecord:
    return CellRecord(number, 1.5, "main", code)


def begin(page: Page, one: CellRecord) -> int | None:
    return page.begin_cell(one.number, one.since, one.route, one.code)


def test_cells_are_there_while_they_run(tmp_path: Path) -> None:
    page = Page(tmp_path / "page", 5)
    first, second = begin(page, cell(1)), begin(page, cell(2))
    assert first is not None and second is not None
    page.end_cell(first)
    record = read_page(tmp_path / "page")
    assert record is not None
    assert record.cells == (cell(2),) and (record.pid, record.parent) == (os.getpid(), 5)
    assert record.exit_status is None and not record.asked_to_end


@pytest.mark.filterwarnings("ignore:This process .*fork:DeprecationWarning")
def test_a_process_that_is_killed_leaves_all_that_it_wrote(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        page = Page(tmp_path / "page", 5)
        begin(page, cell(3))
        page.note(2.0, 30, 40, "line 1 of In [3]", True)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    record = read_page(tmp_path / "page")
    assert record is not None
    assert record.cells == (cell(3),) and record.memory == Memory(2.0, 30, 40)
    assert (record.line_at, record.line, record.asked_to_end) == (2.0, "line 1 of In [3]", True)


def test_more_cells_than_fit_are_left_out_and_their_ends_free_the_room(tmp_path: Path) -> None:
    page = Page(tmp_path / "page", 5)
    slots = [begin(page, cell(number)) for number in range(1000)]
    taken = [slot for slot in slots if slot is not None]
    assert 3 < len(taken) < 1000 and None in slots
    for slot in taken:
        page.end_cell(slot)
    assert [begin(page, cell(number)) is None for number in range(len(taken) + 1)][-2:] == [False, True]


def test_text_that_does_not_fit_is_cut_between_characters(tmp_path: Path) -> None:
    page = Page(tmp_path / "page", 5)
    begin(page, cell(1, "é" * 1000))
    begin(page, cell(2, "\ud800 alone"))
    record = read_page(tmp_path / "page")
    assert record is not None
    codes = {one.number: one.code for one in record.cells}
    assert set(codes[1]) == {"é"} and codes[2] == "? alone"


def test_what_is_no_page_says_nothing(tmp_path: Path) -> None:
    for data in (b"", b"nskernel", b"x" * 10_000):
        (tmp_path / "page").write_bytes(data)
        assert read_page(tmp_path / "page") is None


def test_who_watches_the_end_writes_where_the_page_is_read(tmp_path: Path) -> None:
    assert (overflow._EXIT.format, overflow._EXIT_AT) == (EXIT.format, EXIT_AT)
    assert overflow._LOST_DESCRIPTORS == LOST_DESCRIPTORS

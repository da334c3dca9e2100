"""The receipt and what is said on it, without a kernel."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from namespace_kernel.base.cell import Cell, Context, Route
from namespace_kernel.base.execution import Execution
from namespace_kernel.reports.receipt import Kind, Receipts, Remark, as_html, as_text
from tests.unit.fakes import PATIENCE, SomeTimers, execution_of, run_in_threads
from tests.unit.reports.receipts import LEAK, Shown, settle


def remark(text: str, *names: str) -> Remark:
    rows = tuple((name, f"from {name}", f"state of {name}", f"end {name}") for name in names)
    return Remark(f"{text} in a sentence", text, text.upper(), rows)


def cells_of(source: str) -> list[str]:
    return re.findall("<t[dh][^>]*>(.*?)</t[dh]>", source)


LISTS = "<code>%ps</code> lists what runs now"


@pytest.fixture
def shown() -> Shown:
    return Shown()


# --- the two forms


def test_one_remark_without_details_does_not_fold() -> None:
    assert as_text([remark("one")]) == "one in a sentence"
    assert as_html([remark("one")]).startswith("<div")
    assert "details" not in as_html([remark("one")])


def test_one_remark_with_details_folds_out_to_them() -> None:
    source = as_html([remark("one", "a", "b")])
    assert source.startswith("<details")
    assert "<summary>one in a sentence</summary>" in source
    rows = ["a", "from a", "state of a", "end a", "b", "from b", "state of b", "end b"]
    assert cells_of(source) == [*rows, LISTS]


def test_what_the_line_says_already_is_not_said_again() -> None:
    assert cells_of(as_html([remark("one", "a")])) == ["state of a end a", LISTS]


def test_of_several_the_line_is_short_and_the_sentences_fold_out() -> None:
    remarks = [remark("one", "a"), remark("two")]
    assert as_text(remarks) == "one in a sentence\ntwo in a sentence"
    assert "<summary>one · two</summary>" in as_html(remarks)
    rows = ["ONE", "a", "from a", "state of a", "end a"]
    assert cells_of(as_html(remarks)) == [*rows, "two in a sentence", LISTS], "how to list all is said once"


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("`x`", "<code>x</code>"),
        ("<b>", "&lt;b&gt;"),
        ("`a < b & c`", "<code>a &lt; b &amp; c</code>"),
        ("`<code>`", "<code>&lt;code&gt;</code>"),
        ("&amp;", "&amp;amp;"),
        ("a ` alone", "a ` alone"),
        ("\"quoted\" 'too'", "&quot;quoted&quot; &#x27;too&#x27;"),
    ],
)
def test_whatever_is_said_is_text_in_html(text: str, marked: str) -> None:
    assert f"<summary>{marked}</summary>" in as_html([Remark(text, "", "", (("", "", "state", ""),))])
    assert f">{marked}</td>" in as_html([Remark("sentence", "", "", (("", "", text, ""),))])


# --- showing


def test_nothing_to_say_shows_nothing(shown: Shown) -> None:
    settle(shown, execution_of())
    shown.catch_up()
    assert shown.published == []


def test_it_is_shown_once_and_then_updated_under_one_id(shown: Shown) -> None:
    execution = execution_of()
    settle(shown, execution, LEAK)
    for _ in range(3):
        shown.receipts.leaked(execution, LEAK)
        shown.catch_up()
    assert [update for _, _, update in shown.published] == [False, True, True, True]
    assert len({display_id for display_id, _, _ in shown.published}) == 1
    assert [" 2 times" in text for text in shown.texts] == [False, True, False, False]
    assert " 4 times" in shown.texts[-1]


def test_what_has_not_changed_is_not_shown_again(shown: Shown) -> None:
    execution = execution_of()
    settle(shown, execution, LEAK)
    shown.receipts.refresh(execution)
    shown.receipts.show(execution)
    shown.catch_up()
    assert len(shown.published) == 1


def test_many_changes_are_one_update(shown: Shown) -> None:
    execution = execution_of()
    settle(shown, execution)
    for _ in range(100):
        shown.receipts.leaked(execution, LEAK)
        shown.receipts.refresh(execution)
    assert len(shown.later) == 1
    shown.catch_up()
    assert len(shown.published) == 1
    assert " 100 times" in shown.texts[0]


def test_nothing_is_shown_before_the_cell_is_settled(shown: Shown) -> None:
    execution = execution_of()
    shown.receipts.leaked(execution, LEAK)
    shown.receipts.refresh(execution)
    assert shown.later == []
    settle(shown, execution)
    assert len(shown.published) == 1


def test_a_silent_cell_shows_nothing(shown: Shown) -> None:
    route = Route(Context.MAIN, "", "")
    settle(shown, Execution(Cell("", "cell", silent=True), route), LEAK)
    assert shown.published == []


def test_a_kind_that_is_switched_off_is_left_out(shown: Shown) -> None:
    execution = execution_of("_ = 5")
    shown.wanted = {Kind.ENGINE_NAMES}
    settle(shown, execution, LEAK, overwritten="_")
    assert shown.texts == ["`_` is reserved for the last result; your value was discarded"]
    shown.wanted = set()
    settle(shown, execution_of("_ = 5"), LEAK, overwritten="_")
    assert len(shown.published) == 1


def test_a_source_that_leaks_while_the_receipt_is_made(shown: Shown) -> None:
    """The garbage collector may run anywhere."""
    execution = execution_of()
    garbage = [LEAK]

    def source() -> Remark:
        if garbage:
            shown.receipts.note(execution, Kind.BLOCKING, lambda: None, object())
            shown.receipts.leaked(execution, garbage.pop())
        return remark("one")

    shown.receipts.note(execution, Kind.BLOCKING, source)
    settle(shown, execution)
    shown.catch_up()
    assert "`f()` was called without `await`" in shown.texts[-1]


def test_a_leak_is_noted_though_another_thread_shows_a_receipt(shown: Shown) -> None:
    """What the garbage collector calls must not wait for a lock."""
    execution = execution_of()
    execution.settled = True
    holds, noted = threading.Event(), threading.Event()

    def show() -> None:
        def source() -> None:
            holds.set()
            assert noted.wait(PATIENCE)

        shown.receipts.note(execution, Kind.BLOCKING, source)
        shown.receipts.show(execution)

    def leak() -> None:
        assert holds.wait(PATIENCE)
        shown.receipts.leaked(execution, LEAK)
        noted.set()

    run_in_threads(show, leak)
    shown.catch_up()
    assert len(shown.published) == 1


def test_what_goes_away_after_the_cell_has_settled_is_told_soon_and_once(shown: Shown) -> None:
    execution = execution_of()
    settle(shown, execution)
    assert shown.published == []
    shown.receipts.leaked(execution, LEAK)
    shown.receipts.leaked(execution, LEAK)
    assert len(shown.later) == 1, "it is on its way"
    shown.catch_up()
    assert " 2 times" in shown.texts[-1]
    shown.receipts.leaked(execution, LEAK)
    shown.catch_up()
    assert " 3 times" in shown.texts[-1]


def test_leaks_of_many_threads_are_all_counted(shown: Shown) -> None:
    execution = execution_of()
    settle(shown, execution)

    def leak() -> None:
        for _ in range(500):
            shown.receipts.leaked(execution, LEAK)
            shown.receipts.collect(execution)

    run_in_threads(*[leak] * 4)
    shown.catch_up()
    assert " 2000 times" in shown.texts[-1]


def test_receipts_work_without_the_kernel_s_words() -> None:
    published: list[Any] = []
    receipts = Receipts(lambda *shown: published.append(shown), lambda kind: True, SomeTimers())
    execution = execution_of()
    receipts.note(execution, Kind.TASKS, lambda: remark("one"))
    receipts.note(execution, Kind.TASKS, lambda: remark("two"))
    receipts.show(execution)
    assert published[0][1]["text/plain"] == "two in a sentence", "one with the same key is replaced"

"""What IPython keeps of outputs, compressed: it must come back as it was."""

from __future__ import annotations

import random
import tracemalloc
from collections import defaultdict
from typing import Any

import pytest
from IPython.core.history import HistoryOutput

from namespace_kernel.packed_records import PackedRecords
from namespace_kernel.saved_history import _outputs, _plain_outputs
from tests.unit.fakes import run_in_threads


def outputs() -> PackedRecords[list[HistoryOutput]]:
    return PackedRecords(_plain_outputs, _outputs, list)


class Mine(str):
    """Of no basic type."""


def output_of(number: int) -> HistoryOutput:
    text: Any = Mine(number) if number % 7 == 0 else f"{number}: \ud800\0ä" * (number % 5)
    return HistoryOutput("execute_result", {"text/plain": text, "x/json": [{"n": number, "f": 0.1}, None]})


def test_they_behave_like_a_defaultdict_whatever_is_done_in_whatever_order() -> None:
    chance = random.Random(3)
    ours, reference = outputs(), defaultdict[int, list[HistoryOutput]](list)
    for number in range(5_000):
        key = chance.choice((number, chance.randrange(number + 1)))
        match chance.randrange(12):
            case 0:
                assert ours.pop(key, None) == reference.pop(key, None)
                with pytest.raises(KeyError):
                    ours.pop(key)
            case 1:
                assert ours[key] == reference[key]
            case 2:
                assert (key in ours) == (key in reference) and ours.get(key) == reference.get(key)
            case _:
                ours[key].append(output_of(number))
                reference[key].append(output_of(number))
        assert len(ours) == len(reference)
    assert len(ours) > 1_000 and list(ours) == sorted(reference)
    assert dict(ours) == reference
    ours.clear()
    assert not ours and list(ours.items()) == [] and ours.get(1) is None


def test_what_holds_other_types_is_the_same_object_for_ever() -> None:
    records = PackedRecords[Any]()
    mine = records[0] = [object()]
    for number in range(1, 1_000):
        records[number] = str(number)
    assert records[0] is mine and records[1] == "1" and list(records) == list(range(1_000))


def test_texts_of_many_cells_take_a_fraction_of_the_memory() -> None:
    def grown(records: Any) -> int:
        tracemalloc.start()
        try:
            for number in range(2_000):
                records[number] = [
                    f"line {line} of cell {number}, as a traceback has it" for line in range(20)
                ]
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    assert grown(PackedRecords()) < grown({}) / 4


def test_short_texts_take_less_than_the_entries_of_a_dict() -> None:
    """A result of one digit has a key, an entry and a text, which are more than the digit."""

    def grown(records: Any) -> int:
        tracemalloc.start()
        try:
            for number in range(1_000, 6_000):
                records[number] = str(number % 7)
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    assert grown(PackedRecords()) < grown({}) / 4


def test_threads_write_and_read_and_nothing_is_lost() -> None:
    ours, number_of_threads, count = outputs(), 4, 1_500

    def write(offset: int) -> None:
        for number in range(offset, number_of_threads * count, number_of_threads):
            ours[number].append(HistoryOutput("execute_result", {"text/plain": str(number)}))
            read = random.randrange(offset, number + 1, number_of_threads) if number > offset else offset
            assert ours[read] == [HistoryOutput("execute_result", {"text/plain": str(read)})]

    run_in_threads(*(lambda offset=offset: write(offset) for offset in range(number_of_threads)))  # type: ignore[misc]
    assert len(ours) == number_of_threads * count

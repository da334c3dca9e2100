"""Which journal a kernel has, and when it has none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from namespace_kernel import AsyncNamespaceManager, Journal
from namespace_kernel.base.errors import JournalError
from namespace_kernel.durable.durability import Durability
from tests.unit.fakes import PATIENCE


@pytest.fixture
def durability(tmp_path: Path) -> Iterator[Durability]:
    one = Durability(
        AsyncNamespaceManager(),
        wanted=lambda: "mine",
        limits=lambda: (2**30, 30.0),
        tell=lambda line: None,
        is_engines=lambda name, value: False,
        data=lambda: str(tmp_path),
    )
    yield one
    one.stop()


def test_where_another_journal_cannot_be_had_the_one_that_there_is_goes_on(durability: Durability) -> None:
    mine = durability.start(in_cell=False)
    other = Journal(AsyncNamespaceManager(), durability.place("other"))
    try:
        with pytest.raises(JournalError, match="another kernel"):
            durability.start("other", in_cell=False)
        assert durability.journal is mine and mine.flush(PATIENCE)
        assert durability.start(in_cell=False) is mine
    finally:
        other.close(0.0)
    assert durability.start("other", in_cell=False) is not mine
    assert not mine.flush(0.0)

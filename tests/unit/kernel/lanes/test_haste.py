"""Turns are short while somebody waits, and never otherwise."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from namespace_kernel.kernel.lanes.haste import Haste


@pytest.fixture(autouse=True)
def interval() -> Iterator[float]:
    before = sys.getswitchinterval()
    yield before
    sys.setswitchinterval(before)


def test_turns_are_short_until_the_last_has_its_answer(interval: float) -> None:
    haste = Haste()
    with haste:
        with haste:
            assert sys.getswitchinterval() < interval
        assert sys.getswitchinterval() < interval
    assert sys.getswitchinterval() == interval


def test_turns_that_are_shorter_already_stay_so() -> None:
    sys.setswitchinterval(1e-5)
    shorter = sys.getswitchinterval()
    with Haste():
        assert sys.getswitchinterval() == shorter
    assert sys.getswitchinterval() == shorter


def test_what_the_user_sets_meanwhile_stays() -> None:
    with Haste():
        sys.setswitchinterval(0.02)
    assert sys.getswitchinterval() == pytest.approx(0.02)

"""How large values are, asked without running their code."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from namespace_kernel.durable.sizes import largest, size_of


class Loud:
    def __sizeof__(self) -> int:
        raise AssertionError("asked")

    def __len__(self) -> int:
        raise AssertionError("asked")

    def __getattr__(self, name: str) -> object:
        raise AssertionError("asked")


class LoudList(list):  # type: ignore[type-arg]
    def __iter__(self) -> object:  # type: ignore[override]
        raise AssertionError("asked")


class ndarray:
    nbytes = 10**12


def test_what_runs_code_is_not_asked() -> None:
    for value in (Loud(), LoudList([1]), ndarray(), Loud, None, object()):
        assert size_of(value) == 0


def test_plain_values_and_containers() -> None:
    assert size_of(b"x" * 1000) == sys.getsizeof(b"x" * 1000)
    numbers = list(range(1000, 101_000))
    assert size_of(numbers) == pytest.approx(sys.getsizeof(numbers) + 28 * 100_000, rel=0.05)
    table = {str(n): "v" * 100 for n in range(10_000)}
    real = sys.getsizeof(table) + sum(sys.getsizeof(k) + sys.getsizeof(v) for k, v in table.items())
    assert size_of(table) == pytest.approx(real, rel=0.1)
    assert size_of([Loud(), Loud()]) == list.__sizeof__([1, 2])


def test_what_refers_to_itself_ends() -> None:
    circle: list[object] = []
    circle.append(circle)
    assert 0 < size_of(circle) < 10_000


def test_arrays_and_frames() -> None:
    assert size_of(np.zeros(10**6)) == 8 * 10**6
    frame = pd.DataFrame({"a": np.zeros(10**5), "b": np.zeros(10**5, dtype="int32")})
    assert size_of(frame) == 12 * 10**5
    assert size_of(frame["a"]) == 8 * 10**5


def test_the_largest_come_first_and_unknown_ones_are_left_out() -> None:
    names = {"a": b"x" * 100, "b": b"x" * 9000, "c": Loud(), "d": np.zeros(10**4)}
    assert [name for name, _ in largest(names, 2)] == ["d", "b"]

"""CPython's own tests of asyncio end in cells as they do in plain Python."""

from __future__ import annotations

import faulthandler
from fnmatch import fnmatchcase

import pytest

from tests.third_party import cpython
from tests.third_party.runner import IN_CI


@pytest.mark.third_party
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("way", cpython.WAYS)
def test_cpython_s_tests_end_as_in_plain_python(way: str) -> None:
    faulthandler.cancel_dump_traceback_later()  # stacks of threads that wait are no news
    if (reason := cpython.missing()) and not IN_CI:
        pytest.skip(reason)
    differences = cpython.load()
    modules = [module for module in differences.quick if way in differences.modules[module]]
    comparisons = cpython.compare(modules, way)
    told = "\n".join(one.summary() for one in comparisons)
    print(told)
    assert all(one.green for one in comparisons), told


def test_every_difference_has_a_reason_and_is_of_a_module_that_runs_that_way() -> None:
    differences = cpython.load()
    for entry in (*differences.left_out, *differences.differs):
        assert entry.reason
        for pattern in entry.tests:
            module = next(one for one in differences.modules if pattern.startswith(f"{one}."))
            assert set(entry.ways) <= set(differences.modules[module]), pattern


A = {"m.Test.one": ("passed", ""), "m.Test.two": ("failed: AssertionError", "trace")}


@pytest.mark.parametrize(
    ("there", "listed", "occasional", "unlisted", "gone"),
    [
        (A, (), False, [], ()),
        (A | {"m.Test.two": ("passed", "")}, (), False, ["m.Test.two"], ()),
        (A | {"m.Test.two": ("failed: ValueError", "")}, (), False, ["m.Test.two"], ()),
        (A | {"m.Test.three": ("did not end", "")}, (), False, ["m.Test.three"], ()),
        (A | {"m.Test.two": ("passed", "")}, ("m.*.two",), False, [], ()),
        (A, ("m.*.two",), False, [], ("m.*.two",)),
        (A, ("m.*.two",), True, [], ()),
        (A, ("another.*.two",), False, [], ()),
    ],
    ids=["same", "fails", "error", "misses", "listed", "gone", "occasional", "elsewhere"],
)
def test_a_difference_is_told_unless_it_is_listed(
    there: cpython.Outcomes,
    listed: tuple[str, ...],
    occasional: bool,
    unlisted: list[str],
    gone: tuple[str, ...],
) -> None:
    entry = cpython.Difference(("plain",), listed, "a reason", occasional)
    found = cpython.compared("m", "plain", A, there, (entry,))
    assert (list(found.unlisted), found.gone) == (unlisted, gone)
    assert not any(fnmatchcase("m.Test.one", test) for test in found.unlisted)

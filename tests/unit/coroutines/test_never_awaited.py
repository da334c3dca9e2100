"""`NeverAwaitedHook`: coroutines that go away unawaited are noticed; others' hooks stay in use."""

from __future__ import annotations

import gc
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from namespace_kernel.base.lines import Leak
from namespace_kernel.base.patching import Patches
from namespace_kernel.coroutines.never_awaited import NeverAwaitedHook
from namespace_kernel.coroutines.origins import Origins, OriginTracking
from tests.unit.fakes import SomeLines, answer

CELL_FILE = "<a cell>"
ORIGINS = Origins(OriginTracking(), {}.get, SomeLines(cells=[CELL_FILE]))


def track_origins() -> None:
    OriginTracking().apply(True)


class OtherHook:
    """Somebody else's, which notes what it is asked about."""

    def __init__(self, chained: Callable[[Any], None] | None = None) -> None:
        self.names: list[str] = []
        self._chained = chained

    def __call__(self, coroutine: Any) -> None:
        self.names.append(getattr(coroutine, "__qualname__", "something else"))
        if self._chained is not None:
            self._chained(coroutine)


@pytest.fixture(autouse=True)
def before_us(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtherHook]:
    depth = sys.get_coroutine_origin_tracking_depth()
    other = OtherHook()
    monkeypatch.setattr(warnings, "_warn_unawaited_coroutine", other)
    track_origins()
    yield other
    sys.set_coroutine_origin_tracking_depth(depth)


@pytest.fixture
def hook() -> Iterator[NeverAwaitedHook]:
    hook = NeverAwaitedHook(ORIGINS.leak_of)
    with Patches(*hook.patches):
        yield hook


def current_hook() -> Any:
    return warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]


def leak_in(filename: str, line: int = 1) -> None:
    """Create and drop a coroutine on a line of a file."""
    exec(compile("\n" * (line - 1) + "f()", filename, "exec"), {"f": answer})
    gc.collect()


def test_a_coroutine_of_a_cell_is_noticed_with_name_and_line(
    hook: NeverAwaitedHook, before_us: OtherHook
) -> None:
    leak_in(CELL_FILE, 7)
    assert hook.drain() == [Leak("answer", CELL_FILE, 7)]
    assert hook.drain() == []
    assert before_us.names == []


def test_a_coroutine_from_anywhere_else_goes_to_the_hook_before(
    hook: NeverAwaitedHook, before_us: OtherHook
) -> None:
    leak_in("a_library.py")
    assert hook.drain() == []
    assert before_us.names == ["answer"]


def test_one_of_unknown_origin_goes_to_the_hook_before(hook: NeverAwaitedHook, before_us: OtherHook) -> None:
    sys.set_coroutine_origin_tracking_depth(0)
    leak_in(CELL_FILE)
    assert (hook.drain(), before_us.names) == ([], ["answer"])


def test_what_only_looks_like_a_coroutine_goes_to_the_hook_before(
    hook: NeverAwaitedHook, before_us: OtherHook
) -> None:
    class LooksLikeACoroutine:
        cr_origin = ((CELL_FILE, 1, "f"),)

    current_hook()(LooksLikeACoroutine())
    assert (hook.drain(), before_us.names) == ([], ["something else"])


def test_one_that_is_closed_or_awaited_is_nothing_to_notice(
    hook: NeverAwaitedHook, before_us: OtherHook
) -> None:
    answer().close()
    with pytest.raises(StopIteration):
        answer().send(None)
    gc.collect()
    assert (hook.drain(), before_us.names) == ([], [])


def test_one_that_another_thread_drops_is_noticed(hook: NeverAwaitedHook) -> None:
    thread = threading.Thread(target=lambda: [track_origins(), leak_in(CELL_FILE, 3)])
    thread.start()
    thread.join()
    assert hook.drain() == [Leak("answer", CELL_FILE, 3)]


@pytest.mark.parametrize("taken", [True, False])
def test_what_somebody_takes_is_not_told_again(taken: bool) -> None:
    offered: list[Leak] = []

    def take(leak: Leak, frame: FrameType | None) -> bool:
        assert frame is not None
        offered.append(leak)
        return taken

    hook = NeverAwaitedHook(ORIGINS.leak_of, take)
    with Patches(*hook.patches):
        leak_in(CELL_FILE, 7)
    assert offered == [Leak("answer", CELL_FILE, 7)]
    assert hook.drain() == ([] if taken else offered)


def test_a_flood_is_bounded(hook: NeverAwaitedHook) -> None:
    for _ in range(1_500):
        exec(compile("f()", CELL_FILE, "exec"), {"f": answer})
    assert len(hook.drain()) == 1_000


def test_the_hook_before_is_back_afterwards(before_us: OtherHook) -> None:
    hook = NeverAwaitedHook(ORIGINS.leak_of)
    patches = Patches(*hook.patches)
    patches.install()
    patches.install()
    assert current_hook() == hook._notice
    patches.undo()
    assert current_hook() is before_us
    patches.undo()
    assert current_hook() is before_us
    leak_in(CELL_FILE)
    assert before_us.names == ["answer"]


def test_it_can_be_installed_again(before_us: OtherHook) -> None:
    hook = NeverAwaitedHook(ORIGINS.leak_of)
    for _ in range(2):
        with Patches(*hook.patches):
            leak_in(CELL_FILE)
        assert len(hook.drain()) == 1
    assert before_us.names == []


def test_who_came_after_us_keeps_its_place(before_us: OtherHook) -> None:
    hook = NeverAwaitedHook(ORIGINS.leak_of)
    patches = Patches(*hook.patches)
    patches.install()
    after_us = OtherHook(current_hook())
    warnings._warn_unawaited_coroutine = after_us  # type: ignore[attr-defined]
    leak_in(CELL_FILE)
    leak_in("a_library.py")
    assert len(hook.drain()) == 1 and before_us.names == ["answer"]
    patches.undo()
    assert current_hook() is after_us


def test_after_we_are_gone_nothing_is_kept_from_the_hook_before(before_us: OtherHook) -> None:
    patches = Patches(*NeverAwaitedHook(ORIGINS.leak_of).patches)
    patches.install()
    after_us = OtherHook(current_hook())
    warnings._warn_unawaited_coroutine = after_us  # type: ignore[attr-defined]
    patches.undo()
    leak_in("a_library.py")
    leak_in(CELL_FILE)
    assert after_us.names == before_us.names == ["answer", "answer"]


def test_origins_that_somebody_tracks_more_deeply_are_left_so() -> None:
    sys.set_coroutine_origin_tracking_depth(5)
    track_origins()
    assert sys.get_coroutine_origin_tracking_depth() == 5

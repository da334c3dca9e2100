"""What would be lost without the manager's lock.

Each scene stops one operation half-way, by a value whose `__del__` (or an engine that) waits until
another thread has either done an operation of its own or found the lock taken. With the lock the
two happen one after the other. The last test takes the lock away and shows that each scene then loses.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from namespace_kernel import AsyncNamespaceManager, Context, Outcome
from namespace_kernel.base.lines import NativeCoroutine
from namespace_kernel.namespace import manager as manager_module
from namespace_kernel.namespace.history import ResultHistory
from tests.unit.fakes import PATIENCE, NoLock, WatchedLock, answer, is_closed

Act = Callable[[], Any]


class Stage:
    """A manager, and another thread that comes in amid what the first one does."""

    def __init__(self, take_lock_away: bool) -> None:
        self.manager = AsyncNamespaceManager()
        lock = NoLock() if take_lock_away else self.manager._lock
        self.lock = self.manager._lock = WatchedLock(lock)  # type: ignore[assignment]
        self._others: list[threading.Thread] = []

    def let_in(self, act: Act) -> None:
        """Return when another thread has done `act`, or waits for the lock."""

        def other() -> None:
            act()
            self.lock.moved.set()

        self._others.append(threading.Thread(target=other))
        self._others[-1].start()
        assert self.lock.moved.wait(PATIENCE)

    def wait(self) -> None:
        assert self._others, "nobody came in"
        for other in self._others:
            other.join(PATIENCE)


class Door:
    """A value that lets the other thread in when its last reference goes."""

    def __init__(self, stage: Stage, act: Act) -> None:
        self._stage, self._act = stage, act

    def __del__(self) -> None:
        self._stage.let_in(self._act)


class EngineWithDoor(ResultHistory):
    """An engine that lets the other thread in when it is asked for its names."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage
        self.act: Act | None = None

    def values(self) -> dict[str, Any]:
        values = super().values()
        act, self.act = self.act, None
        if act is not None:
            self._stage.let_in(act)
        return values


def lost_to_a_merge_that_deletes(stage: Stage) -> set[str]:
    """One merge sets `y` and deletes `x`; the later one sets both."""
    manager = stage.manager
    manager.live["x"] = 0
    later = {"y": "later", "x": "later"}
    manager.live["door"] = Door(stage, lambda: manager.merge_thread_results(later, {}))
    manager.merge_thread_results({"y": "earlier", "door": None}, {"x": 0})
    stage.wait()
    assert manager.live["y"] in ("earlier", "later")
    if manager.live["y"] == "earlier":
        return set()
    return later.keys() - manager.live.keys()


def lost_to_a_reset(stage: Stage) -> set[str]:
    """An update that comes amid a reset must be there afterwards, whole."""
    manager = stage.manager
    later = {"a": 1, "b": 2}
    manager.live["door"] = Door(stage, lambda: manager.update_namespace(later, "async"))
    manager.live["a"] = 0
    manager.remove_user_names()
    stage.wait()
    return later.keys() - manager.live.keys()


def lost_to_a_cleanup(stage: Stage) -> set[str]:
    """A coroutine that comes amid a cleanup must be closed by the next."""
    manager = stage.manager
    early, late = answer("early"), answer("late")
    manager.track(early)

    def look_for_tasks(coroutines: list[NativeCoroutine]) -> set[int]:
        stage.let_in(lambda: manager.track(late))
        return set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manager_module, "coroutines_of_tasks", look_for_tasks)
        manager.cleanup_coroutines()
    stage.wait()
    manager.cleanup_coroutines()
    lost = set() if is_closed(late) else {"late"}
    late.close()
    return lost


def torn(stage: Stage, look: Callable[[], dict[str, Any]]) -> set[str]:
    """Whoever looks amid a merge that adds `y` and deletes `x` must find both done."""
    manager, seen = stage.manager, []
    manager.live["x"] = 0
    manager.live["door"] = Door(stage, lambda: seen.append(look()))
    manager.merge_thread_results({"door": None, "y": 1}, {"x": 0})
    stage.wait()
    return seen[0].keys() ^ manager.live.keys()


def torn_snapshot(stage: Stage) -> set[str]:
    return torn(stage, lambda: stage.manager.namespace)


def torn_copy(stage: Stage) -> set[str]:
    return torn(stage, lambda: stage.manager.get_for_execution("thread"))


def torn_base(stage: Stage) -> set[str]:
    """What an execution is compared with: it would be taken for the one that deleted `x`."""
    return torn(stage, lambda: stage.manager.open(Context.MAIN).base)


def lost_to_a_close(stage: Stage) -> set[str]:
    """What is written while a copy's end looks for conflicts must be told as one, or come after it."""
    manager = stage.manager
    manager.live["x"] = 0
    view = manager.open(Context.ISOLATED, "elsewhere")
    view.namespace["x"] = 1

    def keeps_current() -> bool:
        stage.let_in(lambda: manager.update_namespace({"x": 2}, "main"))
        return False

    manager._keeps_current = keeps_current
    changes = manager.close(view, "elsewhere", Outcome())
    stage.wait()
    return set() if "x" in changes.contested or manager.live["x"] == 2 else {"x"}


def lost_number(stage: Stage) -> set[str]:
    """Two inputs that are recorded at once must have numbers of their own."""
    manager, numbers = stage.manager, []

    class Inputs(list[str]):
        def append(self, code: str) -> None:
            super().append(code)
            if code == "one":
                stage.let_in(lambda: numbers.append(manager.record_input("other")))

    manager.history.inputs = Inputs(manager.history.inputs)
    numbers.append(manager.record_input("one"))
    stage.wait()
    return {"a number"} if len({*numbers}) == 1 else set()


def unknown_writer(stage: Stage) -> set[str]:
    """Who asks amid a merge who wrote must not be told that nobody did."""
    manager, seen = stage.manager, []
    manager.live["x"] = Door(stage, lambda: seen.append(manager.writers()))
    manager.merge_thread_results({"x": 1}, {}, "a cell")
    stage.wait()
    return set() if "x" in seen[0] else {"x"}


def lost_result(stage: Stage) -> set[str]:
    """Of two results recorded at once, `_` must be the newest and `__` the other."""
    manager = stage.manager
    manager.live["_"] = Door(stage, lambda: manager.record_result("other"))
    manager.record_result("one")
    stage.wait()
    return {"one", "other"} - {manager.live["_"], manager.live["__"]}


def lost_exit_code(stage: Stage) -> set[str]:
    """`_exit_code` must be what was set last, whoever restores the names meanwhile."""
    manager = stage.manager
    engine = EngineWithDoor(stage)
    manager.attach_engine(engine)
    engine.act = lambda: manager.set_exit_code(3)
    manager.restore_engine_names()
    stage.wait()
    return set() if manager.live["_exit_code"] == manager.exit_code == 3 else {"_exit_code"}


def lost_exception(stage: Stage) -> set[str]:
    """`_exception` must be of the execution that ended last."""
    manager = stage.manager
    engine = EngineWithDoor(stage)
    manager.attach_engine(engine)
    error = ValueError()
    earlier = manager.open(Context.THREAD)
    engine.act = lambda: manager.close(manager.open(Context.THREAD), "later", Outcome(error=error))
    manager.close(earlier, "earlier", Outcome())
    stage.wait()
    return set() if manager.live["_exception"] is manager.exception is error else {"_exception"}


def lost_writer(stage: Stage) -> set[str]:
    """The value of a name and the record of who wrote it must be of the same writer."""
    manager = stage.manager
    manager.live["x"] = Door(stage, lambda: manager.merge_thread_results({"x": "later"}, {}, "later"))
    manager.merge_thread_results({"x": "earlier"}, {}, "earlier")
    stage.wait()
    provenance = manager.provenance("x")
    assert provenance is not None
    return set() if provenance.execution_id == manager.live["x"] else {"x"}


SCENES = [
    lost_to_a_merge_that_deletes,
    lost_to_a_reset,
    lost_result,
    lost_exit_code,
    lost_exception,
    lost_writer,
    lost_to_a_cleanup,
    torn_snapshot,
    torn_copy,
    torn_base,
    lost_to_a_close,
    lost_number,
    unknown_writer,
]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_nothing_is_lost_with_the_lock(scene: Callable[[Stage], set[str]]) -> None:
    assert scene(Stage(take_lock_away=False)) == set()


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_something_is_lost_without_it(scene: Callable[[Stage], set[str]]) -> None:
    assert scene(Stage(take_lock_away=True)) != set()


def test_what_an_execution_deleted_ends_without_the_lock_and_at_once() -> None:
    """Its `__del__` may wait for a thread that needs the lock."""
    manager = AsyncNamespaceManager()
    looked: list[bool] = []

    class Waiting:
        def __del__(self) -> None:
            other = threading.Thread(target=lambda: manager.namespace, daemon=True)
            other.start()
            other.join(2.0)
            looked.append(not other.is_alive())

    manager.live["x"] = Waiting()
    view = manager.open(Context.MAIN)
    del manager.live["x"]
    assert looked == [], "the execution's base has it"
    manager.close(view, "cell", Outcome())
    assert looked == [True]

"""Which cell is stopped when memory runs short, and which is not."""

from __future__ import annotations

import pytest

from namespace_kernel.base.cell import Cell, Context, Route
from namespace_kernel.base.errors import MemoryLimitError
from namespace_kernel.base.execution import Execution
from namespace_kernel.durable.memory import Level
from namespace_kernel.durable.memory_watch import MemoryWatch, Shares
from tests.unit.fakes import SomeTimers

MIB = 2**20


class Room:
    """A process of which the test says how much it takes, of 1,000 MiB."""

    def __init__(self, tell: float = 0.85, stop: float = 0.95) -> None:
        self.own = 100
        self.others = 0
        self.size = 1000
        self.running: list[Execution] = []
        self.stopped: list[Execution] = []
        self.lines: list[str] = []
        self.hurried: list[bool] = []
        self.watch = MemoryWatch(
            self.running,
            lambda: {"big": bytearray(5 * MIB), "_hidden": bytearray(9 * MIB), "small": 1},
            Shares(lambda: tell, lambda: stop),
            self.stopped.append,
            self.lines.append,
            SomeTimers(),
            level=lambda: Level((self.own + self.others) * MIB, self.size * MIB, "the test", self.own * MIB),
            hurry=self.hurried.append,
        )

    def begin(self) -> Execution:
        self.running.append(Execution(Cell("x", "In [1]", 1), Route(Context.MAIN, "", "x")))
        return self.running[-1]

    def look(self, own: int, others: int = 0) -> float:
        self.own, self.others = own, others
        return self.watch.look()


def test_a_cell_that_grows_to_the_limit_is_told_of_and_then_stopped() -> None:
    room = Room()
    room.look(100)
    cell = room.begin()
    room.look(500)
    assert (room.lines, room.stopped) == ([], [])
    room.look(870)
    room.look(900)
    assert len(room.lines) == 1 and "870 MiB of 1000 MiB" in room.lines[0] and "`big` 5 MiB" in room.lines[0]
    assert "hidden" not in room.lines[0] and room.stopped == []
    for own in (960, 970, 980):  # it is on its way: more would tear what is shown of it
        room.look(own)
    assert room.stopped == [cell]
    assert "960 MiB of 1000 MiB" in str(cell.find(MemoryLimitError))


def test_a_cell_that_does_not_grow_is_never_stopped() -> None:
    room = Room()
    room.look(940)
    room.begin()
    for own in (960, 960, 970, 975):
        room.look(own)
    assert room.stopped == []


@pytest.mark.parametrize("grown", [300, 940])
def test_memory_that_others_take_is_not_the_cells(grown: int) -> None:
    room = Room()
    room.look(grown)
    room.begin()
    room.look(grown, 980 - grown)
    room.look(grown, 990 - grown)
    assert room.stopped == [] and len(room.lines) == 1


def test_a_cell_that_gives_back_what_it_took_goes_on() -> None:
    room = Room()
    room.look(100)
    room.begin()
    room.look(940)
    room.look(930)
    room.others = 50
    room.look(910, 50)
    assert room.stopped == []


def test_it_is_the_cell_that_took_most() -> None:
    room = Room()
    room.look(100)
    first = room.begin()
    room.look(800)
    room.begin()
    room.look(880)
    room.look(970)
    assert room.stopped == [first]


def test_a_cell_that_took_it_all_within_one_look_is_found() -> None:
    room = Room()
    room.look(100)
    cell = room.begin()
    room.look(980)
    assert room.stopped == [cell]


def test_a_cell_whose_error_takes_long_to_show_is_not_stopped_in_the_midst_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = iter(range(0, 10**6, 10))
    monkeypatch.setattr("namespace_kernel.durable.memory_watch.monotonic", lambda: float(next(times)))
    room = Room()
    room.look(100)
    cell = room.begin()
    for own in (960, 961, 962, 965):
        room.look(own)
    assert room.stopped == [cell]
    for own in (971, 972):  # it goes on all the same
        room.look(own)
    assert room.stopped == [cell, cell]


def test_one_looks_more_often_where_little_is_left_also_if_nothing_has_grown_yet() -> None:
    room = Room()
    assert room.look(100) == pytest.approx(0.22, abs=0.01)  # of 900 MiB at 4 GiB in a second
    room.begin()
    assert room.look(100) == pytest.approx(0.22, abs=0.01)
    assert room.look(800) == pytest.approx(0.05, abs=0.01)
    assert room.look(999) == 0.02
    room.running.clear()
    assert room.look(999) == 0.1
    room.size = 10**6
    assert room.look(100) == 0.5


def test_both_can_be_turned_off() -> None:
    room = Room(tell=0, stop=0)
    room.look(100)
    room.begin()
    room.look(970)
    room.look(990)
    assert (room.lines, room.stopped) == ([], [])


def test_a_cell_that_waits_is_not_blamed_for_what_another_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room()
    room.look(100)
    waiting = room.begin()
    monkeypatch.setattr("namespace_kernel.durable.memory_watch._executes", lambda cell: cell is not waiting)
    room.look(101)
    growing = room.begin()
    room.look(940)
    room.running.remove(growing)
    for own in (960, 961, 962):
        room.look(own)
    assert room.stopped == []


def test_a_cell_that_awaits_between_its_steps_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("namespace_kernel.durable.memory_watch._executes", lambda cell: False)
    room = Room()
    room.look(100)
    cell = room.begin()
    room.look(500)
    room.look(960)
    assert room.stopped == [cell]


def test_nothing_is_kept_of_a_cell_that_is_over() -> None:
    room = Room()
    room.look(100)
    room.begin()
    room.look(870)
    room.running.clear()
    room.look(100)
    assert not room.watch._seen


@pytest.mark.parametrize(("size", "stopped_at"), [(512, 465), (256, 231), (960, 912), (4000, 3801)])
def test_in_a_small_container_room_is_left_for_the_error(size: int, stopped_at: int) -> None:
    room = Room()
    room.size = size
    room.look(100)
    cell = room.begin()
    room.look(stopped_at - 2)
    assert room.stopped == []
    room.look(stopped_at)
    assert room.stopped == [cell]


def test_never_stays_never_in_a_small_container() -> None:
    room = Room(stop=0.0)
    room.size = 512
    room.look(100)
    room.begin()
    room.look(511)
    assert room.stopped == []


def test_threads_take_turns_more_often_only_where_little_is_left() -> None:
    room = Room()
    room.begin()
    for own in (100, 200, 850, 900, 500, 400):
        room.own = own
        room.watch._look_again()
    assert room.hurried == [True, False]


def test_a_look_that_fails_is_told_once_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    due = SomeTimers()
    levels: list[BaseException | Level] = [AttributeError("native_id"), KeyboardInterrupt(), OSError(24, "x")]
    levels += [Level(5 * MIB, 1000 * MIB, "the test", 5 * MIB), OSError(24, "x")]
    looked: list[Level] = []

    def level() -> Level:
        found = levels.pop(0)
        if isinstance(found, BaseException):
            raise found
        return found

    shares = Shares(lambda: 0.85, lambda: 0.95)
    watch = MemoryWatch((), dict, shares, looked.append, looked.append, due, looked.append, level)
    watch.start()
    while levels:
        due.pop()()
    assert (len(looked), len(due)) == (1, 1)
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == [
        "memory could not be looked at: AttributeError: native_id"
    ]

"""What asyncio answers in threads where no loop runs, while the user loop runs next door."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import textwrap
import threading
from asyncio import get_event_loop as _get_event_loop
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from namespace_kernel.base.patching import Patches
from namespace_kernel.execution.user_loop.asyncio_patch import AsyncioFront
from tests.unit.execution.user_loop.policies import DefaultEventLoopPolicy, may_set_policies
from tests.unit.fakes import PATIENCE, LoopUnderTest, run_in_threads, whereabouts

pytestmark = may_set_policies

RUNNER_S_RUN = asyncio.Runner.run.__code__
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def front(home: LoopUnderTest) -> Iterator[AsyncioFront]:
    one = AsyncioFront(home.loop, lambda: threading.current_thread() is threading.main_thread())
    with Patches(*one.patches):
        yield one
    asyncio.set_event_loop_policy(None)


def in_another_thread(function: object) -> None:
    run_in_threads(function)  # type: ignore[arg-type]


@pytest.mark.usefixtures("front")
def test_get_event_loop_answers_also_after_asyncio_run(home: LoopUnderTest) -> None:
    assert asyncio.get_event_loop() is home.loop
    assert asyncio.run(whereabouts()) == threading.get_ident()
    assert asyncio.get_event_loop() is home.loop
    assert asyncio.get_event_loop().run_until_complete(whereabouts()) == home.user_loop.home_ident


@pytest.mark.usefixtures("front")
def test_get_running_loop_still_says_that_none_runs() -> None:
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    with pytest.raises(RuntimeError):
        asyncio.current_task()


@pytest.mark.usefixtures("front")
def test_create_task_schedules_on_the_user_loop(home: LoopUnderTest) -> None:
    task = asyncio.create_task(whereabouts(), name="from outside")
    assert task.get_name() == "from outside"
    assert home.loop.run_until_complete(task) == home.user_loop.home_ident
    future = asyncio.ensure_future(whereabouts())
    assert home.loop.run_until_complete(future) == home.user_loop.home_ident


@pytest.mark.usefixtures("front")
def test_all_tasks_are_the_user_loops(home: LoopUnderTest) -> None:
    task = asyncio.create_task(asyncio.Event().wait())
    assert asyncio.all_tasks() == {task}
    home.loop.call_soon(task.cancel)


@pytest.mark.usefixtures("front")
def test_all_tasks_are_told_wherever_they_were_made_and_the_loop_runs(home: LoopUnderTest) -> None:
    async def make() -> None:
        tasks.append(asyncio.create_task(asyncio.Event().wait()))

    async def look() -> bool:
        here = {*tasks, asyncio.current_task()}
        return asyncio.all_tasks() == here == asyncio.all_tasks(home.loop)

    tasks: list[asyncio.Task[Any]] = []
    home.at_home(make())
    home.visit(make()).unwrap()
    tasks.append(asyncio.create_task(asyncio.Event().wait()))
    assert asyncio.all_tasks() == {*tasks}
    assert home.at_home(look())
    assert home.visit(look()).unwrap()


@pytest.mark.usefixtures("front")
@pytest.mark.parametrize("make", [asyncio.Future, lambda: asyncio.Future(loop=None)])
@pytest.mark.parametrize("before", ["nothing", "asyncio.run", "a loop that is closed", "a policy"])
def test_a_future_is_the_user_loops(
    make: Callable[[], asyncio.Future[Any]], before: str, home: LoopUnderTest, front: AsyncioFront
) -> None:
    if before == "asyncio.run":
        asyncio.run(whereabouts())
    elif before == "a policy":
        asyncio.set_event_loop_policy(DefaultEventLoopPolicy())
    elif before == "a loop that is closed":
        asyncio.set_event_loop(own := asyncio.new_event_loop())
        own.close()
        front.note_leftover()  # the next cell
    assert make().get_loop() is home.loop


@pytest.mark.usefixtures("front")
def test_python_s_own_function_that_was_imported_before_answers_the_user_loop(home: LoopUnderTest) -> None:
    assert _get_event_loop() is home.loop
    asyncio.run(whereabouts())
    assert _get_event_loop() is home.loop


def test_a_loop_that_was_set_before_is_set_again_afterwards(home: LoopUnderTest) -> None:
    own = asyncio.new_event_loop()
    asyncio.set_event_loop(own)
    front = AsyncioFront(home.loop, lambda: True)
    with Patches(*front.patches):
        assert asyncio.get_event_loop() is home.loop
    assert asyncio.get_event_loop() is own
    asyncio.set_event_loop(None)
    own.close()


@pytest.mark.usefixtures("front")
def test_a_stop_as_asyncio_run_makes_its_loop_leaves_none(
    home: LoopUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python leaves it set where the Stop comes after that and before it is run."""
    lines, stopped_at = 0, 0
    made: list[asyncio.AbstractEventLoop] = []
    new_event_loop = asyncio.new_event_loop

    def new_loop() -> asyncio.AbstractEventLoop:
        made.append(new_event_loop())
        return made[-1]

    monkeypatch.setattr(asyncio.events, "new_event_loop", new_loop)

    def stop(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        if lines or frame.f_code.co_name == "set_event_loop":  # what is made before, Python would collect
            lines += event == "line"
        if lines == stopped_at:
            sys.settrace(None)
            if frame.f_code is not RUNNER_S_RUN:
                raise KeyboardInterrupt
        return stop

    for stopped_at in itertools.count(1):
        lines, coroutine = 0, whereabouts()
        sys.settrace(stop)
        try:
            asyncio.run(coroutine)
            break  # it has run
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
            coroutine.close()
        assert asyncio.get_event_loop() is home.loop, stopped_at
    assert stopped_at > 10
    for loop in made:  # some were not set yet
        loop.close()


@pytest.mark.usefixtures("front")
def test_a_stop_as_asyncio_run_closes_its_loop_is_no_other_error(
    home: LoopUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    closings: list[BaseException] = [ValueError("Invalid file descriptor: -1"), KeyboardInterrupt()]
    close = asyncio.SelectorEventLoop.close

    def fail(loop: asyncio.SelectorEventLoop) -> None:
        close(loop)
        raise closings.pop()

    monkeypatch.setattr(asyncio.SelectorEventLoop, "close", fail)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(whereabouts())
    assert closings == []
    assert asyncio.get_event_loop() is home.loop


@pytest.mark.usefixtures("front")
def test_inside_a_loop_everything_is_as_it_was(home: LoopUnderTest) -> None:
    async def look() -> None:
        loop = asyncio.get_running_loop()
        assert loop is not home.loop and asyncio.get_event_loop() is loop
        task = asyncio.create_task(whereabouts(), name=None)
        assert asyncio.all_tasks() == {task, asyncio.current_task()}
        assert await task == threading.get_ident()

    asyncio.run(look())


@pytest.mark.usefixtures("front")
def test_a_loop_that_the_user_sets_is_the_users_until_it_is_closed(home: LoopUnderTest) -> None:
    own = asyncio.new_event_loop()
    asyncio.set_event_loop(own)
    assert asyncio.get_event_loop() is own
    assert own.run_until_complete(whereabouts()) == threading.get_ident()
    own.close()
    assert asyncio.get_event_loop() is home.loop


@pytest.mark.usefixtures("front")
def test_other_threads_are_told_what_python_tells_them() -> None:
    def look() -> None:
        with pytest.raises(RuntimeError):
            asyncio.get_event_loop()
        coroutine = whereabouts()
        with pytest.raises(RuntimeError):
            asyncio.create_task(coroutine)
        coroutine.close()
        assert asyncio.run(whereabouts()) == threading.get_ident()

    in_another_thread(look)


class OwnPolicy(DefaultEventLoopPolicy):
    made = 0

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        OwnPolicy.made += 1
        return super().new_event_loop()


def test_a_policy_that_the_user_sets_makes_the_loops(home: LoopUnderTest) -> None:
    try:
        with Patches(*AsyncioFront(home.loop, lambda: True).patches):
            asyncio.set_event_loop_policy(OwnPolicy())
            assert asyncio.get_event_loop() is home.loop
            asyncio.run(whereabouts())
            assert OwnPolicy.made == 1
        assert type(asyncio.get_event_loop_policy()) is OwnPolicy
    finally:
        asyncio.set_event_loop_policy(None)


def test_everything_is_as_it_was_afterwards(home: LoopUnderTest) -> None:
    before = [asyncio.create_task, asyncio.all_tasks, asyncio.tasks.create_task, asyncio.tasks.all_tasks]
    policy = asyncio.get_event_loop_policy()
    with Patches(*AsyncioFront(home.loop, lambda: True).patches):
        assert asyncio.create_task is not before[0]
    after = [asyncio.create_task, asyncio.all_tasks, asyncio.tasks.create_task, asyncio.tasks.all_tasks]
    assert after == before
    assert asyncio.get_event_loop_policy() is policy
    with pytest.raises(RuntimeError):
        asyncio.all_tasks()


NEST = """
    import asyncio, threading
    from namespace_kernel.base.patching import Patches
    from namespace_kernel.execution.user_loop.asyncio_patch import AsyncioFront
    from tests.unit.fakes import user_loop_running, whereabouts

    with user_loop_running() as home:
        front = AsyncioFront(home.loop, lambda: threading.current_thread() is threading.main_thread())
        Patches(*front.patches).install()
        here, there = threading.get_ident(), home.user_loop.home_ident

        async def nested():
            return asyncio.get_running_loop().run_until_complete(whereabouts())

        async def background():
            global ticks
            while not over:
                ticks += 1
                await asyncio.sleep(0)

        async def start():
            return asyncio.create_task(background())

        ticks, over = 0, False
        task = home.visit(start()).unwrap()
        for apply in {order}:
            import nest_asyncio
            if apply:
                nest_asyncio.apply()
            for _ in range(20):
                assert asyncio.get_event_loop() is home.loop
                assert home.visit(whereabouts()).unwrap() == here
                assert home.loop.run_until_complete(whereabouts()) == there
                assert asyncio.create_task(whereabouts()).get_loop() is home.loop
                # Patched, it runs on the user loop: that is what nest_asyncio means by `asyncio.run`.
                assert asyncio.run(whereabouts()) == (there if apply else here)
                assert home.at_home(whereabouts()) == there
        assert home.visit(nested()).unwrap() == here
        assert home.at_home(nested()) == there
        before = ticks
        home.at_home(asyncio.sleep(0.001))
        assert ticks > before
        over = True
        home.loop.run_until_complete(task)
        assert home.notices == [] and home.reported == [], (home.notices, home.reported)
    print("unharmed")
"""


@pytest.mark.parametrize("order", ["[True]", "[False, True, True]"], ids=["first", "amid the work, twice"])
def test_nest_asyncio_hurts_nothing(order: str) -> None:
    pytest.importorskip("nest_asyncio")
    code = textwrap.dedent(NEST).replace("{order}", order)
    command = [sys.executable, "-X", "faulthandler", "-W", "default", "-c", code]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert (ran.stdout, ran.returncode) == ("unharmed\n", 0), ran.stderr
    assert "Task was destroyed" not in ran.stderr

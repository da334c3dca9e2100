"""What the kernel's threads wait for is the system's, though a notebook has patched Python's modules."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from namespace_kernel.base.threads import Condition, Event, Popen, Thread, current_thread
from tests.kernel.cells import PATIENCE


def refuse(*args: object, **options: object) -> None:
    raise AssertionError("a function that a notebook has put there was called")


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, names in {
        threading: ("_allocate_lock", "_start_new_thread", "_start_joinable_thread", "_set_sentinel"),
        subprocess: ("_fork_exec", "_use_posix_spawn"),
    }.items():
        for name in names:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(threading, "Condition", refuse)
    monkeypatch.setattr(threading, "Event", refuse)
    monkeypatch.setattr(threading, "get_ident", lambda: 1)


@pytest.mark.usefixtures("patched")
def test_a_thread_runs_and_is_waited_for() -> None:
    seen: list[threading.Thread] = []
    thread = Thread(target=lambda: seen.append(current_thread()), name="of the system")
    thread.start()
    thread.join(PATIENCE)
    assert seen == [thread] and not thread.is_alive()


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("make", [Event, Condition])
def test_a_wait_is_ended_by_another_thread(make: Callable[[], Event | Condition]) -> None:
    waited_for, waits = make(), Event()

    def end() -> None:
        assert waits.wait(PATIENCE)
        if isinstance(waited_for, Event):
            waited_for.set()
        else:
            with waited_for:
                waited_for.notify_all()

    thread = Thread(target=end)
    thread.start()
    if isinstance(waited_for, Event):
        waits.set()
        assert waited_for.wait(PATIENCE)
    else:
        with waited_for:
            waits.set()
            assert waited_for.wait(PATIENCE)
    thread.join(PATIENCE)


@pytest.mark.usefixtures("patched")
def test_a_program_is_run() -> None:
    with Popen([sys.executable, "-c", "print('said')"], stdout=subprocess.PIPE) as process:
        assert process.communicate()[0] == b"said\n"
    assert isinstance(process, subprocess.Popen)


@pytest.mark.usefixtures("patched")
def test_the_main_thread_is_no_dummy_though_it_has_another_number(monkeypatch: pytest.MonkeyPatch) -> None:
    main = threading.main_thread()
    active: dict[int, threading.Thread] = vars(threading)["_active"]
    monkeypatch.delitem(active, main.ident)  # type: ignore[arg-type]
    monkeypatch.setitem(active, 1, main)
    assert current_thread() is threading.current_thread() is main
    assert list(active.values()).count(main) == 1 and not any("Dummy" in one.name for one in active.values())

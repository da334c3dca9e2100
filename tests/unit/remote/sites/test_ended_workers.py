"""A worker that has ended gets no cell."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from namespace_kernel.remote.sites.worker_process import WorkerProcess
from namespace_kernel.remote.transfer.messages import Lost
from tests.kernel.cells import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no cells in other processes")


def test_it_is_not_taken_for_alive_while_another_thread_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = WorkerProcess()
    worker.kill()
    assert isinstance(worker.next_message(PATIENCE), Lost)
    worker._is_lost = False  # as just before its end is read
    worker._messages.clear()
    busy, asks, go_on = threading.Lock(), threading.Event(), threading.Event()

    def poll() -> int | None:
        """As Popen's: of two threads, one hears nothing."""
        if not busy.acquire(blocking=False):
            return None
        asks.set()
        go_on.wait(PATIENCE)
        busy.release()
        return -9

    monkeypatch.setattr(worker.process, "poll", poll)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lambda: worker.alive)
        assert asks.wait(PATIENCE)
        second = pool.submit(lambda: worker.alive)
        threading.Timer(0.2, go_on.set).start()
        assert (first.result(PATIENCE), second.result(PATIENCE)) == (False, False)

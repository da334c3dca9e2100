"""A `%%dask` cell as the kernel sees it: what the cluster says, in whatever order."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from namespace_kernel.remote.sites.dask_run import DaskConnection, DaskRun
from namespace_kernel.remote.transfer.messages import CellRequest, Lost, Printed, Report
from tests.unit.remote.transfer.travel import namespace, parcel

SOON = 0.0


class Future:
    """A task of the cluster, which the test ends."""

    status = "pending"

    def __init__(self) -> None:
        self._callbacks: list[Callable[[Any], object]] = []
        self.cancelled = False

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        self._callbacks.append(callback)

    def end(self, status: str) -> None:
        self.status = status
        for callback in self._callbacks:
            callback(self)

    def cancel(self, force: bool) -> None:
        self.cancelled = force


class Client:
    """A client of a cluster that does what the test says."""

    status = "running"

    def __init__(self) -> None:
        self.topics: dict[str, Callable[[Any], None]] = {}
        self.future = Future()
        self.head: Any = None

    def subscribe_topic(self, topic: str, heard: Callable[[Any], None]) -> None:
        self.topics[topic] = heard

    def submit(self, function: Callable[..., object], *args: object, **options: object) -> Any:
        if function.__name__ == "head_of":
            return SimpleNamespace(result=lambda timeout: self.head)
        return self.future


class Cluster:
    """A connection with one run on it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client: Any = Client()
        self.connection = DaskConnection(self.client)
        request = CellRequest("x = 1", "cell", 1)
        self.run = DaskRun(self.connection, request, (), 0, {})
        self.asked: list[str] = []
        monkeypatch.setattr(self.run, "_on_worker", lambda function: self.asked.append(function.__name__))

    def says(self, kind: str, content: object) -> None:
        self.client.topics[self.connection.topic]((None, (self.run._id, kind, content)))

    def loses(self, address: str) -> None:
        self.client.topics["all"]((None, {"action": "remove-worker", "worker": address}))

    def next(self) -> Any:
        message = self.run.next_message(SOON)
        self.run.done_with_message()
        return message


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(monkeypatch)


def why(message: object) -> str:
    assert isinstance(message, Lost)
    return message.why


def test_a_stop_before_the_cell_has_begun_takes_it_back(cluster: Cluster) -> None:
    cluster.run.interrupt()
    assert "had not begun" in why(cluster.next())
    assert cluster.asked == []
    cluster.run.end(whole=False)
    assert cluster.client.future.cancelled and cluster.connection.runs == {}


def test_a_stop_of_one_that_has_begun_goes_to_its_worker(cluster: Cluster) -> None:
    cluster.says("begun", "one")
    cluster.run.interrupt()
    assert cluster.next() is None
    assert cluster.asked == ["interrupt_cell"]
    cluster.run.end(whole=False)
    assert cluster.asked == ["interrupt_cell", "kill_cell"]


def test_the_loss_of_its_worker_is_told_and_that_of_another_is_not(cluster: Cluster) -> None:
    cluster.loses("one")  # it has not begun anywhere
    cluster.says("begun", "one")
    cluster.loses("two")
    assert cluster.next() is None
    cluster.loses("one")
    assert "(one)" in why(cluster.next())


def test_a_cell_that_begins_a_second_time_was_lost_and_does_not_run_twice(cluster: Cluster) -> None:
    cluster.says("begun", "one")
    cluster.says("begun", "two")
    assert why(cluster.next()) == "(one) was lost"


def test_what_is_said_of_a_cell_that_is_over_concerns_nobody(cluster: Cluster) -> None:
    cluster.says("begun", "one")
    cluster.run.end(whole=True)
    cluster.says("said", pickle.dumps(Printed("stdout", "late")))
    cluster.loses("one")
    assert cluster.next() is None
    assert not cluster.client.future.cancelled and cluster.asked == []


def test_the_report_comes_behind_all_that_the_cell_has_said(cluster: Cluster) -> None:
    """Events and results come on different ways."""
    report = Report()
    cluster.client.head = SimpleNamespace(message=report, said=2)
    cluster.says("begun", "one")
    cluster.says("said", pickle.dumps(Printed("stdout", "1")))
    cluster.client.future.end("finished")
    assert cluster.next() == Printed("stdout", "1")
    assert cluster.next() is None, "one is still on its way"
    assert cluster.next() is None
    cluster.says("said", pickle.dumps(Printed("stdout", "2")))
    assert cluster.next() == Printed("stdout", "2")
    assert cluster.next() is report


@pytest.mark.parametrize(("status", "said"), [("cancelled", "taken away"), ("lost", "taken away")])
def test_a_task_that_is_taken_away_is_told(status: str, said: str, cluster: Cluster) -> None:
    cluster.client.future.end(status)
    cluster.next()
    assert said in why(cluster.next())


def test_a_scheduler_that_has_closed_is_told_at_once_and_one_that_is_away_later(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.client.status = "connecting"
    assert cluster.next() is None
    cluster.client.status = "running"
    assert cluster.next() is None
    cluster.client.status = "closed"
    assert "scheduler" in why(cluster.next())


@pytest.mark.parametrize("cells", [1, 4])
def test_what_is_large_is_sent_to_the_cluster_once(cells: int) -> None:
    client: Any = Client()
    scattered: list[object] = []
    client.scatter = lambda piece, hash: (
        scattered.append(piece) or SimpleNamespace(status="finished")  # type: ignore[func-returns-value]
    )
    connection = DaskConnection(client)
    live = namespace("import numpy as np; a = np.ones(20_000); b = [np.ones(9_000)] * 2; small = [1]")
    for _ in range(cells):
        given = connection.futures_of(parcel(live, "a, b, small").pieces)
        assert sum(isinstance(one, SimpleNamespace) for one in given) == 2
    assert len(scattered) == 2
    live["a"][5] = 7
    connection.futures_of(parcel(live, "a, b, small").pieces)
    assert len(scattered) == 3

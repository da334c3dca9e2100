"""The publishing thread: order, who sends, and when it is woken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import zmq
from tornado.ioloop import IOLoop

from namespace_kernel.kernel.wire import publishing
from namespace_kernel.kernel.wire.iopub import DirectSocket, QueueSocket
from namespace_kernel.kernel.wire.publishing import PublishingThread
from namespace_kernel.kernel.wire.session import KernelSession
from namespace_kernel.kernel.wire.shell_stream import SharedStream
from namespace_kernel.kernel.wire.stdout import CellStream


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[PublishingThread]:
    monkeypatch.setattr(publishing, "may_be_held", lambda: False)  # another test may have imported debugpy
    context = zmq.Context()
    socket = context.socket(zmq.XPUB)
    socket.sndhwm = 0
    socket.bind_to_random_port("tcp://127.0.0.1")
    thread = PublishingThread(socket, session=KernelSession(key=b"a key"))
    thread.start()
    yield thread
    thread.stop()
    thread.close()
    context.destroy(linger=0)


@pytest.fixture
def subscriber(publisher: PublishingThread) -> Iterator[zmq.Socket[bytes]]:
    socket = publisher.socket.context.socket(zmq.SUB)
    socket.rcvhwm = 0
    socket.rcvtimeo = 5_000
    socket.subscribe(b"")
    socket.connect(publisher.socket.last_endpoint.decode())
    assert b"iopub_welcome" in b"".join(socket.recv_multipart())  # the subscription was read
    yield socket
    socket.close(linger=0)


def test_what_is_sent_at_once_comes_behind_what_waits(
    publisher: PublishingThread, subscriber: zmq.Socket[bytes]
) -> None:
    for number in range(3):
        publisher.put(lambda number=number: publisher._really_send([b"put %d" % number]))  # type: ignore[misc]
    DirectSocket(publisher).send_multipart([b"at", b"once"])
    assert [subscriber.recv_multipart() for _ in range(4)] == [
        [b"put 0"],
        [b"put 1"],
        [b"put 2"],
        [b"at", b"once"],
    ]


def test_what_is_queued_leaves_with_the_next_and_before_it(
    publisher: PublishingThread, subscriber: zmq.Socket[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    wakers: list[int] = []  # the thread itself may still be at work, and look again
    wake = publisher._wake
    monkeypatch.setattr(publisher, "_wake", lambda *what: (wakers.append(threading.get_ident()), wake(*what)))
    QueueSocket(publisher).send_multipart([b"busy"])
    QueueSocket(publisher).send_multipart([b"input"])
    assert threading.get_ident() not in wakers
    DirectSocket(publisher).send_multipart([b"next"])
    assert [subscriber.recv_multipart() for _ in range(3)] == [[b"busy"], [b"input"], [b"next"]]


def test_many_threads_lose_nothing_and_keep_their_order(
    publisher: PublishingThread, subscriber: zmq.Socket[bytes]
) -> None:
    each = 300

    def publish(thread: int) -> None:
        for number in range(each):
            message = [b"%d" % thread, b"%d" % number]
            if number % 2:
                DirectSocket(publisher).send_multipart(message)
            else:
                publisher.send_multipart(message)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(publish, range(4)))
    came: dict[bytes, list[int]] = {}
    for _ in range(4 * each):
        thread, number = subscriber.recv_multipart()
        came.setdefault(thread, []).append(int(number))
    assert came == {b"%d" % thread: list(range(each)) for thread in range(4)}


def test_a_client_that_subscribes_while_others_publish_is_welcomed(publisher: PublishingThread) -> None:
    done = threading.Event()

    def publish() -> None:
        while not done.is_set():
            DirectSocket(publisher).send_multipart([b"message"])
            publisher.wait_until_sent()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(publish)
        try:
            for number in range(20):  # a topic each: ZeroMQ tells of a topic's first subscriber only
                socket = publisher.socket.context.socket(zmq.SUB)
                socket.rcvtimeo = 20_000
                socket.subscribe(b"topic %d" % number)
                socket.connect(publisher.socket.last_endpoint.decode())
                assert b"iopub_welcome" in b"".join(socket.recv_multipart())
                socket.close(linger=0)
        finally:
            done.set()


@pytest.fixture
def stuck(publisher: PublishingThread) -> Iterator[None]:
    """The thread does nothing."""
    begun, gate = threading.Event(), threading.Event()
    publisher._wake(lambda: (begun.set(), gate.wait(60)))
    assert begun.wait(60)
    yield
    gate.set()


def subscribe(publisher: PublishingThread, topic: bytes) -> zmq.Socket[bytes]:
    socket = publisher.socket.context.socket(zmq.SUB)
    socket.rcvtimeo = 20_000
    socket.subscribe(topic)
    socket.connect(publisher.socket.last_endpoint.decode())
    return socket


@pytest.mark.usefixtures("stuck")
@pytest.mark.parametrize("topic", [b"a topic", b""], ids=["a topic", "all"])
@pytest.mark.parametrize("sent", [[b"another topic"], [b"a topic 0"], [b"a topic 0", b"a topic 1"]])
def test_whoever_sends_looks_for_subscriptions_while_the_thread_is_busy(
    publisher: PublishingThread, topic: bytes, sent: list[bytes]
) -> None:
    """The welcome is the first message that the client gets (JEP 65)."""
    with closing(subscribe(publisher, topic)) as socket:
        with publisher._sending:
            assert publisher.socket.poll(60_000)
        *before, last = sent
        for one in before:
            QueueSocket(publisher).send_multipart([one])
        DirectSocket(publisher).send_multipart([last])
        assert b"iopub_welcome" in b"".join(socket.recv_multipart())
        for one in sent:
            if one.startswith(topic):
                assert socket.recv_multipart() == [one]


@pytest.mark.usefixtures("stuck")
def test_a_subscription_that_comes_while_somebody_sends_is_welcomed_by_him(
    publisher: PublishingThread,
) -> None:
    """Sending takes notice of it, and then ZeroMQ does not tell the thread."""
    sockets: list[zmq.Socket[bytes]] = []

    def subscribes() -> None:
        sockets.append(subscribe(publisher, b"a topic"))
        assert publisher.socket.poll(60_000)

    publisher.put(subscribes)
    publisher.send_now()
    with closing(sockets[0]) as socket:
        assert b"iopub_welcome" in b"".join(socket.recv_multipart())


def test_a_message_that_cannot_be_sent_does_not_stop_the_next(
    publisher: PublishingThread, subscriber: zmq.Socket[bytes]
) -> None:
    publisher.put(lambda: 1 / 0)
    DirectSocket(publisher).send_multipart([b"next"])
    assert subscriber.recv_multipart() == [b"next"]


def test_what_waits_when_the_kernel_ends_is_sent(
    publisher: PublishingThread, subscriber: zmq.Socket[bytes]
) -> None:
    for number in range(3):
        QueueSocket(publisher).send_multipart([b"%d" % number])  # this wakes nobody
    publisher.stop()
    assert [subscriber.recv_multipart() for _ in range(3)] == [[b"0"], [b"1"], [b"2"]]


def test_the_thread_is_not_woken_where_somebody_looks_soon(
    publisher: PublishingThread, subscriber: zmq.Socket[bytes]
) -> None:
    publisher.wait_until_sent()
    later: list[Callable[[], None]] = []
    woken: list[object] = []
    publisher._look_at = 0.0
    publisher._wake = lambda function, *args: woken.append(function)  # type: ignore[method-assign]
    publisher.look_soon(lambda seconds, function: later.append(function))
    publisher._look_at += 1000  # however slow this machine is
    publisher.send_multipart([b"one"])
    assert not woken
    later[0]()
    assert subscriber.recv_multipart() == [b"one"]
    publisher.send_multipart([b"two"])
    assert woken
    publisher.send_now()
    assert subscriber.recv_multipart() == [b"two"]


def test_replies_and_requests_cross_without_loss() -> None:
    context, count = zmq.Context(), 500
    router, dealer = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    router.sndhwm = dealer.rcvhwm = 0
    dealer.rcvtimeo = 20_000
    dealer.connect(f"tcp://127.0.0.1:{router.bind_to_random_port('tcp://127.0.0.1')}")
    loop = IOLoop(make_current=False)
    stream = SharedStream(router, loop)
    with ThreadPoolExecutor(2) as pool:
        stream.on_recv(lambda frames: pool.submit(stream.send_multipart, [frames[0], b"reply", frames[1]]))
        thread = threading.Thread(target=loop.start)
        thread.start()
        for number in range(count):
            dealer.send(b"%d" % number)
        replies: set[Any] = {dealer.recv_multipart()[1] for _ in range(count)}
        loop.add_callback(loop.stop)
        thread.join()
    assert replies == {b"%d" % number for number in range(count)}
    stream.close()
    stream.send_multipart([b"nobody", b"too late"])
    loop.close()
    context.destroy(linger=0)


def test_what_a_cell_prints_appears_though_another_thread_looked_at_the_queue(
    publisher: PublishingThread, subscriber: zmq.Socket[bytes]
) -> None:
    """A timer that is set by another thread must wake the loop, which sleeps."""
    stream = CellStream(publisher.session, publisher, "stdout", watchfd=False)
    for number in range(5):
        held: list[Callable[[], None]] = []
        while not held:  # somebody still looks for what came before
            publisher.look_soon(lambda seconds, look, held=held: held.append(look))  # type: ignore[misc]
        stream.write(f"line {number}\n")
        held[0]()
        assert f"line {number}".encode() in b"".join(subscriber.recv_multipart())


def test_what_was_sent_has_left_when_the_wait_is_over(
    publisher: PublishingThread, subscriber: zmq.Socket[bytes]
) -> None:
    """ZeroMQ's thread writes to the network; the test reads from it without waiting."""
    for number in range(200):
        publisher.send_multipart([b"%d" % number])
        publisher.wait_until_left()
        assert subscriber.poll(20_000)
        assert subscriber.recv_multipart(zmq.NOBLOCK) == [b"%d" % number]
        assert publisher._departures.all_left


def test_several_threads_wait_at_once_and_each_until_its_own_has_left(
    publisher: PublishingThread, subscriber: zmq.Socket[bytes]
) -> None:
    def publish(thread: int) -> None:
        for number in range(100):
            publisher.send_multipart([b"%d" % thread, b"%d" % number])
            publisher.wait_until_left()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(publish, range(4)))
    came = [tuple(subscriber.recv_multipart(zmq.NOBLOCK)) for _ in range(400) if subscriber.poll(20_000)]
    assert sorted(came) == sorted((b"%d" % t, b"%d" % n) for t in range(4) for n in range(100))


def test_nothing_is_waited_for_where_nothing_was_sent(publisher: PublishingThread) -> None:
    publisher.wait_until_left()
    marks = publisher._departures._announced
    publisher.wait_until_left()
    assert publisher._departures._announced == marks

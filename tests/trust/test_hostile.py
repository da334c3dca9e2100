"""Messages that are generated and mutated, signed and not, on each channel: the kernel serves on.

What each single kind of wrong message is answered with is tested in tests/kernel (`test_wrong_requests.py`,
`test_unsigned_messages.py`, `test_strangers.py`). Here are their tables, many at a time and in any order.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import zmq

from tests.kernel.client import Notebook
from tests.kernel.test_strangers import ODD, PORTS
from tests.kernel.test_wrong_requests import CONTROL, MISSING, SHELL, VALUES, with_field
from tests.trust.conftest import SOON, Kernels
from tests.trust.figures import Trial

#: So many messages are sent, and then the kernel is looked at.
GROUP = 1_000
#: With fewer groups nothing is said of growth: what the first ones import, and caches, are no leak.
LEAST_GROUPS = 10
#: Bytes per thousand messages, in the second half: IPython keeps what cells show. And descriptors in all.
MORE_MEMORY = 500_000
MORE_DESCRIPTORS = 4

STDIN = {"input_reply": {"value": "an answer"}}
PROPER: dict[str, dict[str, dict[str, Any]]] = {
    "shell": SHELL,
    "control": CONTROL,
    "stdin": STDIN,
    "iopub": SHELL,
    "hb": SHELL,
}
#: Of which the first is no value.
ODD_VALUES: list[Any] = [*VALUES, -1e400]


def any_value(rng: random.Random, depth: int = 0) -> Any:
    """Anything that JSON has, and that Python's reads."""
    kind = rng.randrange(10 if depth < 3 else 7)
    if kind < 5:
        return rng.choice(ODD_VALUES[1:])
    if kind < 7:
        return "".join(chr(rng.choice((0, 9, 37, 65, 233, 0x1F600))) for _ in range(rng.randrange(9)))
    if kind < 9:
        return [any_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {str(any_value(rng, 3)): any_value(rng, depth + 1) for _ in range(rng.randrange(4))}


class Hostile:
    """Makes messages for one channel. Half of them are signed."""

    def __init__(self, notebook: Notebook, channel: str) -> None:
        self._session = notebook.client.session
        self._proper = PROPER[channel]
        #: One that proves nothing: what a stranger has seen, sent again.
        self._seen: list[bytes] = []

    def _parts(self, rng: random.Random) -> list[Any]:
        """Header, parent, metadata, and content, of which something is wrong."""
        kind = rng.choice(list(self._proper))
        content: Any = dict(self._proper[kind])
        if kind == "execute_request":  # what is kept of each cell is no leak
            content["store_history"] = False
        header: Any = self._session.msg_header(kind)
        parts = [header, {}, {}, content]
        where = rng.randrange(8)
        if where < 5 and content:
            value = MISSING if rng.random() < 0.1 else any_value(rng)
            parts[3] = with_field(content, rng.choice([*content, "unknown"]), value)
        elif where == 5:
            parts[0] = with_field(header, rng.choice([*header, "subshell_id"]), any_value(rng))
        elif where == 6:
            parts[rng.randrange(4)] = any_value(rng)
        else:
            parts[2] = {rng.choice(["tags", "cellId", "deletedCells", "x"]): any_value(rng)}
        return parts

    def signed(self, rng: random.Random) -> list[bytes]:
        frames = [json.dumps(part, default=str).encode() for part in self._parts(rng)]
        if rng.random() < 0.1:  # signed, and no JSON
            frames[rng.randrange(4)] = mutated(frames[rng.randrange(4)], rng)
        buffers = [rng.randbytes(rng.randrange(40)) for _ in range(rng.choice((0, 0, 0, 3)))]
        self._seen = [b"<IDS|MSG>", self._session.sign(frames), *frames, *buffers]
        return self._seen

    def unsigned(self, rng: random.Random) -> list[bytes]:
        kind = rng.randrange(6)
        if kind == 0:
            return list(rng.choice([odd for odd in ODD.values() if len(odd[-1]) < 10_000]))
        if kind == 1:
            return [rng.randbytes(rng.randrange(200)) for _ in range(rng.randrange(1, 9))]
        if kind == 2 and self._seen:
            return self._seen
        frames = self.signed(rng)
        if kind == 3:
            frames[1] = rng.choice((b"", b"0" * 64, frames[1][:-1], frames[1].upper(), b"\xff" * 64))
        elif kind == 4:
            place = rng.randrange(1, len(frames))
            frames[place] = mutated(frames[place], rng)
        else:
            for _ in range(rng.randrange(1, 4)):
                del frames[rng.randrange(len(frames))]
        return frames or [b""]

    def message(self, rng: random.Random) -> list[bytes]:
        return self.signed(rng) if rng.random() < 0.5 else self.unsigned(rng)


def mutated(frame: bytes, rng: random.Random) -> bytes:
    """With some bytes more, less, or others."""
    changed = bytearray(frame or b"x")
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(changed))
        changed[place : place + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
        changed = changed or bytearray(b"x")
    return bytes(changed)


@contextlib.contextmanager
def stranger(notebook: Notebook, channel: str) -> Iterator[zmq.Socket[bytes]]:
    """A socket of its own that may send anything there."""
    info: dict[str, Any] = {**notebook.client.get_connection_info()}
    with zmq.Context() as context, context.socket(PORTS[channel]) as socket:
        socket.linger = 0
        socket.sndtimeo = socket.rcvtimeo = int(SOON * 1000)
        socket.connect(f"tcp://{info['ip']}:{info[channel + '_port']}")
        yield socket


def drain(*sockets: zmq.Socket[bytes]) -> None:
    """Throw away what has come."""
    for socket in sockets:
        with contextlib.suppress(zmq.Again):
            while True:
                socket.recv_multipart(zmq.NOBLOCK)


class Look:
    """The size of a kernel's process."""

    def __init__(self, notebook: Notebook) -> None:
        process = psutil.Process(notebook.pid)
        self.memory, self.descriptors = process.memory_info().rss, process.num_fds()


def wait_for_answers(notebook: Notebook, channel: str, socket: zmq.Socket[bytes]) -> None:
    """Until what came through this socket is done with, where it is answered in order."""
    if channel == "hb":
        with stranger(notebook, channel) as other:
            other.send_multipart([b"beat"])
            assert other.poll(int(SOON * 1000)), "the heart beats no more"
    elif channel in ("shell", "control"):
        # A cell: it comes behind those that came before, and is aborted if one of them failed.
        asked = notebook.client.session.msg("execute_request", {**SHELL["execute_request"], "code": "1"})
        socket.send_multipart(notebook.client.session.serialize(asked))
        mark = asked["header"]["msg_id"].encode()
        while True:
            assert socket.poll(int(SOON * 1000)), "no answer to a request behind the others"
            drain(notebook.sockets["iopub"])
            frames = socket.recv_multipart()
            if any(mark in frame for frame in frames):
                break


def serves(notebook: Notebook) -> Look:
    """The kernel answers, and its names are whole; its size then."""
    cell = notebook.run("kept", timeout=SOON)
    assert cell.result == "['kept']", (cell.reply, cell.outputs)
    assert notebook.ask("kernel_info_request", channel="control")["status"] == "ok"
    notebook.requests.clear()
    notebook.strays.clear()
    return Look(notebook)


@pytest.mark.trust(
    "hostile",
    "Messages that are generated and mutated, signed and not, on each channel: after each thousand the kernel"
    " answers, the names are whole, and memory and descriptors have not grown",
    tries=200_000,
    short=2_000,
    unit="messages",
)
@pytest.mark.parametrize("channel", PORTS)
def test_whatever_is_sent_the_kernel_serves_on(channel: str, trial: Trial, kernels: Kernels) -> None:
    looks: list[Look] = []
    pid = 0
    for group in range(max(1, trial.count // GROUP)):
        if len(trial.record.violations) > 4:
            break
        rng = trial.random(group)
        notebook = kernels.get()
        if notebook.pid != pid:
            looks, pid = [], notebook.pid
            # pyzmq makes a context of its own, with seven descriptors, for the first large message.
            notebook.run("print('x' * 1_000_000)").wait_for_text("x\n")
            serves(notebook)
        with trial.holding(f"after {group + 1} thousand on {channel}"), stranger(notebook, channel) as socket:
            hostile = Hostile(notebook, channel)
            for _ in range(GROUP):
                try:
                    socket.send_multipart(hostile.message(rng))
                except zmq.Again:
                    raise AssertionError("it takes no more") from None
                drain(notebook.sockets["iopub"], *([] if channel == "iopub" else [socket]))
            trial.count_tries(GROUP)
            wait_for_answers(notebook, channel, socket)
            looks.append(serves(notebook))
    if len(looks) >= LEAST_GROUPS:
        later = looks[len(looks) // 2 :]
        memory = (later[-1].memory - later[0].memory) / (len(later) - 1)
        more = later[-1].descriptors - looks[1].descriptors
        trial.measure(f"{channel}: {memory / 1e3:+.0f} kB per 1,000, {more:+d} descriptors")
        with trial.holding(f"growth on {channel}"):
            sizes = [(one.memory, one.descriptors) for one in looks]
            assert memory < MORE_MEMORY and more <= MORE_DESCRIPTORS, sizes

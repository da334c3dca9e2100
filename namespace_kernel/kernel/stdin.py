"""`input()` and `getpass()` for code in any thread."""

from __future__ import annotations

import builtins
import getpass
import time
from collections.abc import Callable

import zmq
from ipykernel.ipkernel import IPythonKernel
from IPython.core.error import StdinNotImplementedError

from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.patching import Patch
from namespace_kernel.base.threads import Lock

from .wire.publishing import PublishingThread
from .wire.request_fields import kind_of
from .wire.standard_streams import StandardStreams

#: Seconds that a frontend has to connect its stdin channel: ZeroMQ connects each channel on its own, and
#: tries again every 0.1 to 0.2 s.
_PATIENCE = 10.0

_NOT_CONNECTED = (
    "the frontend allows questions, but has not connected its stdin channel: nobody would see this one"
)
_NO_TEXT = "the frontend's answer is no text: `value` in its input_reply must be a string, and is {kind}"


class Questions:
    """Asks them one at a time, of cells that overlap.

    ipykernel swaps `builtins.input` per request; cells that overlap would restore it in the wrong order.

    Thread: any.
    """

    def __init__(
        self, streams: StandardStreams, publishing: PublishingThread, socket: zmq.Socket[bytes]
    ) -> None:
        self._streams = streams
        self._publishing = publishing
        self._socket = socket
        self._asking = Lock()

    def ask(self, question: Callable[[], object]) -> str:
        """Return the answer to `question`, which sends it and waits, as ipykernel's.

        What was printed before arrives before the prompt, on another channel; and a frontend that is still
        connecting is waited for: the question would be lost, and the cell wait for ever.
        """
        with self._asking:
            self._streams.flush()
            self._publishing.wait_until_sent()
            self._socket.router_mandatory = True
            until = monotonic() + _PATIENCE
            while True:
                try:
                    answer = question()
                    if not isinstance(answer, str):
                        raise TypeError(_NO_TEXT.format(kind=kind_of(answer)))
                    return answer
                except zmq.ZMQError as error:
                    if error.errno != zmq.EHOSTUNREACH:
                        raise
                    if monotonic() > until:
                        raise StdinNotImplementedError(_NOT_CONNECTED) from None
                time.sleep(0.02)

    def drop_unasked(self) -> None:
        """Throw away what arrives while nobody asks: ZeroMQ would keep it, and the connections it came by.

        Each question throws old answers away, too. Thread: protocol.
        """
        if self._asking.acquire(blocking=False):
            try:
                while True:
                    self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.ZMQError:  # there is no more
                pass
            finally:
                self._asking.release()


def input_patches(kernel: IPythonKernel) -> tuple[Patch, ...]:
    """Make `input` and `getpass.getpass` ask the frontend."""
    return (
        Patch(builtins, "input", lambda _: kernel.raw_input),
        Patch(getpass, "getpass", lambda _: kernel.getpass),
    )

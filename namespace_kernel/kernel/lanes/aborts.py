"""Cells that will not run, for one before them has failed, or their subshell has ended."""

from __future__ import annotations

from collections.abc import Callable

import zmq
from ipykernel.ipkernel import IPythonKernel

from namespace_kernel.base.threads import Event
from namespace_kernel.kernel.wire.iopub import IOPub
from namespace_kernel.kernel.wire.protocol_thread import ProtocolThread
from namespace_kernel.kernel.wire.request import Request
from namespace_kernel.kernel.wire.shell_stream import SharedStream

from .lanes import Lane


class Aborts:
    """Answers such cells, and knows which have arrived. `kernel` makes the replies, as ipykernel's."""

    def __init__(
        self, kernel: IPythonKernel, stream: SharedStream, thread: ProtocolThread, iopub: IOPub
    ) -> None:
        self._kernel = kernel
        self._stream = stream
        self._thread = thread
        self._iopub = iopub

    def abort(self, request: Request) -> None:
        """Answer a cell that will not run; if that fails, those behind it have their answers all the same.

        Thread: protocol or control.
        """
        self._iopub.busy(request.message)
        try:
            self._kernel._send_abort_reply(request.replies, request.message, request.idents)
        except Exception:
            self._kernel.log.exception("a cell that will not run has no reply")
        self._iopub.idle(request.message, of_cell=True)

    def drain(self) -> None:
        """Let everything that has arrived on the shell channel be sorted. Thread: any but protocol."""
        self._on_protocol_thread(lambda: self._stream.flush(zmq.POLLIN))

    def finish_failed(self, lane: Lane, finish: Callable[[], None]) -> None:
        """`finish` a failed cell, and abort those of its lane that have arrived until now, or do within the
        seconds of `stop_on_error_timeout`.

        `finish` sends the failed cell's reply. A cell that a client sends after it has seen that reply is not
        aborted, for everything that has arrived is drained before. Thread: the lane's.
        """

        def finish_and_abort() -> None:
            self._stream.flush(zmq.POLLIN)
            waiting = lane.take_waiting()
            finish()
            lane.abort_for(self._kernel.stop_on_error_timeout)
            for request in waiting:
                self.abort(request)

        self._on_protocol_thread(finish_and_abort)

    def _on_protocol_thread(self, function: Callable[[], object]) -> None:
        """Call it there, and wait until it is over."""
        done = Event()

        def call() -> None:
            try:
                function()
            finally:
                done.set()

        self._thread.io_loop.add_callback(call)
        done.wait()

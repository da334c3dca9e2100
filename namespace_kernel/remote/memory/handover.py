"""Regions among processes of one machine: a socket beside the pipe of messages carries their descriptors."""

from __future__ import annotations

import copyreg
import os
import socket
from array import array
from collections import ChainMap
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from namespace_kernel.remote.memory.regions import Changes, Region, can_share, received

#: Descriptors that Linux lets one message carry.
_MOST = 253


class Handover:
    """One end of such a socket. What is sent before a message's bytes is there when these have arrived.

    Thread: one that sends, and one that receives.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._here: list[int] | None = None

    def reducers(self, regions: list[Region]) -> ChainMap[type, Any]:
        """How a pickler reduces things, if regions go to the process at the other end: noted in `regions`."""

        def reduce(region: Region) -> tuple[object, ...]:
            regions.append(region)
            return _take, (len(regions) - 1, region.size, region.digest, region.changes)

        return ChainMap({Region: reduce}, copyreg.dispatch_table)

    def send(self, regions: list[Region]) -> None:
        """Send the descriptors. Raises `OSError` if nobody is there."""
        if regions:
            socket.send_fds(self._end, [b"d"], [region.descriptor for region in regions])

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """While entered, regions that are unpickled in the calling context get what was sent for them."""
        token = _receiver.set(self)
        try:
            yield
        finally:
            _receiver.reset(token)
            for descriptor in self._here or ():
                if descriptor >= 0:
                    os.close(descriptor)
            self._here = None

    def take(self, number: int) -> int:
        """The descriptor of that number. Raises `ValueError` if it has not come."""
        try:
            if self._here is None:
                self._here = self._receive()
            descriptor, self._here[number] = self._here[number], -1
        except (OSError, IndexError):
            descriptor = -1
        if descriptor < 0:
            raise ValueError("memory could not be taken over; there may be too many open files")
        return descriptor

    def _receive(self) -> list[int]:
        # Not `recv_fds`, which heeds no flags: it would wait, and let children inherit the descriptors.
        flags = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
        numbers = array("i")
        for level, kind, data in self._end.recvmsg(1, socket.CMSG_SPACE(_MOST * numbers.itemsize), flags)[1]:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers.frombytes(data[: len(data) // numbers.itemsize * numbers.itemsize])
        return list(numbers)

    def close(self) -> None:
        """No more is sent or received."""
        self._end.close()


_receiver: ContextVar[Handover] = ContextVar("receiver")


def _take(number: int, size: int, digest: bytes, changes: Changes) -> Region:
    return received(_receiver.get().take(number), size, digest, changes)


def handover_pair() -> tuple[Handover | None, list[socket.socket]]:
    """An end for this process and what to give to another; nothing where there is no such memory."""
    if not can_share():
        return None, []
    here, there = socket.socketpair()
    return Handover(here), [there]

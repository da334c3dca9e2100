"""Messages as bytes: ipykernel's and jupyter_client's way, with less work for each message.

What arrives is looked into when its signature has been checked, and not before.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from hmac import compare_digest
from os import getpid
from typing import Any

import zmq
from jupyter_client._version import protocol_version
from jupyter_client.adapter import adapt
from jupyter_client.jsonutil import extract_dates, json_default
from jupyter_client.session import DELIM, DONE, Session, json_packer, utcnow

from namespace_kernel.base.errors import RequestError
from namespace_kernel.base.threads import Lock
from namespace_kernel.base.words import encodable

from .request import Message
from .request_fields import kind_of

# As jupyter_client's own packer, which makes a new encoder for each part of each message.
_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, default=json_default, check_circular=False
).encode

_MORE = int(zmq.SNDMORE)

#: The signature, and the four parts that it is for.
_SIGNED = 5


def send_parts(
    socket: zmq.Socket[bytes], parts: Sequence[bytes], copy: bool = True, track: bool = False
) -> zmq.MessageTracker | None:
    """Send a message of several parts; with `track`, return what knows when the last has been written.

    pyzmq's `send_multipart` checks each part, and combines flags that are enumerations: 7 µs, this takes 2.
    """
    if not copy:
        return _send_large(socket, parts, track)
    send = socket.send
    for part in parts[:-1]:
        send(part, _MORE)
    return send(parts[-1])


def _send_large(socket: zmq.Socket[bytes], parts: Sequence[bytes], track: bool) -> zmq.MessageTracker | None:
    """Send without copying, if that can be.

    pyzmq starts a thread for it, and from 3.12 on Python refuses one when `atexit` callbacks run. If only
    sending told so, the first parts would be on the socket, and the next message would follow them.
    """
    try:
        frames = [
            part if memoryview(part).nbytes < socket.copy_threshold else zmq.Frame(part, track, False)
            for part in parts
        ]
    except RuntimeError:
        return send_parts(socket, parts)
    for frame in frames[:-1]:
        socket.send(frame, _MORE, False)
    return socket.send(frames[-1], 0, False, track)


def may_be_held() -> bool:
    """Whether a debugger may stop a thread while it sends; only those that it leaves alone should send then.

    Where one thread is at a breakpoint, debugpy holds each other one at its next line. If that one had the
    socket, nobody could send any more, and not even the stop would be told.
    """
    return "pydevd" in sys.modules


class KernelSession(Session):
    """Builds and serializes a message in 10 µs instead of 20; a cell has four.

    The parent's header is the same for all messages of a cell, and is packed once. Lone surrogates are
    sent as U+FFFD: a single one in a cell's output would otherwise fail in the IOPub thread, and a notebook
    that held it could not be saved.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        packer: Callable[[object], bytes] = self.pack
        self._packs_json = packer is json_packer

        def pack(content: object) -> bytes:
            try:
                return _encode(content).encode() if self._packs_json else packer(content)
            except Exception:
                return _pack_any(packer, content)

        self.pack = pack
        self._comparing = Lock()
        #: A copy of the parent header that was packed last, and how. One tuple: several threads send.
        self._last_parent: tuple[Message, bytes] = ({}, self.none)

    def msg_header(self, msg_type: str) -> Message:
        """Overridden: jupyter_client's reads four traits and calls three functions."""
        session, number = self.session, self.message_count
        self.message_count = number + 1
        return {
            "date": utcnow(),
            "version": protocol_version,
            "msg_id": f"{session}_{getpid()}_{number}",
            "msg_type": msg_type,
            "username": self.username,
            "session": session,
        }

    def send(
        self,
        stream: Any,
        msg_or_type: Any,
        content: Message | None = None,
        parent: Message | None = None,
        ident: list[bytes] | bytes | None = None,
        buffers: list[Any] | None = None,
        track: bool = False,
        header: Message | None = None,
        metadata: Message | None = None,
    ) -> Message | None:
        """Overridden for the usual message: without buffers, to something that is no socket."""
        built = type(msg_or_type) is dict
        if (
            not (built or type(msg_or_type) is str)
            or buffers
            or (built and msg_or_type.get("buffers"))
            or header is not None
            or isinstance(stream, zmq.Socket)
            or self.adapt_version
            or self.debug
            or getpid() != self.pid
        ):
            return super().send(stream, msg_or_type, content, parent, ident, buffers, track, header, metadata)
        message: Message = msg_or_type if built else self.msg(msg_or_type, content, parent, metadata=metadata)
        if stream:
            parts = self.serialize(message, ident)
            stream.send_multipart(parts, copy=max(map(len, parts)) < self.copy_threshold)
        message["tracker"] = DONE
        return message

    def serialize(self, msg: Message, ident: list[bytes] | bytes | None = None) -> list[bytes]:
        """Overridden: all messages of a cell have one parent, which is packed once."""
        content, metadata = msg.get("content"), msg["metadata"]
        if not isinstance(content, dict):
            return super().serialize(msg, ident)
        pack = self.pack
        parts = [
            pack(msg["header"]),
            self._pack_parent(msg["parent_header"]),
            pack(metadata) if metadata else self.none,
            pack(content),
        ]
        idents = ident if isinstance(ident, list) else [] if ident is None else [ident]
        return [*idents, DELIM, self.sign(parts), *parts]

    def deserialize(self, msg_list: list[Any], content: bool = True, copy: bool = True) -> Message:
        """Overridden: jupyter_client's remembers a signature before it has checked it, so that forged ones
        make it forget the others.

        Raises `ValueError` for what is not authentic, `RequestError` for what is and is no proper message.
        """
        frames = [frame if copy else bytes(frame.bytes) for frame in msg_list]
        if len(frames) < _SIGNED:
            raise ValueError(f"it has {len(frames)} parts instead of at least {_SIGNED}")
        parts = frames[1:_SIGNED]
        self._authenticate(frames[0], parts, remember=content)
        message, problem = self._read(parts, content)
        message["buffers"] = [memoryview(frame) for frame in frames[_SIGNED:]]
        if problem:
            raise RequestError(problem, message)
        return message

    def _authenticate(self, signature: bytes, parts: list[bytes], remember: bool) -> None:
        """Raise `ValueError` unless whoever has the key has signed `parts`, and they have not come before."""
        if self.auth is None:
            return
        if not compare_digest(signature, self.sign(parts)):
            raise ValueError("Invalid Signature: it is not signed with the kernel's key")
        with self._comparing:  # the same may arrive on two channels at a time
            if signature in self.digest_history:
                raise ValueError("Duplicate Signature: it has arrived before")
            if remember:
                self._add_digest(signature)

    def _read(self, parts: list[bytes], with_content: bool) -> tuple[Message, str]:
        """The message in `parts`, which are authentic, and what is wrong with it, "" if nothing is."""
        problems: list[str] = []

        def unpack(part: bytes, name: str) -> Any:
            try:
                return self.unpack(part)
            except Exception as error:
                problems.append(f"its {name} cannot be read ({type(error).__name__}: {error})")
                return {}

        header = unpack(parts[0], "header")
        if not isinstance(header, dict):
            problems.append(f"its header must be an object, and is {kind_of(header)}")
            header = {}
        try:
            header = extract_dates(header)
            self._pack_parent(header, as_it_is=True)
        except Exception as error:
            problems.append(
                f"its header cannot be sent back with an answer ({type(error).__name__}: {error})"
            )
            header = {key: value for key, value in header.items() if isinstance(value, str | int | None)}
        kind = header.get("msg_type")
        message = {
            "header": header,
            "msg_id": header.get("msg_id"),
            "msg_type": kind if isinstance(kind, str) else "",
            "parent_header": unpack(parts[1], "parent_header"),
            "metadata": unpack(parts[2], "metadata"),
            "content": unpack(parts[3], "content") if with_content else parts[3],
        }
        if not problems:
            try:
                message = adapt(message)
            except Exception as error:
                problems.append(f"its header's `version` does not suit it ({type(error).__name__}: {error})")
        return message, problems[0] if problems else ""

    def _pack_parent(self, header: Message, as_it_is: bool = False) -> bytes:
        """Pack `header`. Raises `ValueError` if it must arrive `as_it_is` and JSON lacks its numbers."""
        known, packed = self._last_parent
        if header != known:
            if as_it_is and self._packs_json:
                packed = encodable(_encode(header)).encode()
            else:
                packed = self.pack(header)
            self._last_parent = (header.copy(), packed)
        return packed


def _pack_any(packer: Callable[[object], bytes], content: object) -> bytes:
    """What the quick way cannot pack: see `json_packer`, which warns of what is no JSON."""
    try:
        return packer(content)
    except (UnicodeEncodeError, TypeError):  # TypeError is orjson's
        text = json.dumps(content, default=json_default, ensure_ascii=False, allow_nan=False)
        return encodable(text).encode()

"""A client that speaks raw sockets, so that what is measured is the kernel and not the client."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil
import zmq

from .environments import Kernel, clean_environment

#: Seconds that anything may take.
PATIENCE = 30.0
_CHANNELS = {"shell": zmq.DEALER, "control": zmq.DEALER, "stdin": zmq.DEALER, "iopub": zmq.SUB}


class KernelSilent(RuntimeError):
    """An answer did not come."""


@dataclass(slots=True)
class Message:
    """What came, and when."""

    channel: str
    kind: str
    parent: str
    content: dict[str, Any]
    at: float


class Client:
    """One kernel process and the sockets to it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._directory = tempfile.TemporaryDirectory(prefix="bench-")
        self._key = uuid.uuid4().hex.encode()
        self._session = uuid.uuid4().hex
        self._context = zmq.Context()
        self._sockets: dict[str, zmq.Socket[bytes]] = {}
        self._poller = zmq.Poller()
        ports = {}
        for channel, kind in _CHANNELS.items():
            ports[f"{channel}_port"] = _free_port()
            peer = self._sockets[channel] = self._context.socket(kind)
            peer.linger = 0
            peer.reconnect_ivl = 5  # ms; the usual 100 would be what is measured
            peer.rcvhwm = 0
            if kind == zmq.SUB:
                peer.subscribe(b"")
            else:
                peer.identity = self._session.encode()
            peer.connect(f"tcp://127.0.0.1:{ports[f'{channel}_port']}")
            self._poller.register(peer, zmq.POLLIN)
        info = {
            **ports,
            "hb_port": _free_port(),
            "ip": "127.0.0.1",
            "transport": "tcp",
            "key": self._key.decode(),
            "signature_scheme": "hmac-sha256",
            "kernel_name": kernel.name,
        }
        path = Path(self._directory.name) / "connection.json"
        path.write_text(json.dumps(info))
        argv = [part.replace("{connection_file}", str(path)) for part in kernel.argv]
        environment = {**clean_environment(), "IPYTHONDIR": self._directory.name, **kernel.env}
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            argv,
            env=environment,
            cwd=self._directory.name,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # as Jupyter does; SIGINT goes to the whole group
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._context.destroy(linger=0)
        self._directory.cleanup()

    # Messages

    def send(self, kind: str, content: dict[str, Any], channel: str = "shell") -> str:
        """Send a message; its id."""
        msg_id = uuid.uuid4().hex
        header = {
            "msg_id": msg_id,
            "msg_type": kind,
            "session": self._session,
            "username": "bench",
            "version": "5.4",
            "date": "2026-01-01T00:00:00.000000Z",
        }
        parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
        signature = hmac.new(self._key, b"".join(parts), hashlib.sha256).hexdigest().encode()
        self._sockets[channel].send_multipart([b"<IDS|MSG>", signature, *parts])
        return msg_id

    def execute(self, code: str, **options: Any) -> str:
        """Send a cell; its message id."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
        return self.send(
            "execute_request", {**content, "allow_stdin": False, "stop_on_error": False, **options}
        )

    def receive(self, timeout: float) -> list[Message]:
        """What has arrived, or arrives within `timeout` seconds."""
        messages = []
        ready = dict(self._poller.poll(int(timeout * 1000)))
        now = time.perf_counter()
        for channel, peer in self._sockets.items():
            while peer in ready:
                try:
                    frames = peer.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                messages.append(self._read(channel, frames, now))
        return messages

    def _read(self, channel: str, frames: list[bytes], now: float) -> Message:
        try:
            start = frames.index(b"<IDS|MSG>")
            header, parent = json.loads(frames[start + 2]), json.loads(frames[start + 3]) or {}
            content = json.loads(frames[start + 5])
            return Message(channel, header["msg_type"], parent.get("msg_id", ""), content, now)
        except (ValueError, LookupError, TypeError) as error:
            raise KernelSilent(f"{self.kernel.name} sent what is no message: {error!r}") from error

    def pump(self, until: Callable[[Message], bool], timeout: float = PATIENCE) -> list[Message]:
        """Take in messages until one for which `until` is true; all of them."""
        taken: list[Message] = []
        deadline = time.monotonic() + timeout
        while True:
            for message in self.receive(min(1.0, timeout)):
                taken.append(message)
                if until(message):
                    return taken
            if self.process.poll() is not None:
                raise KernelSilent(f"the process ended (status {self.process.returncode})")
            if time.monotonic() > deadline:
                raise KernelSilent(f"no answer within {timeout:g} s")

    def wait(self, msg_id: str, timeout: float = PATIENCE) -> list[Message]:
        """Until reply and idle for `msg_id` are both here; all messages meanwhile."""
        left = {"reply", "idle"}

        def is_last(message: Message) -> bool:
            if message.parent == msg_id:
                if message.kind.endswith("_reply"):
                    left.discard("reply")
                elif message.kind == "status" and message.content["execution_state"] == "idle":
                    left.discard("idle")
            return not left

        return self.pump(is_last, timeout)

    def run(self, code: str, timeout: float = PATIENCE) -> list[Message]:
        """Run a cell to its end; what came for it."""
        msg_id = self.execute(code)
        return [message for message in self.wait(msg_id, timeout) if message.parent == msg_id]

    def wait_ready(self) -> float:
        """Until the first `kernel_info_reply` and IOPub both answer; seconds from the start to the reply."""
        asked = self.send("kernel_info_request", {})
        messages = self.pump(lambda message: message.kind == "kernel_info_reply")
        elapsed = messages[-1].at - self.began
        # What IOPub says before our subscription has arrived is lost, so ask until something is heard.
        while not any(message.channel == "iopub" and message.parent for message in messages):
            asked = self.send("kernel_info_request", {})
            messages = self.pump(
                lambda message: message.parent == asked and message.kind == "kernel_info_reply"  # noqa: B023
            )
            messages += self.receive(0.005)
            if time.perf_counter() - self.began > PATIENCE:
                raise KernelSilent("IOPub does not answer")
        self.wait(self.send("kernel_info_request", {}))
        return elapsed

    def interrupt(self) -> None:
        """Stop, as Jupyter does it for this kernel."""
        if self.kernel.by_message:
            self.send("interrupt_request", {}, "control")
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> float:
        """Shut down; seconds until the process is gone."""
        began = time.perf_counter()
        self.send("shutdown_request", {"restart": False}, "control")
        # `wait(timeout)` would look only every 50 ms.
        killer = threading.Timer(30.0, self.process.kill)
        killer.start()
        self.process.wait()
        killer.cancel()
        elapsed = time.perf_counter() - began
        if elapsed > 30:
            raise KernelSilent("it does not end")
        return elapsed

    # The process

    def cpu(self) -> float:
        """Seconds of processor time used so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def memory(self) -> float:
        """Resident memory in MiB."""
        return float(psutil.Process(self.process.pid).memory_info().rss / 2**20)


def _free_port() -> int:
    """A port that is free, from below those that the system gives to clients.

    A client that keeps connecting to one of those, while nobody listens yet, in the end connects to itself.
    """
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as candidate, contextlib.suppress(OSError):
            candidate.bind(("127.0.0.1", port))
            return port

"""A blocking client that sees a kernel process as a person at a notebook sees it.

Everything that arrives is sorted to the request that caused it, by parent id and for as long as the client
lives: output that a task prints long after its cell went idle is found under that cell. One thread does all
of it. Whoever waits pumps the sockets, so there is nothing to join and no race between collector and test.

Thread: the test's, only.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import zmq
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

from tests.kernel.cells import PATIENCE, Cell, KernelProblem, Message, Request

ROOT = Path(__file__).resolve().parents[2]
# `python3` runs the same tests against ipykernel: that is how we know that the harness is right and that the
# demos do fail there.
SPEC = os.environ.get("NAMESPACE_KERNEL_TEST_SPEC", "namespace")


#: Kernelspecs that are built here, and what they start. Any other is one that is installed.
MODULES = {"namespace": "namespace_kernel", "python3": "ipykernel_launcher"}


def module_of(spec: str) -> str:
    return MODULES.get(spec, spec)


def argv_of(module: str) -> list[str]:
    flags = [
        "-Xfrozen_modules=off",
        *(["-P"] if module == "namespace_kernel" else []),
    ]  # as in the kernelspecs
    return [sys.executable, *flags, "-m", module, "-f", "{connection_file}"]


MODULE = module_of(SPEC)
ARGV = argv_of(MODULE)

# Under this name the kernelspec is installed for the programs that find kernels by name.
KERNEL_NAME = "namespace-under-test"
INTERRUPTS = ("SIGINT", "interrupt_request")


class OneSpec(KernelSpecManager):
    """Knows two kernelspecs, built here, so that no test depends on what is installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        if kernel_name not in MODULES.values():
            return super().get_kernel_spec(kernel_name)
        argv = ARGV if kernel_name == MODULE else argv_of(kernel_name)
        return KernelSpec(argv=argv, display_name=kernel_name, language="python", interrupt_mode="signal")


R = TypeVar("R", bound=Request)


class Notebook:
    """A kernel process and the connection to it."""

    def __init__(self, directory: Path, env: dict[str, str], module: str = MODULE) -> None:
        self.module = module
        self.log_path = directory / "kernel.log"
        self._log = self.log_path.open("wb")
        for attempt in range(3):
            self._start(directory, env)
            try:
                self.wait_ready()
                return
            except KernelProblem:
                # jupyter_client looks for free ports before the kernel takes them; another may be faster.
                if attempt == 2 or "Address already in use" not in self.log:
                    raise
                self.client.stop_channels()
                self.manager.cleanup_resources()
                self._log.truncate(0)

    def _start(self, directory: Path, env: dict[str, str]) -> None:
        connection = directory / "connection.json"
        connection.unlink(missing_ok=True)
        self.manager = KernelManager(
            kernel_name=self.module,
            kernel_spec_manager=OneSpec(),
            connection_file=str(connection),
        )
        self.manager.start_kernel(env=env, cwd=str(directory), stdout=self._log, stderr=self._log)
        self.connect()

    def connect(self) -> None:
        """Be a frontend that has just opened the notebook."""
        self.requests: dict[str, Request] = {}
        self._arrived = 0
        self.strays: list[Message] = []  # what has no parent that we sent
        self.client = self.manager.client()
        self.client.context.setsockopt(zmq.RECONNECT_IVL, 10)  # and not 100 to 200 ms, after a port is open
        self.client.start_channels(hb=False)
        names = ("shell", "iopub", "stdin", "control")
        self.sockets = {name: getattr(self.client, f"{name}_channel").socket for name in names}
        self._poller = zmq.Poller()
        for socket in self.sockets.values():
            # A send that nobody takes is told with the kernel's log, and does not wait for ever.
            socket.sndtimeo = int(PATIENCE * 1000)
            self._poller.register(socket, zmq.POLLIN)

    def wait_ready(self) -> None:
        """A first request can be answered before IOPub is subscribed: ask until an idle is heard."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.request("kernel_info_request").wait(1.0)
                return
            except zmq.Again:
                raise KernelProblem(f"nobody takes a message\n{self.story()}") from None
            except KernelProblem:
                if not self.alive or time.monotonic() > deadline:
                    raise

    # --- the process

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.process.pid)  # type: ignore[union-attr]

    @property
    def alive(self) -> bool:
        process = getattr(self.manager.provisioner, "process", None)
        return process is not None and process.poll() is None

    @property
    def busy(self) -> bool:
        return any(isinstance(r, Cell) and not r.done for r in self.requests.values())

    @property
    def log(self) -> str:
        """What the process wrote to its own stdout and stderr."""
        return self.log_path.read_text(errors="replace")

    def interrupt(self, how: str) -> None:
        """Presses Stop, as a frontend does it in either interrupt mode."""
        if how == "SIGINT":
            self.manager.signal_kernel(signal.SIGINT)
        else:
            self.request("interrupt_request", channel="control")

    def wait_exit(self, timeout: float = PATIENCE) -> int:
        """Until the process has ended; its exit status."""
        process = self.manager.provisioner.process  # type: ignore[union-attr]
        return int(process.wait(timeout))

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=not self.alive or self.busy)
        self.manager.cleanup_resources()
        self._log.close()

    # --- requests

    def submit(self, code: str, **options: Any) -> Cell:
        """Sends a cell and returns at once. Options are the content's fields, and `metadata`."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        metadata = options.pop("metadata", {"cellId": uuid.uuid4().hex})  # as JupyterLab does
        content.update(options)
        return self._send(Cell, "shell", "execute_request", content, metadata)

    def run(self, code: str, **options: Any) -> Cell:
        """Sends a cell and waits until it is done."""
        timeout = options.pop("timeout", PATIENCE)
        return self.submit(code, **options).wait(timeout)

    def request(self, msg_type: str, content: Message | None = None, channel: str = "shell") -> Request:
        return self._send(Request, channel, msg_type, content or {}, {})

    def ask(self, msg_type: str, content: Message | None = None, channel: str = "shell") -> Message:
        """Sends a request; the content of its reply."""
        return self.request(msg_type, content, channel).wait().reply

    def _send(self, kind: type[R], channel: str, msg_type: str, content: Message, metadata: Message) -> R:
        session = self.client.session
        message = session.msg(msg_type, content, metadata=metadata)
        request = self.expect(kind, message["header"]["msg_id"], content.get("code", msg_type))
        session.send(self.sockets[channel], message)
        return request

    def expect(self, kind: type[R], msg_id: str, what: str) -> R:
        """Collects what comes back for a message that somebody else sends."""
        request = kind(self, msg_id, what if len(what) < 200 else what[:200] + "…")
        self.requests[msg_id] = request
        return request

    def answer(self, text: str) -> None:
        """Answers an input request."""
        self.client.input(text)

    # --- what comes back

    def pump(self, until: Callable[[], bool], what: str, timeout: float = PATIENCE) -> None:
        """Takes in messages until `until()` holds."""
        deadline = time.monotonic() + timeout
        while not until():
            if not self.take_in(min(0.5, max(0.0, deadline - time.monotonic()))) and not until():
                if not self.alive:
                    raise KernelProblem(f"the kernel died before {what} came\n{self.story()}")
                if time.monotonic() >= deadline:
                    raise KernelProblem(f"{what} did not come in {timeout} s\n{self.story()}")

    def take_in(self, timeout: float) -> bool:
        """Sorts what arrives within `timeout`; whether anything came."""
        ready = dict(self._poller.poll(int(timeout * 1000)))
        for name, socket in self.sockets.items():
            if socket in ready:
                self._sort(name, self.client.session.recv(socket)[1])
        return bool(ready)

    def take_rest(self) -> None:
        """Takes in what the machine still has of a process that is gone."""
        while self.take_in(0.5):
            pass

    def _sort(self, channel: str, message: Message) -> None:
        message["arrived"] = self._arrived = self._arrived + 1
        request = self.requests.get(message["parent_header"].get("msg_id", ""))
        if request is None:
            self.strays.append(message)
        elif channel == "iopub":
            request.messages.append(message)
        elif channel == "stdin":
            request.input_requests.append(message)
        else:
            request.replies.append(message)

    def story(self) -> str:
        """For a failure: the last requests with their answers, and the end of the kernel's own log."""
        lines = []
        for request in list(self.requests.values())[-3:]:
            lines.append(f"{request.what!r}: states {request.states}, replies {len(request.replies)}")
            lines += [f"    {m['msg_type']}: {str(m['content'])[:300]}" for m in request.messages]
        return "\n".join([*lines, "kernel log:", self.log[-3000:]])

"""`input()`, when the frontend that is asked is slow to listen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from tests.kernel.client import PATIENCE, Notebook


class LateFrontend:
    """A second frontend, which connects its stdin channel when it is told to."""

    def __init__(self, notebook: Notebook) -> None:
        self.session = notebook.client.session
        self._urls = {name: notebook.client._make_url(name) for name in ("shell", "stdin")}
        self._context = zmq.Context()
        self.sockets = {name: self._context.socket(zmq.DEALER) for name in self._urls}
        for socket in self.sockets.values():
            socket.identity = b"a late frontend"
            socket.linger = 0
        self.connect("shell")

    def connect(self, channel: str) -> None:
        self.sockets[channel].connect(self._urls[channel])

    def execute(self, code: str) -> None:
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": True}
        self.session.send(self.sockets["shell"], "execute_request", content)

    def receive(self, channel: str) -> dict[str, object]:
        assert self.sockets[channel].poll(int(PATIENCE * 1000)), f"nothing came on {channel}"
        content: dict[str, object] = self.session.recv(self.sockets[channel])[1]["content"]
        return content

    def answer(self, value: str) -> None:
        self.session.send(self.sockets["stdin"], "input_reply", {"value": value})

    def close(self) -> None:
        self._context.destroy()


@pytest.fixture
def late(fresh_notebook: Notebook) -> Iterator[LateFrontend]:
    frontend = LateFrontend(fresh_notebook)
    yield frontend
    frontend.close()


@pytest.mark.parametrize("first", ["", "import asyncio; await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
def test_a_question_waits_for_a_frontend_that_is_still_connecting(
    first: str, late: LateFrontend, fresh_notebook: Notebook
) -> None:
    late.execute(f"{first}asking = True\nanswer = input('what? ')")
    fresh_notebook.pump(lambda: any(m["msg_type"] == "execute_input" for m in fresh_notebook.strays), "it")
    late.connect("stdin")
    assert late.receive("stdin") == {"prompt": "what? ", "password": False}
    late.answer("this")
    assert late.receive("shell")["status"] == "ok"
    assert fresh_notebook.run("answer").result == "'this'"


def test_one_that_never_connects_gets_an_error(late: LateFrontend, fresh_notebook: Notebook) -> None:
    fresh_notebook.run("import namespace_kernel.kernel.stdin as s; s._PATIENCE = .1")
    late.execute("input('what? ')")
    reply = late.receive("shell")
    assert (reply["status"], reply["ename"]) == ("error", "StdinNotImplementedError")
    assert "has not connected its stdin channel" in str(reply["evalue"])
    assert fresh_notebook.run("6 * 7").result == "42"

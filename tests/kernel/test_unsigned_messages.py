"""What is not signed with the kernel's key is not unpacked: on no channel, with no packer, at no length."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.session import Session

from tests.conftest import StartNotebook
from tests.kernel.client import Notebook

PACKERS = ("json", "pickle", "msgpack")
MARK = b"forged"

RECORD = """\
seen = []
def _record(session):
    unpack = session.unpack
    def unpack_and_record(part):
        seen.append(bytes(part[:200]))
        return unpack(part)
    session.unpack = unpack_and_record
_record(get_ipython().kernel.session)"""


class PackingNotebook(Notebook):
    """A kernel with another packer, and a client that has it, too."""

    packer = ""

    def _start(self, directory: Path, env: dict[str, str]) -> None:
        profile = directory / "ipython" / "profile_default"
        profile.mkdir(parents=True, exist_ok=True)
        (profile / "ipython_kernel_config.py").write_text(f"c.Session.packer = {self.packer!r}")
        super()._start(directory, {**env, "IPYTHONDIR": str(profile.parent)})
        self.client.session.packer = self.packer


@pytest.fixture(scope="module", params=PACKERS)
def recording(
    request: pytest.FixtureRequest, kernel_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Notebook]:
    """A kernel with a packer, which records what it unpacks."""
    kind = type("Packing", (PackingNotebook,), {"packer": request.param})
    notebook = kind(tmp_path_factory.mktemp("kernel"), kernel_env)
    notebook.run(RECORD)
    yield notebook
    notebook.close()


class Code:
    """Runs when it is unpickled."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._directory),)


def nested(_: Session, __: Path) -> list[bytes]:
    count = 14 * 2**20
    return [b"0" * 64, b'["forged"' + b"," + b"[" * count + b"]" * count + b"]", b"{}", b"{}", b"{}"]


def unsigned(session: Session, _: Path) -> list[bytes]:
    parts = list(
        session.serialize(session.msg("execute_request", {"code": "forged = True", "silent": False}))
    )
    return [b"", *parts[2:]]


def signed_otherwise(session: Session, _: Path) -> list[bytes]:
    other = Session(key=b"another key", packer=session.packer, username="forged")
    message = other.msg("debug_request", {"command": "forged", "seq": 1})
    return list(other.serialize(message)[1:])


def code(_: Session, directory: Path) -> list[bytes]:
    return [b"0" * 64, *[pickle.dumps([MARK, Code(directory)])] * 4]


def signed_but_changed(session: Session, _: Path) -> list[bytes]:
    parts = list(session.serialize(session.msg("execute_request", {"code": "1"}))[1:])
    return [parts[0], *(part + MARK for part in parts[1:])]


@pytest.mark.parametrize("forge", [nested, unsigned, signed_otherwise, code, signed_but_changed])
@pytest.mark.parametrize("channel", ["shell", "control", "stdin"])
def test_it_is_not_unpacked(
    channel: str, forge: Callable[[Session, Path], list[bytes]], recording: Notebook, tmp_path: Path
) -> None:
    directory = tmp_path / "it ran"
    recording.run("seen.clear()")
    cell = recording.submit("input('? ')", allow_stdin=True)
    cell.wait_for_input_request()
    for _ in range(2):
        recording.sockets[channel].send_multipart([b"<IDS|MSG>", *forge(recording.client.session, directory)])
    recording.ask("kernel_info_request", channel="control")
    recording.answer("mine")
    assert cell.wait().result == "'mine'"
    # The mark is in two pieces, for these cells themselves are unpacked.
    seen = recording.run(
        "mark = 'for' + 'ged'\nlen(seen) > 0, [part for part in seen if mark.encode() in part]"
    )
    assert seen.result == "(True, [])"
    assert recording.run("mark in globals()").result == "False"
    assert not directory.exists()


@pytest.mark.parametrize("first", ["shell", "control"])
@pytest.mark.parametrize("second", ["shell", "control"])
def test_what_has_arrived_on_one_channel_is_refused_on_each(
    first: str, second: str, recording: Notebook
) -> None:
    session = recording.client.session
    recording.run("count = 0")
    frames = session.serialize(session.msg("execute_request", {"code": "count += 1", "silent": True}))
    for channel in (first, second, second):
        recording.sockets[channel].send_multipart(frames)
        recording.ask("kernel_info_request", channel=channel)
    assert recording.run("count").result == "1"


def test_a_kernel_without_a_key_takes_every_message(start_notebook: StartNotebook) -> None:
    notebook = start_notebook()
    unlocking = notebook.submit("get_ipython().kernel.session.key = b''")
    notebook.client.session.key = b""
    unlocking.wait()
    assert notebook.run("1 + 1").result == "2"
    notebook.sockets["shell"].send_multipart([b"<IDS|MSG>", b"", b"{}", b"[", b"5", b"NaN"])
    notebook.sockets["control"].send_multipart([b"<IDS|MSG>", b"", b"", b"", b"", b""])
    assert notebook.run("2 + 2").result == "4"
    assert notebook.ask("kernel_info_request", channel="control")["status"] == "ok"

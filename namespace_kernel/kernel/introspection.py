"""Completion, inspection and history while cells run."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from inspect import isawaitable

from ipykernel.ipkernel import IPythonKernel
from ipykernel.jsonutil import json_clean

from namespace_kernel.ipython.completion.jedi_cache import read_files_once, remember_conditions
from namespace_kernel.ipython.completion.jedi_files import do_without_damaged_files
from namespace_kernel.ipython.completion.jedi_names import skip_other_names
from namespace_kernel.ipython.completion.jedi_turn import JediTurn
from namespace_kernel.ipython.shell import NamespaceShell
from namespace_kernel.namespace.reserved_names import only_names

from .wire.request import Message, Replies, answer
from .wire.request_fields import CONTENT
from .wire.session import KernelSession


class Introspection:
    """Answers by the kernel's `do_…` methods, which may be a subclass's.

    The requests are as ipykernel's, which warn of an answer that is no coroutine, as all of its own are.

    Thread: a request thread; `answer_comm_info` protocol.
    """

    def __init__(self, kernel: IPythonKernel, session: KernelSession) -> None:
        self._kernel = kernel
        self._session = session

    def register(self, kernel: IPythonKernel) -> None:
        """Answer on both channels, as ipykernel does."""
        for table in (kernel.shell_handlers, kernel.control_handlers):
            answer(
                kernel,
                table,
                complete_request=self.answer_complete,
                inspect_request=self.answer_inspect,
                history_request=self.answer_history,
                is_complete_request=self.answer_is_complete,
                comm_info_request=self.answer_comm_info,
            )

    async def answer_complete(self, replies: Replies, idents: list[bytes], message: Message) -> None:
        """What the code at the cursor may go on with."""
        content = message["content"]
        found = self._kernel.do_complete(content["code"], content["cursor_pos"])
        await self._reply(replies, idents, message, found)

    async def answer_inspect(self, replies: Replies, idents: list[bytes], message: Message) -> None:
        """What is known of the object at the cursor."""
        content = message["content"]
        detail, omitted = content.get("detail_level", 0), set(content.get("omit_sections", ()))
        found = self._kernel.do_inspect(content["code"], content["cursor_pos"], detail, omitted)
        await self._reply(replies, idents, message, found)

    async def answer_history(self, replies: Replies, idents: list[bytes], message: Message) -> None:
        """Cells of earlier."""
        await self._reply(replies, idents, message, self._kernel.do_history(**message["content"]))

    async def answer_is_complete(self, replies: Replies, idents: list[bytes], message: Message) -> None:
        """Whether a terminal shall run the code, or go on asking."""
        found = self._kernel.do_is_complete(message["content"]["code"])
        await self._reply(replies, idents, message, found)

    async def answer_comm_info(self, replies: Replies, idents: list[bytes], message: Message) -> None:
        """The open comms. Cells open and close some meanwhile, so look at a copy."""
        target = message["content"].get("target_name")
        comms = {
            key: {"target_name": comm.target_name}
            for key, comm in self._kernel.comm_manager.comms.copy().items()
            if target is None or comm.target_name == target
        }
        content = {"status": "ok", "comms": comms}
        self._session.send(replies, "comm_info_reply", content, message, idents)

    async def _reply(
        self, replies: Replies, idents: list[bytes], message: Message, found: Message | Awaitable[Message]
    ) -> None:
        """Send what was found; a subclass's may be awaitable."""
        content = await found if isawaitable(found) else found
        kind = message["header"]["msg_type"].replace("_request", "_reply")
        self._session.send(replies, kind, json_clean(content), message, idents)


_jedi_turn = JediTurn()

#: What jedi and a completion import, as far as it can be imported by itself: the smaller a step, the less
#: a cell that comes in its midst waits.
_BEFORE_JEDI = (
    "IPython.core.guarded_eval",
    "pydoc",
    "parso.cache",
    "parso.python.tree",
    "parso.python.parser",
    "parso.python.diff",
    "jedi",
)


def complete_on_snapshot(shell: NamespaceShell, complete: Callable[[], Message]) -> Message:
    """Call `complete` for names that no cell changes while jedi iterates over them.

    A completion that overtakes a slow one does without jedi. Thread: any.
    """
    completer = shell.complete_in(only_names(shell.namespace.namespace))
    if not completer.use_jedi:
        return complete()
    if not _can_import():
        completer.use_jedi = False
        return complete()
    with _jedi_turn.taken() as completer.use_jedi:
        if completer.use_jedi:
            _mend_jedi()
        return complete()


def load_jedi(shell: NamespaceShell) -> Iterator[None]:
    """Do step by step what the first completion has to wait for; nothing if jedi is not wanted.

    Each step is a part of a second, and takes jedi's turn; if that is another's, there is nothing to do.

    Thread: any, one after the other.
    """
    if not shell.make_completer().use_jedi or not _can_import():
        return
    for name in _BEFORE_JEDI:
        with _jedi_turn.taken() as is_ours:
            if not is_ours:
                return
            importlib.import_module(name)
        yield
    with _jedi_turn.taken() as is_ours:
        if is_ours:
            _mend_jedi()
    yield
    with _jedi_turn.taken() as is_ours:
        if is_ours:
            from jedi import Interpreter  # type: ignore[import-untyped]

            Interpreter("x", [{}]).complete()  # reads the descriptions of the built-in names


def _mend_jedi() -> None:
    do_without_damaged_files()
    remember_conditions()
    read_files_once()
    skip_other_names()


def _can_import() -> bool:
    """Whether jedi is there, or `sys.path` is fit to import it.

    What fails in the middle leaves modules half made; since Python 3.14 `sysconfig` for good.
    """
    path: object = sys.path
    return "jedi" in sys.modules or (type(path) is list and os.path.dirname(os.__file__) in path)


def history_with_numbers(
    shell: NamespaceShell, look_up: Callable[..., Message], *args: object, **fields: object
) -> Message:
    """What `look_up` finds. IPython says 0 for the current session's number. Thread: any."""
    known = {key: value for key, value in fields.items() if key in CONTENT["history_request"]}
    found = look_up(*args, **known)
    current = shell.history_manager.session_number
    found["history"] = [(session or current, *rest) for session, *rest in found["history"]]
    return found

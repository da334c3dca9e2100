"""Answers `ps_request`: what runs, told while a cell runs."""

from __future__ import annotations

from dataclasses import asdict

from ipykernel.ipkernel import IPythonKernel

from namespace_kernel.reports.activities import Activities

from .wire.request import Message, Replies, answer
from .wire.session import KernelSession


class ActivityRequests:
    """Tells tools what runs.

    Thread: control, so they are answered whatever runs.
    """

    def __init__(self, activities: Activities, session: KernelSession) -> None:
        self._activities = activities
        self._session = session

    def register(self, kernel: IPythonKernel) -> None:
        """Answer our own message."""
        answer(kernel, kernel.control_handlers, ps_request=self.tell)

    async def tell(self, replies: Replies, idents: list[bytes], message: Message) -> None:
        """Reply with a list of what runs."""
        listed = [asdict(activity) for activity in self._activities.all()]
        self._session.send(replies, "ps_reply", {"status": "ok", "activities": listed}, message, idents)

"""Answers `ps_request` and the like: what runs, told while a cell runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from namespace_kernel.reports.activities import Activities


class ActivityHandlers:
    """Mixed into the kernel."""

    activities: Activities
    session: Any

    async def ps_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Answer a `ps_request` with a list of what runs; our own message, for tools.

        Thread: control, so it is answered whatever runs.
        """
        listed = [asdict(activity) for activity in self.activities.all()]
        self.session.send(stream, "ps_reply", {"status": "ok", "activities": listed}, parent, ident)

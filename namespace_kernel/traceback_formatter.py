"""IPython's formatter of tracebacks, without what it keeps alive."""

from __future__ import annotations

from typing import Any

from IPython.core.ultratb import AutoFormattedTB


class LettingGoTB(AutoFormattedTB):
    """IPython's formatter; what was formatted does not keep the frames alive.

    A frame's description and its lines refer to each other. Without this the frames, and through them all
    of the callers' variables, would live until the garbage collector comes by.
    """

    def format_record(self, frame_info: Any) -> str:
        """Overridden to let go of what was computed for it."""
        try:
            return str(super().format_record(frame_info))
        finally:
            if frame_info._sd is not None:
                vars(frame_info._sd).pop("lines", None)

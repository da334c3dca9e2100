"""Tracebacks without the kernel's own frames."""

from __future__ import annotations

from types import TracebackType

_PACKAGE = __name__.partition(".")[0]


def without_own_frames(trace: TracebackType | None, *, also_last: bool = False) -> TracebackType | None:
    """Return `trace` without the frames of this package, as IPython leaves out its own.

    The last one stays, unless `also_last`: an error that is raised here is our business. Changes the
    chain in place, so `%debug` and the exception itself see the same.
    """
    kept: TracebackType | None = None
    first: TracebackType | None = None
    while trace is not None:
        following = trace.tb_next
        own = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == _PACKAGE
        if not own or (following is None and not also_last):
            if kept is None:
                first = trace
            else:
                kept.tb_next = trace
            kept = trace
        trace = following
    if kept is not None:
        kept.tb_next = None
    return first

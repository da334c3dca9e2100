"""What is done ahead while nothing runs: what the first traceback and the first Tab need is loaded.

That takes 30 ms for the one, and for the other, for which jedi is loaded, a fifth of a second, and a whole
one on a busy machine. JupyterLab shows nothing for a completion that takes longer.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from namespace_kernel.base.originals import keep_running
from namespace_kernel.base.threads import HiddenThread, Timers
from namespace_kernel.kernel.wire.request import Request

from .haste import Haste
from .lanes import Lane

_log = logging.getLogger("namespace_kernel")

#: Seconds for which the lane must have been idle.
_MOMENT = 0.5

_haste = Haste()


class WarmUp:
    """Takes `steps` when `lane` has been idle for a moment after its first cell; none while a cell runs.

    Only for somebody who may be asked for input: whoever runs notebooks without people (nbclient) asks for no
    completions. A cell that comes in the midst of a step runs beside the rest of it, with short turns. The
    next step waits for a moment again.

    Thread: `cell_ended` main; the rest that of the timers, and one of its own for each series of steps.
    """

    def __init__(self, lane: Lane, timers: Timers, steps: Iterator[None]) -> None:
        self._lane = lane
        self._timers = timers
        self._steps = steps
        self._begun = False
        self._served = 0

    def cell_ended(self, request: Request) -> None:
        """The cell of `request` is over."""
        if not self._begun and request.message["content"].get("allow_stdin"):
            self._begun = True
            self._look_later()

    def _look_later(self) -> None:
        self._served = self._lane.served
        self._timers.call_later(_MOMENT, self._look)

    def _is_calm(self) -> bool:
        """Whether no cell has come since this began to wait."""
        return self._lane.is_idle and self._lane.served == self._served

    def _look(self) -> None:
        if not self._is_calm():
            self._look_later()
            return
        work = (self._work, _log)
        HiddenThread(target=keep_running, args=work, name="Warm-up", daemon=True).start()

    def _work(self) -> None:
        while self._is_calm():
            try:
                with _haste:
                    next(self._steps)
            except StopIteration:
                return
            except Exception:
                _log.debug("the first traceback or completion is not prepared", exc_info=True)
                return
        self._look_later()

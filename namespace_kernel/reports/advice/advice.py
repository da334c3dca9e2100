"""The line at the end of a traceback: what to do, built from the code that failed.

Each kind of mistake is a function that returns its line, or `None` if it is another one. It knows the
mistake by the error's class and words, and by the syntax tree of the expression that failed. Where it cannot
be certain it says nothing: advice that fails when followed is worse than none.
"""

from __future__ import annotations

import linecache
import logging
from collections.abc import Callable

from namespace_kernel.base.cell import Route
from namespace_kernel.base.execution import current_execution
from namespace_kernel.base.lines import Lines, ToldCalls
from namespace_kernel.base.words import words_of

from .coroutine_values import coroutine_as_value, task_as_value
from .loops import cancelled, loop_runs, no_loop, other_loop, other_thread, waits_for_itself
from .mistake import Mistake
from .protocols import (
    awaited_twice,
    called_too_early,
    function_for_coroutine,
    wrong_await,
    wrong_for,
    wrong_with,
)
from .step import steps_of
from .syntax import wrong_syntax

_log = logging.getLogger("namespace_kernel")

#: Those that are the most certain first.
_KINDS: tuple[Callable[[Mistake], str | None], ...] = (
    wrong_await,
    wrong_for,
    wrong_with,
    function_for_coroutine,
    called_too_early,
    awaited_twice,
    coroutine_as_value,
    task_as_value,
    loop_runs,
    other_loop,
    no_loop,
    other_thread,
    waits_for_itself,
    cancelled,
)


def advice_on(error: BaseException, lines: Lines, loop: object = None) -> str | None:
    """What to do about `error`, in one line; `loop` is the kernel's. Never raises.

    Thread: any, in the context of the cell that the error belongs to.
    """
    try:
        if isinstance(error, SyntaxError):
            return wrong_syntax(error, "".join(linecache.getlines(error.filename or "")))
        execution = current_execution.get()
        route: Route | None = None if execution is None else execution.route
        steps = steps_of(error.__traceback__, lines)
        mistake = Mistake(error, words_of(error), lines, route, loop, steps)
        line = next((line for kind in _KINDS if (line := kind(mistake))), None)
        if execution is not None:
            for step in steps:
                if line is not None and step.node is not None:
                    mistake.tell(step.code, step.node, step)
                for other in step.unused:
                    mistake.tell(step.code, other, step)
            execution.keep(ToldCalls()).update(mistake.told)
        return line
    except Exception:  # whatever a library's objects answer: the traceback is shown all the same
        _log.debug("no advice on %s", type(error).__name__, exc_info=True)
        return None

"""What blocks the user loop: the user's line, what to write in its place, and whether it can ever end."""

from __future__ import annotations

import ast
import inspect
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from itertools import islice
from types import FrameType, FunctionType
from typing import Any, NamedTuple

from namespace_kernel.base.execution import Execution
from namespace_kernel.base.lines import Lines
from namespace_kernel.base.started import CALLBACK
from namespace_kernel.base.threads import FREE_THREADED

from .advice.code import Code
from .advice.step import Step, last_name

_RESULT = Future.result.__code__
_SUBMITTING = "run_coroutine_threadsafe"
_BESIDE = "or remove `await`: cells without it run beside your tasks"


class Blocked(NamedTuple):
    """Where the loop is blocked, by `innermost` and what called it."""

    innermost: FrameType
    lines: Lines

    def frame(self) -> FrameType | None:
        """The user's line: a cell's, if one is there. Not the `def` of what it has just called."""
        users = list(self._users())
        cells = [frame for frame in users if self.lines.is_cell_file(frame.f_code.co_filename)]
        for frame in cells or users:
            code = frame.f_code
            if frame.f_lineno != code.co_firstlineno or code.co_name == "<module>" or frame is users[-1]:
                return frame
        return None

    def _users(self) -> Iterator[FrameType]:
        frame: FrameType | None = self.innermost
        while frame is not None and frame.f_code is not CALLBACK:
            if self.lines.is_users_file(frame.f_code.co_filename):
                yield frame
            frame = frame.f_back

    def remedy(self, execution: Execution) -> str:
        """What to write in its place; "" if that is not known."""
        own = execution.own_task is not None and not execution.finished
        frame = next((one for one in self._users() if self._may_await(one, own)), None)
        if frame is None:  # a callback
            name = [one.f_code.co_name for one in self._users()][-1]
            name = name if name.isidentifier() else "..."
            return f"let a thread do it: `loop.run_in_executor(None, {name})`"
        step = step_at(frame)
        use = f"use `{_awaiting(step, step.node)}`"
        return f"{use}, {_BESIDE}" if own and frame.f_code.co_name == "<module>" else use

    def _may_await(self, frame: FrameType, own: bool) -> bool:
        """Whether `await` may be written there. IPython compiles a cell's statements one by one."""
        code = frame.f_code
        top = own and code.co_name == "<module>" and self.lines.is_cell_file(code.co_filename)
        return top or bool(code.co_flags & inspect.CO_COROUTINE)

    def waits_for_itself(self, ready: Iterable[Any]) -> Step | None:
        """Where the result of `run_coroutine_threadsafe` is waited for in the loop's own thread, without a
        timeout; `ready` are the loop's handles.
        """
        frame: FrameType | None = None if FREE_THREADED else self.innermost
        while frame is not None and frame.f_code is not _RESULT:
            frame = frame.f_back
        if frame is None:
            return None
        future = frame.f_locals.get("self")
        if frame.f_locals.get("timeout") is not None:
            return None
        if not any(_makes(handle, future) for handle in list(ready)):
            return None
        users = next(self._users(), None)
        return None if users is None else step_at(users)


def step_at(frame: FrameType) -> Step:
    """What `frame` executes."""
    code = Code(frame.f_code.co_filename)
    place = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), (None,) * 4)
    return Step(frame, code, code.at(place))


def awaited_instead(step: Step) -> str:
    """What to write where the result of `run_coroutine_threadsafe` is waited for."""
    for node in ast.walk(step.statement or ast.Pass()):
        if isinstance(node, ast.Call) and last_name(node) == _SUBMITTING and node.args:
            return f"await {step.code.text(node.args[0])}"
    if isinstance(step.node, ast.Call) and isinstance(step.node.func, ast.Attribute):
        return f"await asyncio.wrap_future({step.code.text(step.node.func.value)})"
    return "await"


def _makes(handle: Any, future: object) -> bool:
    """Whether the loop's `handle` is to run the coroutine that `future` waits for."""
    callback = getattr(handle, "_callback", None)
    if type(callback) is not FunctionType or not callback.__qualname__.startswith(_SUBMITTING):
        return False
    return any(cell.cell_contents is future for cell in callback.__closure__ or ())


def _awaiting(step: Step, node: ast.AST | None) -> str:
    if not isinstance(node, ast.Call):
        return "await asyncio.to_thread(...)"
    arguments = [step.code.text(one) for one in node.args]
    arguments += [f"{one.arg}={step.code.text(one.value)}" for one in node.keywords if one.arg]
    if step.value_of(node.func) is time.sleep and arguments:
        return f"await asyncio.sleep({arguments[0]})"
    whole = ", ".join([step.code.text(node.func), *arguments])
    plain = len(whole) < 60 and not any(isinstance(one, ast.Await) for one in ast.walk(node))
    return f"await asyncio.to_thread({whole if plain else '...'})"

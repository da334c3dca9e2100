"""One cell in this process: from the request to the report."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import signal
import sys
import types
import warnings
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any, TypeVar

from IPython.core.async_helpers import _pseudo_sync_runner

from namespace_kernel.base.asyncio_tasks import coroutine_of, is_inside
from namespace_kernel.base.words import words_of
from namespace_kernel.execution.engine import end_child
from namespace_kernel.ipython.source_lines import is_installed
from namespace_kernel.ipython.tracebacks.own_libraries import OwnLibraries
from namespace_kernel.ipython.tracebacks.tracebacks import from_users_line
from namespace_kernel.namespace.assignments import by_products
from namespace_kernel.remote.memory.shelf import Maps
from namespace_kernel.remote.transfer.messages import (
    VALUE,
    CellRequest,
    Event,
    Failure,
    Filter,
    Printed,
    Report,
    Surroundings,
)
from namespace_kernel.remote.transfer.packing import Piece

from .changes import Copy
from .shell import RemoteShell

T = TypeVar("T")

#: When the files of the user's modules were changed last, by module.
_seen: dict[str, float] = {}
#: Installed modules, which nobody edits.
_others: dict[str, object] = {}


def run_cell(
    request: CellRequest, pieces: Iterable[Piece], emit: Callable[[Event], None], maps: Maps
) -> Report:
    """Run the cell on a copy of the namespace made of `pieces`; say by `emit` what it prints and displays.

    `maps` has the memory that this process shares with others.

    Raises `KeyboardInterrupt` if Stop comes while no line of the cell executes.

    Thread: the main one of a process of its own; one cell at a time.
    """
    shell = RemoteShell.instance() if RemoteShell.initialized() else RemoteShell.start()
    if request.surroundings is not None:
        _move_to(request.surroundings)
    _forget_changed_modules(_seen)
    module = types.ModuleType("__main__")
    shell.begin(request, module, emit)
    _import(request.modules)
    copy = Copy(pieces, module.__dict__, maps)
    if copy.refused:
        shell.leave_out(copy.refused)
    try:
        with _warnings_of_cell(request.filters):
            result = _execute(shell)
        return _report_of(shell, copy, result)
    finally:
        _note_modules(_seen)
        shell.displayhook.exec_result = None
        shell.last_execution_result = None


def _report_of(shell: RemoteShell, copy: Copy, result: Any) -> Report:
    """What the kernel is told of the cell that has ended with `result`."""
    changes = copy.changes()
    error = result.error_before_exec or result.error_in_exec
    if error is None and shell.shown:  # one of its representations failed
        shell.emit(Printed("stderr", "\n".join(shell.shown) + "\n"))
    report = Report(exit_code=shell.exit_code, spoilt=changes.spoilt)
    if error is not None:
        return replace(report, failure=_failure(shell, copy, error))
    results = dict(changes.results)
    if result.result is not None:
        results[VALUE] = result.result
    try:
        packed, stayed = copy.pack_results(
            results, by_products(shell.request.source), shell.request.result_limit
        )
    except Exception as problem:
        lines = (f"{type(problem).__name__}: {words_of(problem)}",)
        failure = Failure(type(problem).__name__, words_of(problem), lines, copy.pack_error(problem))
        return replace(report, failure=failure)
    return replace(
        report,
        results=packed,
        deleted=changes.deleted,
        overwritten=changes.overwritten,
        stayed=stayed,
    )


def _execute(shell: RemoteShell) -> Any:
    request, result, pid = shell.request, None, os.getpid()
    running = shell.run_cell_async(request.source, transformed_cell=request.source)
    try:
        result = _in_loop(running) if request.in_loop else _pseudo_sync_runner(running)
    finally:
        if os.getpid() != pid:  # a child that the cell has forked is no second worker
            _end_child(None if result is None else result.error_before_exec or result.error_in_exec)
        shell.events.trigger("post_execute")
        shell.events.trigger("post_run_cell", result)
    return result


def _end_child(error: BaseException | None) -> None:
    if error is not None:
        error.__traceback__ = from_users_line(error.__traceback__, lambda name: not is_installed(name))
    end_child(error)


def _in_loop(running: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run(running)`, but Stop also ends a line that blocks; asyncio would wait for the loop."""

    async def run() -> T:
        task = asyncio.current_task()
        assert task is not None

        def stop(signum: int, frame: FrameType | None) -> None:
            current = asyncio.current_task(task.get_loop())
            if current is not None and is_inside(frame, coroutine_of(current)):
                raise KeyboardInterrupt
            task.get_loop().call_soon_threadsafe(task.cancel)

        previous = signal.signal(signal.SIGINT, stop)
        try:
            return await running
        finally:
            signal.signal(signal.SIGINT, previous)

    return asyncio.run(run())


def _failure(shell: RemoteShell, copy: Copy, error: BaseException) -> Failure:
    error = shell.as_interrupt(error)
    return Failure(type(error).__name__, words_of(error), shell.shown, copy.pack_error(error))


@contextmanager
def _warnings_of_cell(filters: Iterable[Filter] | None) -> Iterator[None]:
    """Let the kernel's filters be in force, and end what a cell does to them with it.

    Where nothing changes nothing is done: modules would forget what they have warned of.
    """
    module: Any = warnings
    before, shown_by = list(module.filters), (module.showwarning, module._showwarnmsg_impl)
    if filters is not None:
        _set_filters(_filters(filters))
    try:
        yield
    finally:
        if filters is None:  # else the next cell brings its own
            _set_filters(before)
        module.showwarning, module._showwarnmsg_impl = shown_by


def _set_filters(filters: Sequence[object]) -> None:
    module: Any = warnings
    if module.filters != filters:
        module.filters[:] = filters
        module._filters_mutated()


def _filters(filters: Iterable[Filter]) -> Sequence[object]:
    """The filters of `warnings` whose categories exist here; a module brings its own when it is imported."""
    found = []
    for action, message, (module, name), where, line in filters:
        category = getattr(sys.modules.get(module), name, None)
        if isinstance(category, type):
            found.append((action, message, category, where, line))
    return found


def _note_modules(seen: dict[str, float]) -> None:
    """Remember when the files of the user's modules were changed."""
    for name, when in _own_modules().items():
        seen.setdefault(name, when)


def _forget_changed_modules(seen: dict[str, float]) -> None:
    """Drop the user's own modules if a file of theirs has changed since it was imported.

    All of them, for one may have imported from another. No value of an earlier cell is left that needs them.
    """
    if any(seen.get(name, when) != when for name, when in _own_modules().items()):
        for name in seen:
            sys.modules.pop(name, None)
        seen.clear()
        importlib.invalidate_caches()


def _own_modules() -> dict[str, float]:
    """When the files of the user's modules were changed, by module."""
    found = {}
    for name, module in list(sys.modules.items()):
        if _others.get(name) is module:  # nearly all: to look at each takes a millisecond of each cell
            continue
        file = getattr(module, "__file__", None)
        if not isinstance(file, str):
            continue
        if is_installed(file):
            _others[name] = module
        else:
            with contextlib.suppress(OSError):
                found[name] = os.stat(file).st_mtime
    return found


def _import(modules: Iterable[str]) -> None:
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception:
            continue  # whoever needs it gets the error, in a line of the cell


def _move_to(there: Surroundings) -> None:
    """Stand where the kernel stands."""
    if os.getcwd() != there.directory:
        os.chdir(there.directory)
    if sys.path != list(there.path):
        OwnLibraries.install()
        sys.path[:] = there.path
    if dict(os.environ) != there.environment:
        for name in os.environ.keys() - there.environment.keys():
            del os.environ[name]
        os.environ.update(there.environment)

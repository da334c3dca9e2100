"""The kernel's side of a cell that runs elsewhere: what is sent, how it is shown, what becomes of it."""

from __future__ import annotations

import ast
import linecache
import os
import re
import sys
import warnings
from collections.abc import Iterable, Set
from typing import Any

from namespace_kernel.base.cell import Cell, Namespace, Route
from namespace_kernel.base.errors import ElsewhereError, RemoteError, ResultError
from namespace_kernel.base.words import words_of
from namespace_kernel.namespace.reserved_names import CALLABLE_NAMES, MODULE_NAMES
from namespace_kernel.remote.transfer.messages import (
    VALUE,
    CellRequest,
    Cleared,
    Displayed,
    Event,
    Failure,
    Filter,
    Printed,
    Report,
    Surroundings,
)
from namespace_kernel.remote.transfer.packing import new_arrival, unpack
from namespace_kernel.remote.transfer.parcel import Parcel, make_parcel
from namespace_kernel.routing.analysis import awaits, uses_running_loop

from .executor import ElsewhereCall

#: What the other side has of its own.
_NEVER = MODULE_NAMES | frozenset(CALLABLE_NAMES)
_MIB = 2**20
#: How Python says that a name does not exist, and how a traceback shows it, in colours or without.
_WORDS = re.compile(r"\Aname '(\w+)' is not defined\Z")
_SHOWN = re.compile(
    r"NameError(?:\x1b\[[\d;]*m)*: name '(\w+)' is not defined(?=(?:\x1b\[[\d;]*m)*$)", re.MULTILINE
)


class RemoteTraceback(Exception):
    """The cause of an error from elsewhere: the traceback that it had there."""

    def __init__(self, lines: Iterable[str]) -> None:
        super().__init__("\n" + "\n".join(lines))


class ElsewhereCell:
    """One cell that runs elsewhere, as IPython's machinery here sees it.

    `namespace` is the copy that the store has opened for it: it receives what the cell changed, after all has
    arrived, and nothing if the cell fails.

    Thread: the cell's.
    """

    def __init__(
        self, shell: Any, call: ElsewhereCall, cell: Cell, route: Route, namespace: Namespace, limit: int
    ) -> None:
        self.source = route.source
        #: The lines to show for the error that `run` raised.
        self.lines: tuple[str, ...] = ()
        self._shell = shell
        self._call = call
        self._cell = cell
        self._route = route
        self._namespace = namespace
        self._limit = limit
        self._sent: Set[str] = frozenset()

    def run(self, nodes: list[ast.stmt], filename: str, interactivity: str) -> None:
        """Run the cell, whose top-level statements are `nodes`. Raises what it raised."""
        shell = self._shell
        with shell.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT):
            code = shell.compile(ast.Module(nodes, []), filename, "exec")
        send = [name for name in self._route.options.get("send", "").split(",") if name]
        unknown = [name for name in send if name not in self._namespace]
        if unknown:
            raise ElsewhereError(f"`--send` names what does not exist: {', '.join(unknown)}")
        parcel = make_parcel(
            code,
            self._namespace,
            shell.user_ns,
            send=send,
            leave_out=[name for name in self._route.options.get("not", "").split(",") if name],
            never=_NEVER,
            share=self._call.site.share,
        )
        if self._cell.background:
            parcel = parcel.copied()  # the next cell may change its arrays while they are being sent
        self._call.packed()
        self._sent = parcel.names
        request = self._request(parcel, filename, interactivity)
        report = self._call.run(request, parcel.pieces, self._show)
        del parcel
        self._accept(report)

    def show_error(self, error: BaseException) -> None:
        """Show what `run` raised, as if it had been raised here. Its frames here are nobody's business."""
        shell = self._shell
        error.__traceback__ = None
        shell._get_exc_info((type(error), error, None))
        shell._showtraceback(type(error), error, list(self.lines or _words(error)))

    def _request(self, parcel: Parcel, filename: str, interactivity: str) -> CellRequest:
        shell, site = self._shell, self._call.site
        names = shell.compile._filename_map
        files = {
            name: (names[name], "".join(linecache.getlines(name))) for name in parcel.files if name in names
        }
        here = Surroundings(os.getcwd(), tuple(sys.path), dict(os.environ)) if site.is_here else None
        return CellRequest(
            self.source,
            filename,
            self._cell.number,
            flags=shell.compile.flags,
            in_loop=awaits(self.source) or uses_running_loop(self.source, self._namespace.get),
            files=files,
            modules=parcel.modules,
            left_out=parcel.left_out,
            settings={
                "interactivity": interactivity,
                "colors": shell.colors,
                "xmode": shell.InteractiveTB.mode,
            },
            filters=tuple(_portable(one) for one in warnings.filters),
            surroundings=here,
            result_limit=self._limit * _MIB,
            place=site.place,
            options=self._route.options,
        )

    def _show(self, event: Event) -> None:
        shell = self._shell
        if isinstance(event, Printed):
            (sys.stdout if event.stream == "stdout" else sys.stderr).write(event.text)
        elif isinstance(event, Cleared):
            shell.display_pub.clear_output(event.wait)
        elif event.is_result:
            shell.displayhook.show(event.data, event.metadata)
        else:
            _publish(shell, event)

    def _accept(self, report: Report) -> None:
        shell = self._shell
        if report.exit_code is not None:
            shell.namespace.set_exit_code(report.exit_code)
        if report.failure is not None:
            self.lines = tuple(_SHOWN.sub(self._with_reason, line) for line in report.failure.lines)
            raise self._error_of(report.failure)
        values: Namespace = {}
        if report.results is not None:
            try:
                values = unpack(report.results, new_arrival(shell.user_ns, self._call.site.map))
            except Exception as error:
                raise ResultError(
                    f"what the cell made cannot be rebuilt here ({type(error).__name__}: {words_of(error)}). "
                    "Nothing was merged"
                ) from None
        if report.kept:
            values |= report.kept
            self._call.kept, self._call.kept_size = frozenset(report.kept), report.kept_size
        if VALUE in values:
            shell.displayhook.keep(values.pop(VALUE))
        self._call.stayed = report.stayed
        self._namespace |= values
        for name in report.deleted:
            self._namespace.pop(name, None)
        for name in report.overwritten:  # so that the store sees that the cell tried to
            self._namespace[name] = None

    def _error_of(self, failure: Failure) -> BaseException:
        error: BaseException | None = None
        if failure.error is not None:
            try:
                error = unpack(failure.error, new_arrival(self._shell.user_ns, self._call.site.map))[VALUE]
            except Exception:
                error = None
        if not isinstance(error, BaseException):
            error = type(failure.name, (RemoteError,), {"__module__": "__main__"})(failure.text)
        if type(error) is NameError:
            error.args = (_WORDS.sub(self._with_reason, failure.text),)
        error.__cause__ = RemoteTraceback(self.lines)
        return error

    def _with_reason(self, found: re.Match[str]) -> str:
        """What was said of a name that is not there; and why, if it exists here.

        It is asked here: to send the names that exist with each cell would take as long as there are many.
        """
        name = found[1]
        if name not in self._namespace or name in self._sent:
            return found[0]
        why = f"the cell's code does not show that it is read; add `--send {name}`"
        return f"{found[0]} in {self._call.site.place}: {why}"


def _publish(shell: Any, event: Displayed) -> None:
    shell.display_pub.publish(
        event.data, event.metadata, transient=event.transient or {}, update=event.update
    )


def _words(error: BaseException) -> list[str]:
    words = words_of(error)
    return [f"{type(error).__name__}: {words}" if words else type(error).__name__]


def _portable(entry: Any) -> Filter:
    """A filter of `warnings` whose category is named, not referred to: it may not exist there."""
    action, message, category, module, line = entry
    return action, message, (category.__module__, category.__qualname__), module, line

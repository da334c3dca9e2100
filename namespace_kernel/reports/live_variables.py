"""Tables of variables that follow the namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from namespace_kernel.base.execution import Execution
from namespace_kernel.execution.hooks import Settling
from namespace_kernel.namespace.reserved_names import MISSING

if TYPE_CHECKING:
    from .variables import Table
import atexit
import logging
import threading
import time
import uuid
from dataclasses import dataclass

from namespace_kernel.base.execution import current_execution
from namespace_kernel.base.threads import Condition, HiddenThread
from namespace_kernel.namespace.reserved_names import is_engine_name

_log = logging.getLogger("namespace_kernel")


#: Seconds between two looks at the namespace; and they take at most this share of the time.
_INTERVAL, _SHARE = 0.5, 0.02


#: In a notebook that is read later the table is of a kernel that is gone.
_BEGAN = time.strftime("%d %b at %H:%M")
_LIVE = f"live, until %namespace --stop or the end of the kernel that began on {_BEGAN}"


_STOPPED = "no longer live"


@dataclass(slots=True, eq=False)
class LiveTable:
    """One table that is kept up to date.

    `parent` is the request whose cell displayed it, `execution` that cell's. `shown` is what was sent last.
    """

    display_id: str
    parent: dict[str, Any]
    execution: Execution | None
    patterns: tuple[str, ...]
    everything: bool
    shown: Table

    def is_replaced_by(self, execution: Execution | None) -> bool:
        """Whether that is a later execution of the same cell of the notebook."""
        if self.execution is None or execution is None or self.execution is execution:
            return False
        cell_id = self.execution.cell.cell_id
        return cell_id is not None and cell_id == execution.cell.cell_id


class LiveTables:
    """Sends a new table when something has changed: after a cell, and twice a second in between.

    Guarantees:
    - Building a table runs no code of the user's, and the cell's thread and the protocol's do nothing for it
      while a cell runs: a thread of its own looks, for as long as there are live tables.
    - What a frontend does with an update is its business: one for an output that is gone is ignored there.

    Limitations:
    - That thread may be the one that drops the last reference to a value, as the garbage collector may.

    Thread: any. The lock that guards the list and orders the updates is the namespace's, so that code which
    runs while that is held, a `__del__`, can wait for nothing here.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._tables: list[LiveTable] = []
        self._lock = Condition(shell.namespace.lock)
        self._thread: threading.Thread | None = None

    def build(self, patterns: tuple[str, ...], everything: bool) -> Table:
        """The table of this moment."""
        from .variables import build_table  # a start is 2 ms shorter without it and `table_text`

        namespace, hidden = self._shell.namespace, self._shell.user_ns_hidden

        def is_engine(name: str, value: Any) -> bool:
            return is_engine_name(name) or hidden.get(name, MISSING) is value

        return build_table(namespace.live, namespace.writers(), is_engine, patterns, everything)

    def start(self, patterns: tuple[str, ...], everything: bool) -> None:
        """Display a table under the running cell and keep it up to date."""
        parent, execution = self._shell.get_parent(), current_execution.get()
        table = self.build(patterns, everything)
        live = LiveTable(f"namespace-{uuid.uuid4()}", parent, execution, patterns, everything, table)
        transient = {"display_id": live.display_id}
        self._shell.display_pub.publish(_bundle_of(table, _LIVE), transient=transient)
        with self._lock:
            self._tables.append(live)
            if self._thread is None:
                self._thread = HiddenThread(target=self._watch, name="Live namespace", daemon=True)
                self._thread.start()
                atexit.register(self._end)

    def stop(self) -> int:
        """End all; say so in them, and return how many there were."""
        with self._lock:
            stopped, self._tables = self._tables, []
            self._lock.notify()
            for live in stopped:
                self._send(live, self.build(live.patterns, live.everything), _STOPPED)
            return len(stopped)

    def after_cell(self, settling: Settling) -> None:
        """Post-cell hook: what the cell wrote is in the live tables before it is done."""
        execution = settling.execution
        with self._lock:
            self._tables = [live for live in self._tables if not live.is_replaced_by(execution)]
            self._update()

    def _update(self) -> None:
        for live in self._tables:
            table = self.build(live.patterns, live.everything)
            if table != live.shown:
                self._send(live, table, _LIVE)
                live.shown = table

    def _send(self, live: LiveTable, table: Table, note: str) -> None:
        """Not by the display publisher: its hooks are the user's, and a capture is another cell's."""
        kernel = self._shell.kernel
        content = {
            "data": _bundle_of(table, note),
            "metadata": {},
            "transient": {"display_id": live.display_id},
        }
        topic = kernel._topic("display_data")
        kernel.session.send(
            kernel.iopub_socket, "update_display_data", content, parent=live.parent, ident=topic
        )

    def _watch(self) -> None:
        pause = _INTERVAL
        while True:
            with self._lock:
                self._lock.wait(pause)
                if not self._tables:
                    self._thread = None
                    return
                began = time.monotonic()
                try:
                    self._update()
                except Exception:
                    _log.debug("a live table could not be updated", exc_info=True)
                pause = max(_INTERVAL, (time.monotonic() - began) / _SHARE)

    def _end(self) -> None:
        """Nothing is sent once the process ends."""
        with self._lock:
            self._tables = []
            self._lock.notify()


def _bundle_of(table: Table, note: str = "") -> dict[str, str]:
    from .variables_text import bundle_of

    return bundle_of(table, note)

"""IPython's history, written to its database in batches.

IPython wakes a thread for each cell, which commits to SQLite. Here one commit serves all cells of a
fifth of a second. The waking happens on another thread than the cells', for a Stop in the midst of it
would leave its lock locked for good.

The database is opened when it is used, as a rule by the thread that writes the first cell. IPython opens it
and begins a session while the kernel starts, which is a twentieth of the time of a start.
"""

from __future__ import annotations

import contextvars
import importlib.util
import logging
import weakref
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias

from IPython.core.history import HistoryAccessor, HistoryManager, HistorySavingThread
from traitlets import default

from namespace_kernel.base.originals import monotonic, shield
from namespace_kernel.base.threads import Event, HiddenThread, Lock, RLock, leave_debugger
from namespace_kernel.base.words import tell

if TYPE_CHECKING:
    import sqlite3

#: A cell's, as it is written.
Line: TypeAlias = tuple[object, ...]

_log = logging.getLogger("namespace_kernel")

#: Seconds after which a cell's input is in the database.
_DELAY = 0.2
#: More inputs than a batch ever has; IPython writes by itself when there are so many.
_NEVER = 1_000_000


class BatchedHistory(HistoryManager):
    """`later` calls a function after some seconds, on a thread that runs no user code."""

    def __init__(self, later: Callable[[float, Callable[[], None]], None], **options: Any) -> None:
        """Overridden to do what super does, but for opening the database and starting the thread."""
        # Held by who opens the database or writes to it: of two transactions over one connection the one that
        # ends first ends the other, whose own end fails then.
        self._changing = RLock()
        self._starting = RLock()
        self._constructed = False
        # IPython lets a finalizer close the database. At the process's end finalizers have their turn where
        # the first was made, in reverse: not later than the shell's own end, which writes.
        weakref.finalize(self, int)
        HistoryAccessor.__init__(self, **options)
        self._constructed = True
        self.db_input_cache_lock = Lock()
        self.db_output_cache_lock = Lock()
        self.using_thread = bool(self.enabled) and self.hist_file != ":memory:"
        self._instances.add(self)
        self._later = later
        self._due = 0.0
        self._order = RLock()
        if self.db_cache_size == 0:
            self.db_cache_size = _NEVER

    # Opening

    @default("enabled")
    def _is_there_a_database(self) -> bool:
        return importlib.util.find_spec("_sqlite3") is not None  # super imports it

    def init_db(self) -> None:
        """Overridden: not from the constructor."""
        if self._constructed:
            super().init_db()

    @default("db")
    def _open(self) -> object:
        with self._changing:
            if "db" not in self._trait_values:
                try:
                    import sqlite3  # noqa: F401
                except ImportError:  # its library is not there
                    self.enabled = False
                self.init_db()
            return self._trait_values["db"]

    @default("session_number")
    def _begin_session(self) -> int:
        with self._changing:
            self._open()  # if there is nothing to open, it is not enabled any more
            if self.enabled and not self._has_session:
                import sqlite3

                try:
                    self.new_session()
                except sqlite3.OperationalError:
                    self.log.error(
                        "Failed to create history session in %s. History will not be saved.",
                        self.hist_file,
                        exc_info=True,
                    )
                    self._switch_to_memory_history()
            return int(self._trait_values.get("session_number", 0))

    @property
    def is_in_a_file(self) -> bool:
        """Whether what is run outlives the kernel. Begins the session, to find out."""
        return bool(self.session_number) and self.hist_file != ":memory:"

    @property
    def _has_session(self) -> bool:
        return "session_number" in self._trait_values

    def new_session(self, conn: sqlite3.Connection | None = None) -> None:
        """Overridden to hold the lock."""
        with self._changing:
            super().new_session(conn)

    def name_session(self, name: str) -> None:
        """Overridden to hold the lock."""
        with self._changing:
            super().name_session(name)

    def end_session(self) -> None:
        """Overridden: what the thread is writing is written then, and nobody else writes meanwhile. A session
        that has neither begun nor anything to write needs no end.
        """
        self._stop_save_thread()
        with self._changing:
            if self._has_session or self.db_input_cache or self.db_output_cache:
                super().end_session()

    def close(self) -> None:
        """Overridden not to open it for that, and not to start the thread again."""
        with self._starting:
            self.using_thread = False
        if "db" in self._trait_values:
            super().close()
        else:
            self._stop_save_thread()

    def _restart_thread_if_stopped(self) -> None:
        """Overridden for our thread; one that could not open the database has ended."""
        with self._starting:
            is_there = self.save_thread is not None and self.save_thread.is_alive()
            if not is_there and self.using_thread:
                thread = _OpeningThread(self)
                # It is no thread of the cell that is written first, whose context the timer has.
                contextvars.Context().run(thread.start)
                self.save_thread = thread  # not before: one that has not started could not be waited for

    def _stop_save_thread(self) -> None:
        """Overridden to wait also for one that is just being started: Python does not survive that a thread
        opens the database while the process ends.
        """
        with self._starting:
            super()._stop_save_thread()

    # Writing

    def store_inputs(self, line_num: int, source: str, source_raw: str | None = None) -> None:
        """Overridden to write soon; and `In[n]` is cell `n`'s, though cells that overlap come late."""
        source = _one_text(source.strip("\n"))
        source_raw = source if source_raw is None else _one_text(source_raw.rstrip("\n"))
        with self._order:
            before = len(self.input_hist_raw)
            super().store_inputs(line_num, source, source_raw)
            if len(self.input_hist_raw) > before and before != line_num:
                for inputs in (self.input_hist_parsed, self.input_hist_raw):
                    text = inputs.pop()
                    inputs.extend("" for _ in range(len(inputs), line_num + 1))
                    inputs[line_num] = text
        # It hides all inputs from lists of variables, which leave out what begins with `_` in any case.
        self.shell.user_ns_hidden.pop(f"_i{line_num}", None)
        self._write_soon()

    def store_output(self, line_num: int) -> None:
        """Overridden to write soon."""
        super().store_output(line_num)
        if self.db_log_output:
            self._write_soon()

    def writeout_cache(self, conn: sqlite3.Connection | None = None) -> None:
        """Overridden to hold the locks for a moment only: a cell that ended while its predecessors were
        being committed waited for the disk, 20 ms and more.
        """
        if not self.enabled:
            return
        if conn is None:
            self._write_out(self.db)
        else:  # by the thread, which IPython lets end with the first failure
            shield(partial(self._write_out, conn), _tell_that_it_waits)

    def _write_out(self, connection: sqlite3.Connection) -> None:
        with self._changing:
            with self.db_input_cache_lock:
                inputs, self.db_input_cache = self.db_input_cache, []
            with self.db_output_cache_lock:
                outputs, self.db_output_cache = self.db_output_cache, []
            try:
                self._insert(connection, inputs, outputs)
            except BaseException:  # a Stop, if a cell asks for the history
                self.db_input_cache[:0] = inputs
                self.db_output_cache[:0] = outputs
                raise

    def _insert(
        self,
        connection: sqlite3.Connection,
        inputs: Iterable[Line],
        outputs: Iterable[Line],
    ) -> None:
        """Write all in one transaction; in a new session, if another program took this one's number."""
        import sqlite3  # as late as IPython does: not every Python has it

        for tries_left in (1, 0):
            number = self.session_number
            try:
                with connection:
                    for line in inputs:
                        connection.execute("INSERT INTO history VALUES (?, ?, ?, ?)", (number, *line))
                    for line in outputs:
                        connection.execute("INSERT INTO output_history VALUES (?, ?, ?)", (number, *line))
                connection.execute("PRAGMA shrink_memory")  # or it keeps up to two megabytes of the file
                return
            except sqlite3.IntegrityError:
                if tries_left:
                    self.new_session(connection)

    def _write_soon(self) -> None:
        # A time and not a flag: a Stop between the two lines would leave a flag set for good.
        now = monotonic()
        if self.using_thread and self.db_cache_size == _NEVER and now >= self._due:
            self._due = now + _DELAY
            self._later(_DELAY, self._write)

    def _write(self) -> None:
        if self.using_thread:
            self._restart_thread_if_stopped()
            flag = self.save_flag
            if flag is not None:
                flag.set()


def _tell_that_it_waits(error: BaseException, replaced: list[str]) -> None:
    tell(_log, logging.ERROR, "the history is not saved yet", error)


class _OpeningThread(HistorySavingThread, HiddenThread):
    """Opens the history's own connection before one for itself: a spoilt file is moved away first."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.save_flag = Event()  # a cell may have patched the one of `threading`

    def run(self) -> None:
        """Overridden: a second connection to a spoilt file would keep it from being moved away.

        If nothing can be saved, this thread ends at once. If nothing can be opened (the process has too many
        files), it ends, too, and the next cell's line starts another.
        """
        leave_debugger()
        shield(self._open_and_save, _tell_that_it_waits)

    def _open_and_save(self) -> None:
        history: Any = self.history_manager()
        if history is not None and not history.is_in_a_file:
            history.using_thread = False
        else:
            del history  # the thread does not keep it alive
            super().run()


@lru_cache(maxsize=128)
def _one_text(text: str) -> str:
    """The same object for equal texts: a cell that is run again and again is kept once."""
    return text


# `%config HistoryManager` finds it by the class's name.
BatchedHistory.__name__ = BatchedHistory.__qualname__ = HistoryManager.__name__

"""What was written to the streams and not yet sent: one list, so that what was written first arrives first.

The problem. `print` calls `write` for each text and for the end of the line, and Python may let another
thread write in between. What that thread writes must not stand in the midst of the line; nor may a line be
moved because somebody left it open: what a cell writes with `end=""` comes before what a thread adds to it.

The solution. A `print` that another thread comes into can be known: its thread stands inside `write`, for
C code, as `print` is, is not left elsewhere. So whoever writes after the open text of such a thread puts a
mark there. What the marked thread writes next, up to the end of its line, is moved to the open text when all
is sent. If the line is not there yet, its beginning waits for it; nobody has seen that `print` return.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from threading import get_ident
from typing import Any, TypeAlias

from namespace_kernel.base.execution import current_execution
from namespace_kernel.base.originals import monotonic
from namespace_kernel.base.threads import FREE_THREADED, RLock, frames_of_threads

#: Whose the texts are that follow: the parent, the stream and the thread's ident. A mark has the last alone.
Head: TypeAlias = tuple[Any, Any, int]
#: The same with one text.
Piece: TypeAlias = tuple[Any, Any, int, str]

#: So many frames above `write` may be its own, or those of an object whose text `print` asks for.
_DEPTH = 12
_NOTHING = (None,)
#: The `write` is ours, or that of a stream which passes on to ours (a Tee).
_CALLED_BY_PRINT = ("write", "__str__", "__repr__")


class StartedHeader(dict[str, Any]):
    """A parent's header, for a task or a thread: equal to that of its cell, and another object."""


class Written:
    """The text of both streams, until it is sent.

    Guarantees: text of one parent is sent in the order of writing, whatever the stream; lines of threads
    stay whole, and so does what was written before a flush though others write meanwhile.

    Thread: any.
    """

    #: Seconds between a `write` and the flush that comes by itself.
    interval = 0.2

    def __init__(self, thread: Any) -> None:
        self._thread = thread
        self._streams: list[Any] = []
        self._lock = RLock()
        #: Texts, and heads where they change: appending takes no lock.
        self.pieces: list[Any] = []
        #: Whose the last text is, and whose the first, if it has no head.
        self.parent: Any = None
        self.stream: Any = None
        self.ident = 0
        self._first: Head = (None, None, 0)
        #: How many of the pieces are heads and marks.
        self._heads = 0
        #: How many pieces have been taken out so far. Under the lock.
        self._taken = 0
        #: Whether a flush will come by itself.
        self.timer_runs = False
        self.flush_due = 0.0
        self._is_forked = False
        #: Whether nobody sends any more: what is written now is for the process's own output.
        self.ended = False

    def end(self) -> None:
        """Nobody sends any more, for the process is ending. Thread: any."""
        self.ended, self.stream = True, None

    def add_stream(self, stream: Any) -> None:
        """Let `stream` write here."""
        self._streams.append(stream)

    def add(self, parent: dict[str, Any], stream: Any, text: str, ident: int) -> None:
        """Append a text that is not the last one's thread's, stream's or parent's.

        After a mark, if it comes into a `print` of another thread.
        """
        if not FREE_THREADED:
            self._add(parent, stream, text, ident)
            return
        with self._lock:
            self._add(parent, stream, text, ident)
            self.ask_next(stream)

    def _add(self, parent: dict[str, Any], stream: Any, text: str, ident: int) -> None:
        execution = current_execution.get()
        if execution is not None:
            at_home = ident == execution.thread_ident or execution.own_task is not None
            execution.others_print = type(parent) is StartedHeader or not at_home
        mark = self._mark(ident)
        # Python changes threads at calls and loops, so here it does not.
        self.pieces += (*mark, (parent, stream, ident), text)
        self._heads += 2 if mark else 1
        self.parent, self.stream, self.ident = parent, stream, ident

    def ask_next(self, stream: Any) -> None:
        """See that the next text of `stream` comes through `add`."""
        if self.stream is stream:
            self.stream = None

    def _mark(self, ident: int) -> tuple[Head, ...]:
        """The mark that must stand before what thread `ident` writes now, if any.

        Between its last look at the list and the caller's next line no other thread writes. That look counts
        the pieces: the last text may be equal to an earlier one and the very same object, as ":" is.
        """
        pieces = self.pieces
        while True:
            last, end, taken = self.ident, pieces[-1:], self._taken
            count = len(pieces)
            if last == ident or not end:
                return ()
            mark = ((None, None, last),) if _is_open(end[0]) and self._prints(last) else ()
            # No function is called here, not even `len`.
            is_same = end[0] is (pieces[count - 1 :] or _NOTHING)[0] and not pieces[count:]
            if is_same and self.ident == last and self._taken == taken:
                return mark

    def _prints(self, ident: int) -> bool:
        """Whether that thread is perhaps in the midst of a `print`."""
        frame = frames_of_threads().get(ident)
        for _ in range(_DEPTH):
            if frame is None:
                return False
            if frame.f_code.co_name in _CALLED_BY_PRINT:
                return True
            frame = frame.f_back
        return False

    # When it is sent

    def look_after(self, string: str) -> None:
        """Let what has been written be flushed soon; in a forked child, where no timer runs, with each line.

        A time and not a flag, which a Stop in the wrong instant would leave set for good. The flag is
        set where no Stop can come.
        """
        if self._is_forked:
            if "\n" in string:
                self.flush()
            return
        now = monotonic()
        if now >= self.flush_due:
            self.flush_due = now + self.interval
            self._thread.schedule(self._flush_later)

    def _flush_later(self) -> None:
        """Set the timer, if the output has not been handed over meanwhile. Thread: the one that sends."""
        self.flush_due = 0.0  # before looking: what is written from now on asks for a timer of its own
        if self.pieces and not self.timer_runs:
            self.timer_runs = True
            self._thread.call_later(self.interval, self.flush)

    def flush(self) -> None:
        """Send what is here, behind what was scheduled before. Thread: IOPub."""
        self.timer_runs, self.flush_due = False, 0.0  # as above
        for stream in self._streams:
            if stream.echo is not None:
                with contextlib.suppress(OSError):
                    stream.echo.flush()
        self.hand_over(self._thread.put)
        self._thread.send_now()

    def hand_over(self, schedule: Callable[[Callable[[], None]], None]) -> None:
        """Let `schedule` send what has been written so far.

        What is written from now on must not come before it, so it says how far. Nothing is taken out yet:
        a Stop here loses nothing.
        """
        with self._lock:
            mark = self._mark(get_ident())
            self.pieces += mark
            until = self._taken + len(self.pieces)
            self._heads += 1 if mark else 0
        # The date is now's, so that the messages' dates have the order of the messages.
        schedule(partial(self._publish, until, datetime.now(UTC)))

    def forget(self) -> None:
        """In a forked child: what is waiting here is the parent's. From now on send whole lines.

        ipykernel sends each piece, the end of a line alone, and the pieces may change places.
        """
        self._is_forked = True
        self._lock = RLock()
        self.pieces.clear()
        self.parent, self.stream, self.ident = self._first = (None, None, 0)
        self._heads = self._taken = 0
        self.timer_runs, self.flush_due = False, 0.0

    # Sending

    def _publish(self, until: int, date: datetime) -> None:
        """Send the first `until` pieces. Thread: the one that sends."""
        with self._lock:
            count = max(0, until - self._taken)
            taken = self.pieces[:count]
            del self.pieces[:count]
            self._taken += count
            if taken and type(taken[0]) is tuple and taken[0][0] is not None:
                self._first = taken[0]
                self._heads -= 1
                taken[0] = ""
            if self._heads:
                sent = _runs(self._lines(taken))
            else:  # one text is not copied
                sent = [(self._first[0], self._first[1], "".join(filter(None, taken)))]
        for parent, stream, text in sent:
            if text:
                stream.send(parent, text, date)

    def _lines(self, pieces: list[Any]) -> list[list[Piece]]:
        """The texts, with those of a print that others came into next to each other. Under the lock."""
        lines: list[list[Piece]] = []
        latest: dict[int, list[Piece]] = {}
        broken: set[int] = set()
        #: Whose open text stands right before the piece: what that thread adds belongs to the same line.
        begun = 0
        for piece in pieces:
            if type(piece) is tuple:
                self._heads -= 1
                if piece[0] is not None:
                    self._first = piece
                elif piece[2] in latest:
                    broken.add(piece[2])
                continue
            ident = self._first[2]
            if ident not in broken and ident != begun:
                latest[ident] = []
                lines.append(latest[ident])
            latest[ident].append((*self._first, piece))
            begun = ident
            if not _is_open(piece):
                broken.discard(ident)
                begun = 0
        for ident in broken:
            self._complete(latest[ident], ident)
        return lines

    def _complete(self, line: list[Piece], ident: int) -> None:
        """Add the end of a line that was written behind the flush; if there is none, let the line wait."""
        if self._prints(ident):  # asked first: if it does not, all that it has printed is in the list
            waiting = [part for piece in line for part in (piece[:3], piece[3])]
            waiting += [(None, None, ident), self._first]
            self.pieces[:0] = waiting
            self._taken -= len(waiting)
            heads = len(line) + 2  # before it is added: at a call another thread may add, too
            self._heads += heads
            line.clear()
            if not self.timer_runs:
                self.timer_runs = True
                self._thread.call_later(self.interval, self.flush)
            return
        head = self._first
        for place, piece in enumerate(self.pieces):
            if type(piece) is tuple:
                head = head if piece[0] is None else piece
            elif head[2] == ident:
                line.append((*head, piece))
                self.pieces[place] = ""  # and the others keep their numbers
                if not _is_open(piece):
                    return


def _is_open(text: object) -> bool:
    """Whether `print` may go on after it: it is no mark, and ends no line."""
    return isinstance(text, str) and text[-1:] != "\n"


def _runs(lines: list[list[Piece]]) -> list[tuple[dict[str, Any], Any, str]]:
    """For each parent what was written to a stream, without anything of its other stream in between."""
    keys: dict[int, frozenset[Any]] = {}
    of_parent: dict[frozenset[Any], list[tuple[Any, list[str]]]] = defaultdict(list)
    for parent, stream, _, text in (piece for line in lines for piece in line):
        key = keys.get(id(parent)) or keys.setdefault(id(parent), frozenset(parent.items()))
        runs = of_parent[key]
        if not runs or runs[-1][0] is not stream:
            runs.append((stream, []))
        runs[-1][1].append(text)
    return [(dict(key), stream, "".join(texts)) for key, runs in of_parent.items() for stream, texts in runs]

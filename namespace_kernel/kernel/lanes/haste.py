"""While somebody waits for an answer, threads take turns more often.

A thread that wants the interpreter waits until the one that has it gives it away, and a cell that computes
does so every 5 ms. Completion reads files and waits for its turn after each. With turns of half a
millisecond a completion beside `while True: pass` takes two thirds of the time. A cell pays nothing while
nobody asks, and two hundredths while fourteen completions are asked for in each second.
"""

from __future__ import annotations

import sys

from namespace_kernel.base.threads import Lock

#: Seconds between two turns. With less, the cell loses more than the answer gains.
_INTERVAL = 0.0005


class Haste:
    """A context in which turns are short. If the user sets the interval meanwhile, that one stays.

    Thread: any.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        #: The interval before, and ours as Python tells it, which rounds.
        self._before = self._ours = 0.0

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._before = sys.getswitchinterval()
                sys.setswitchinterval(min(_INTERVAL, self._before))
                self._ours = sys.getswitchinterval()

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and sys.getswitchinterval() == self._ours:
                sys.setswitchinterval(self._before)

    def begin_or_end(self, begin: bool) -> None:
        """As the context does, for what has no block."""
        if begin:
            self.__enter__()
        else:
            self.__exit__()

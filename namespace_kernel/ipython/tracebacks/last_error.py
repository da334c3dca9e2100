"""The session's last error: how long it is kept, and what is said of one that is not."""

from __future__ import annotations

import sys
import time
from typing import Any

from namespace_kernel.base.words import words_of

#: Cells that look at the last error keep it, though they succeed.
_POST_MORTEM = ("%debug", "%tb", "%xmode", "%%debug", "get_ipython().run_line_magic('debug'")
#: So many characters of an error's text are enough to know it again.
_KNOWN_BY = 200


class LastError:
    """Mixed into the shell. Thread: main."""

    kernel: Any
    InteractiveTB: Any
    SyntaxTB: Any
    #: The last error of a cell, in words, and the cell.
    _failed = ""
    #: What became of it.
    _let_go = ""

    def note_last_error(self, error: BaseException, number: int) -> None:
        """The cell `number` failed with `error`."""
        words = words_of(error).strip()[:_KNOWN_BY]
        self._failed = f"{type(error).__name__}{words and ': '}{words} (In [{number}], {time.strftime('%X')})"
        self._let_go = ""

    def forget_last_error(self, source: str, number: int) -> bool:
        """After the cell `number` succeeded: let go of the last error, and so of its frames' variables.

        A cell that asks about the last error (`%debug`, `%tb`) keeps it. Returns whether it is gone.
        """
        if self.kernel.keep_errors or source.lstrip().startswith(_POST_MORTEM):
            return False
        if self._failed:
            self._let_go = (
                f"{self._failed} was let go when In [{number}] succeeded, with all that its frames held. "
                "`%debug` and `%tb` belong right after the cell that failed; "
                "`%config NamespaceKernel.keep_errors = True` keeps the last error until the next one."
            )
            self._failed = ""
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            vars(sys).pop(name, None)
        self.InteractiveTB.tb = None
        self.SyntaxTB.last_syntax_error = None
        return True

    def debugger(self, force: bool = False) -> None:
        """Overridden: an error that was let go is named."""
        if not (force and self.says_what_was_let_go()):
            super().debugger(force)  # type: ignore[misc]

    def says_what_was_let_go(self) -> bool:
        """Where there is no last error because it was let go: say so, and return whether that was so."""
        if not self._let_go or hasattr(sys, "last_type"):
            return False
        print(self._let_go, file=sys.stderr)
        return True

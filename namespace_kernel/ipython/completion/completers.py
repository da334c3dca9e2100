"""A completer for each request: a slow completion and the one that overtakes it share nothing."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from namespace_kernel.base.cell import Namespace
from namespace_kernel.base.threads import RLock
from namespace_kernel.ipython.cell_local import PerCell


class Configurables(list[object]):
    """What `%config` lists: with the completer, which is made when somebody looks."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell.configurables)
        self._shell = shell

    def __iter__(self) -> Iterator[object]:
        self._shell.make_completer()
        return super().__iter__()


class CompleterPerRequest:
    """Mixed into the shell. IPython's completer keeps the text and the names of a request in attributes.

    The shell's own is made when it is used.
    """

    configurables: Any
    _shared_completer: Any = None
    _own_completer = PerCell()
    _completer_is_made = False
    _making_completer = RLock()

    def init_completer(self) -> None:
        """Overridden: not yet."""
        self.configurables = Configurables(self)

    def make_completer(self) -> Any:
        """The shell's completer. Thread: any."""
        if not self._completer_is_made:
            with self._making_completer:
                if self._shared_completer is None:  # making it, IPython asks for it
                    self._make_completer()
        return self._shared_completer

    def _make_completer(self) -> None:
        try:
            super().init_completer()  # type: ignore[misc]
            from IPython.core.completer import ProvisionalCompleterWarning

            # IPython makes errors of these, and ignores them while it completes, by `catch_warnings`, which
            # is no use where threads overlap.
            warnings.filterwarnings("ignore", category=ProvisionalCompleterWarning)
        except BaseException:  # a Stop
            self._shared_completer = None
            raise
        self._completer_is_made = True

    @property
    def Completer(self) -> Any:
        """The shell's completer, or where a request is answered its own copy."""
        own = self._own_completer
        return self.make_completer() if own is None else own

    @Completer.setter
    def Completer(self, completer: object) -> None:
        self._shared_completer = completer

    def complete_in(self, names: Namespace) -> Any:
        """Let completion in the calling context have a completer of its own, over `names`; return it.

        It has the configuration and the custom matchers of the shell's. Thread: a worker.
        """
        own = copy.copy(self.make_completer())
        own.namespace = own.global_namespace = names
        if hasattr(own, "_extract_code"):
            own._extract_code = partial(_extract_code, own._extract_code)
        self._own_completer = own
        return own


def _extract_code(original: Callable[[str], str], line: str) -> str:
    """IPython's, which raises for a line of blanks, and shows the traceback (in 9.15)."""
    return original(line) if line.strip() else line

"""A completer for each request: a slow completion and the one that overtakes it share nothing."""

from __future__ import annotations

import copy
from typing import Any

from .per_cell import PerCell


class CompleterPerRequest:
    """Mixed into the shell. IPython's completer keeps the text and the names of a request in attributes."""

    _shared_completer: Any = None
    _own_completer = PerCell()

    @property
    def Completer(self) -> Any:
        """The shell's completer, or where a request is answered its own copy."""
        own = self._own_completer
        return self._shared_completer if own is None else own

    @Completer.setter
    def Completer(self, completer: Any) -> None:
        self._shared_completer = completer

    def complete_in(self, names: dict[str, Any]) -> Any:
        """Let completion in the calling context have a completer of its own, over `names`; return it.

        It has the configuration and the custom matchers of the shell's. Thread: a worker.
        """
        own = copy.copy(self._shared_completer)
        own.namespace = own.global_namespace = names
        self._own_completer = own
        return own

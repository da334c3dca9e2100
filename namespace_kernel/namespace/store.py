"""`NamespaceStore`: the one dict, and the names in it that belong to the engine."""

from __future__ import annotations

import builtins
import types
from collections.abc import Set
from typing import Any

from namespace_kernel.base.cell import Namespace
from namespace_kernel.base.threads import RLock

from .history import ResultHistory
from .reserved_names import ALWAYS_RIGHT, MODULE_NAMES, RESULT_NAMES, EngineSource, set_right
from .writers import View


class NamespaceStore:
    """The dict of `module`, with the engine's names in it.

    Thread: any. The lock is reentrant because merging may run user code (a replaced value's
    `__del__`) that comes back here.
    """

    def __init__(self, module: types.ModuleType) -> None:
        self.module = module
        self.history = ResultHistory()
        self._live: Namespace = self.module.__dict__
        self._live.setdefault("__builtins__", builtins)
        self._lock = RLock()
        self._engine: EngineSource = self.history
        self._exception: BaseException | None = None
        self._exit_code = 0
        #: The executions that have been opened and not closed.
        self._running: list[View] = []
        self._module_names = {name: self._live[name] for name in MODULE_NAMES if name in self._live}
        self.restore_engine_names()

    @property
    def live(self) -> Namespace:
        """The store itself, for running code in. Do not iterate over it."""
        return self._live

    @property
    def namespace(self) -> Namespace:
        """A snapshot of all names."""
        with self._lock:
            return self._live.copy()

    def look_up(self, name: str) -> Any:
        """The value of `name`, `None` if there is none, or if it cannot be reached (see `reserved_names`)."""
        try:
            return self._live.get(name)
        except Exception:
            return None

    @property
    def lock(self) -> RLock:
        """The lock of every operation, for callers that combine several."""
        return self._lock

    # Engine names

    def attach_engine(self, engine: EngineSource) -> None:
        """Let `engine` say from now on what the engine names are (the kernel's shell).

        Thread: the one that builds the session, before code runs.
        """
        self._engine = engine
        self.restore_engine_names()

    def restore_engine_names(
        self, touched: set[str] | None = None, in_use: Set[str] = frozenset()
    ) -> set[str]:
        """Set every engine name right but those `in_use`; return those that were wrong."""
        with self._lock:
            for name, value in self._module_names.items():
                if name not in self._live or (name in ALWAYS_RIGHT and self._live[name] is not value):
                    self._live[name] = value
            state = {"_exit_code": self._exit_code, "_exception": self._exception}
            return set_right(self._live, self._engine, state, touched or set(), in_use)

    @property
    def engine(self) -> EngineSource:
        """Who says what the engine names are."""
        return self._engine

    @property
    def exception(self) -> BaseException | None:
        """What `_exception` is: the last execution's error."""
        return self._exception

    @property
    def exit_code(self) -> int:
        """What `_exit_code` is: of the last command or `sys.exit(n)`."""
        return self._exit_code

    def set_exit_code(self, code: int) -> None:
        """Make `code` the value of `_exit_code`."""
        with self._lock:
            self._exit_code = code
            self._live["_exit_code"] = code

    def record_input(self, code: str) -> int:
        """Remember `code` (`_i`, `_iN`); return its number N, counted from 1."""
        with self._lock:
            number = self.history.record_input(code)
            self._live[f"_i{number}"] = code
            return number

    def record_result(self, value: object, number: int | None = None) -> None:
        """Make `value`, of input `number` (by default the last), the newest result, unless it is `None`.

        `_`, `__` and `___` follow at once, or, if another execution may be using them, when it ends.
        """
        if value is None:
            return
        with self._lock:
            number = len(self.history.inputs) - 1 if number is None else number
            self.history.record_result(value, number)
            self._live[f"_{number}"] = value
            if len(self._running) <= 1 and "_" not in vars(builtins):
                names = self.history.values()
                self._live.update({name: names[name] for name in RESULT_NAMES})

    def _shift_results(self, value: object) -> None:
        """Make `value` the newest result of whoever says what the results are, unless it is `None`."""
        if value is None:
            return
        current = self._engine.values()
        names = {"_": value, "__": current["_"], "___": current["__"]}
        self._engine.accept(names)
        if len(self._running) <= 1 and "_" not in vars(builtins):
            self._live.update(names)

    def remember_module_names(self) -> None:
        """Take what the module's dict holds now (`__builtins__`, …) as what to put back.

        Thread: as `attach_engine`.
        """
        self._module_names = {name: self._live[name] for name in MODULE_NAMES if name in self._live}

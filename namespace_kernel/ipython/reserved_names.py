"""What the engine's names should be, read from where IPython keeps the originals."""

from __future__ import annotations

from typing import Any

from namespace_kernel.base.cell import Namespace
from namespace_kernel.namespace.reserved_names import MISSING, RESULT_NAMES


class ShellNames:
    """What the engine names should be, read from where IPython keeps the originals.

    Implements `namespace.engine_names.EngineSource`.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def values(self) -> Namespace:
        """See `EngineSource`."""
        shell, history, hook = self._shell, self._shell.history_manager, self._shell.displayhook
        names: Namespace = {"exit": shell.exiter, "quit": shell.exiter}
        if "get_ipython" in shell.user_ns_hidden:
            names["get_ipython"] = shell.user_ns_hidden["get_ipython"]
        names |= {"_": hook._, "__": hook.__, "___": hook.___}
        if history is not None:  # it is gone during shutdown
            names |= {"In": history.input_hist_parsed, "_ih": history.input_hist_parsed}
            names |= {"Out": history.output_hist, "_oh": history.output_hist, "_dh": history.dir_hist}
            names |= {"_i": history._i, "_ii": history._ii, "_iii": history._iii}
        return names

    def numbered(self, name: str) -> object:
        """See `EngineSource`."""
        history = self._shell.history_manager
        if name.startswith("_i"):
            number, inputs = int(name[2:]), history.input_hist_raw
            return inputs[number] if 0 < number < len(inputs) else MISSING
        return history.output_hist.get(int(name[1:]), MISSING)

    def accept(self, names: Namespace) -> None:
        """See `EngineSource`."""
        for name in RESULT_NAMES:
            if name in names:
                setattr(self._shell.displayhook, name, names[name])

    def transforms(self) -> bool:
        """See `EngineSource`."""
        return bool(self._shell.ast_transformers)

    def results(self) -> list[object]:
        """See `EngineSource`."""
        hook, outputs = self._shell.displayhook, self._shell.history_manager.output_hist
        return [hook._, hook.__, hook.___, *list(outputs.values())]

    def replace(self, old: object, new: object) -> None:
        """See `EngineSource`."""
        hook, outputs = self._shell.displayhook, self._shell.history_manager.output_hist
        for name in ("_", "__", "___"):
            if getattr(hook, name) is old:
                setattr(hook, name, new)
        for number in [number for number, value in list(outputs.items()) if value is old]:
            outputs[number] = new

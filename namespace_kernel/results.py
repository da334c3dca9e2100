"""Displayed results, and the engine's names as IPython knows them."""

from __future__ import annotations

import builtins
from typing import Any

from ipykernel.displayhook import ZMQShellDisplayHook

from .captures import active_capture
from .cell import Context
from .executors import current_execution
from .namespace.engine_names import MISSING, RESULT_NAMES
from .per_cell import PerCell, WeakPerCell


class NamespaceDisplayHook(ZMQShellDisplayHook):
    """Keeps `_`, `__`, `___` and `Out` without relying on what the namespace holds under these names."""

    # Of two cells that overlap, each has its own.
    msg = PerCell()
    # It holds the cell's result and error.
    exec_result = WeakPerCell()

    def quiet(self) -> bool:
        """Overridden: whether *this* cell ends with a semicolon, not the one that began last."""
        execution = current_execution.get()
        if execution is None:
            return bool(super().quiet())
        return bool(self.semicolon_at_end_of_expression(execution.route.source))

    @staticmethod
    def semicolon_at_end_of_expression(expression: str) -> bool:
        """Overridden for the usual cell, which has none: until Python 3.12 the tokenizer takes a millisecond
        when it is first used, for its regular expression.
        """
        return ";" in expression and bool(ZMQShellDisplayHook.semicolon_at_end_of_expression(expression))

    def __call__(self, result: Any = None) -> None:
        """Overridden for captures."""
        capture = active_capture()
        if capture is None:
            shell: Any = self.shell
            shell.kernel.restore_streams()
            super().__call__(result)
        else:
            capture.hook(result)

    def show(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Display a result that another process has described."""
        self.start_displayhook()
        self.write_output_prompt()
        self.write_format_data(data, metadata)
        self.finish_displayhook()

    def finish_displayhook(self) -> None:
        """Overridden not to wait, as a `flush` does, until what was printed has left the process."""
        shell: Any = self.shell
        shell.kernel.hand_over_output()
        message, self.msg = self.msg, None
        if message and message["content"]["data"] and self.session:
            for hook in self._hooks:
                message = hook(message)
                if message is None:
                    return
            self.session.send(self.pub_socket, message, ident=self.topic)

    def keep(self, result: Any) -> None:
        """Make `result`, which has been displayed, the cell's."""
        self.update_user_ns(result)
        self.fill_exec_result(result)

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        """Overridden to note which cell displays a widget."""
        shell: Any = self.shell
        shell.kernel.comm_homes.displayed(format_dict)
        super().write_format_data(format_dict, md_dict)

    def update_user_ns(self, result: Any) -> None:
        """Overridden: IPython's reads `user_ns['_oh']`, and gives `_` up once a cell has bound it."""
        shell: Any = self.shell
        outputs = shell.history_manager.output_hist
        if not self.cache_size or result is outputs:
            return
        if len(outputs) >= self.cache_size and self.do_full_cache:
            self.cull_cache()
        names = {}
        execution = current_execution.get()
        if execution is None or not execution.cell.background:  # a background result is in `Out` alone
            self.___, self.__, self._ = self.__, self._, result
            if "_" not in vars(builtins):
                names = {"_": self._, "__": self.__, "___": self.___}
        if self.do_full_cache:
            outputs[self.prompt_count] = result
            names[f"_{self.prompt_count}"] = result
        shell.namespace.update_namespace(names, Context.ENGINE)


class ShellNames:
    """What the engine names should be, read from where IPython keeps the originals.

    Implements `namespace.engine_names.EngineSource`.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def values(self) -> dict[str, Any]:
        """See `EngineSource`."""
        shell, history, hook = self._shell, self._shell.history_manager, self._shell.displayhook
        names: dict[str, Any] = {"exit": shell.exiter, "quit": shell.exiter}
        if "get_ipython" in shell.user_ns_hidden:
            names["get_ipython"] = shell.user_ns_hidden["get_ipython"]
        names |= {"_": hook._, "__": hook.__, "___": hook.___}
        if history is not None:  # it is gone during shutdown
            names |= {"In": history.input_hist_parsed, "_ih": history.input_hist_parsed}
            names |= {"Out": history.output_hist, "_oh": history.output_hist, "_dh": history.dir_hist}
            names |= {"_i": history._i, "_ii": history._ii, "_iii": history._iii}
        return names

    def numbered(self, name: str) -> Any:
        """See `EngineSource`."""
        history = self._shell.history_manager
        if name.startswith("_i"):
            number, inputs = int(name[2:]), history.input_hist_raw
            return inputs[number] if 0 < number < len(inputs) else MISSING
        return history.output_hist.get(int(name[1:]), MISSING)

    def accept(self, names: dict[str, Any]) -> None:
        """See `EngineSource`."""
        for name in RESULT_NAMES:
            if name in names:
                setattr(self._shell.displayhook, name, names[name])

    def results(self) -> list[Any]:
        """See `EngineSource`."""
        hook, outputs = self._shell.displayhook, self._shell.history_manager.output_hist
        return [hook._, hook.__, hook.___, *list(outputs.values())]

    def replace(self, old: Any, new: Any) -> None:
        """See `EngineSource`."""
        hook, outputs = self._shell.displayhook, self._shell.history_manager.output_hist
        for name in ("_", "__", "___"):
            if getattr(hook, name) is old:
                setattr(hook, name, new)
        for number in [number for number, value in list(outputs.items()) if value is old]:
            outputs[number] = new

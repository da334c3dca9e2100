"""Displayed results, and the engine's names as IPython knows them."""

from __future__ import annotations

import builtins
import contextvars
from typing import TYPE_CHECKING, Any, TypeAlias

from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.zmqshell import ZMQDisplayPublisher

from namespace_kernel.base.cell import Context
from namespace_kernel.base.execution import current_execution
from namespace_kernel.base.frames import unseen

from .captures import active_capture
from .cell_local import PerCell, WeakPerCell

if TYPE_CHECKING:
    from namespace_kernel.remote.transfer.messages import Content

    from .shell import NamespaceShell

#: A message of Jupyter's.
Message: TypeAlias = dict[str, Any]


class NamespaceDisplayHook(ZMQShellDisplayHook):
    """Keeps `_`, `__`, `___` and `Out` without relying on what the namespace holds under these names."""

    shell: NamespaceShell
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
        """Overridden for the usual cell, which has none: the tokenizer takes 10 µs for each line of it."""
        return ";" in expression and bool(ZMQShellDisplayHook.semicolon_at_end_of_expression(expression))

    def __call__(self, result: object = None) -> None:
        """Overridden for captures."""
        capture = active_capture()
        if capture is None:
            shell = self.shell
            shell.kernel.streams.restore()
            super().__call__(result)
        else:
            capture.hook(result)

    def show(self, data: Content, metadata: Content) -> None:
        """Display a result that another process has described."""
        self.start_displayhook()
        self.write_output_prompt()
        self.write_format_data(data, metadata)
        self.finish_displayhook()

    def finish_displayhook(self) -> None:
        """Overridden not to wait, as a `flush` does, until what was printed has left the process."""
        shell = self.shell
        shell.kernel.streams.hand_over()
        message, self.msg = self.msg, None
        if message and message["content"]["data"] and self.session:
            for hook in self._hooks:
                message = hook(message)
                if message is None:
                    return
            self.session.send(self.pub_socket, message, ident=self.topic)

    def keep(self, result: object) -> None:
        """Make `result`, which has been displayed, the cell's."""
        self.update_user_ns(result)
        self.fill_exec_result(result)

    def write_format_data(self, format_dict: Content, md_dict: Content | None = None) -> None:
        """Overridden to note which cell displays a widget."""
        shell = self.shell
        shell.kernel.comm_homes.displayed(format_dict)
        super().write_format_data(format_dict, md_dict)

    def update_user_ns(self, result: Any) -> None:
        """Overridden: IPython's reads `user_ns['_oh']`, and gives `_` up once a cell has bound it."""
        shell = self.shell
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


#: The comm message that is being handled.
_handled: contextvars.ContextVar[Message | None] = contextvars.ContextVar("comm_message", default=None)


def handled_message() -> Message | None:
    """The comm message whose callback is running, in its context and those copied from it."""
    return _handled.get()


class NamespaceDisplayPublisher(ZMQDisplayPublisher):
    """Tells the comms' homes what is displayed, unless a capture takes it."""

    shell: NamespaceShell
    # Of two cells that overlap, each has its own.
    _in_post_execute = PerCell(False)

    @unseen
    def publish(self, data: Content, *args: object, **kwargs: object) -> None:
        """Overridden: a capture takes it, or the cell becomes the home of the widgets in it."""
        capture = active_capture()
        if capture is not None:
            capture.publisher.publish(data, *args, **kwargs)
            return
        shell = self.shell
        shell.kernel.comm_homes.displayed(data)
        super().publish(data, *args, **kwargs)

    def _flush_streams(self) -> None:
        """Overridden not to wait, as a `flush` does, until the text has left; and for spoilt streams."""
        shell = self.shell
        shell.kernel.streams.hand_over()

    def clear_output(self, wait: bool = False) -> None:
        """Overridden for captures."""
        capture = active_capture()
        if capture is None:
            super().clear_output(wait)
        else:
            capture.publisher.clear_output(wait)

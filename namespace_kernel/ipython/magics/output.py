"""`%output`: what a cell has shown, once more. It may have been sent while no page was open."""

from __future__ import annotations

from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class

from namespace_kernel.base.frames import unseen
from namespace_kernel.reports.kept_output import as_shown, outputs_of


@magics_class
class OutputMagic(Magics):
    """Output that outlives the page."""

    @line_magic
    @unseen
    def output(self, line: str) -> None:
        """Show the output of a cell again: `%output 12` that of cell 12, `%output` that of the running cell,
        as far as it is, and then what follows.

        The kernel keeps the output of recent cells, up to `NamespaceKernel.kept_output` MiB.
        """
        shell: Any = self.shell
        kernel = shell.kernel
        running = [int(cell.number) for cell in kernel.activities.cells() if cell.state != "background"]
        if line.strip().isdecimal():
            number = int(line)
        elif line.strip():
            raise UsageError("`%output 12` shows the output of cell 12 again, `%output` of the running cell")
        elif running:
            number = running[0]
        else:
            raise UsageError("no cell runs; `%output 12` shows the output of cell 12 again")
        parent = shell.get_parent()
        found: list[bool] = []

        def send(kind: str, content: dict[str, Any]) -> None:
            topic = kernel._topic(kind)
            kernel.session.send(kernel.iopub_socket, kind, content, parent=parent, ident=topic)

        def tell(header: bytes, content: bytes) -> None:
            kind = unpack(header)["msg_type"]
            for shown in as_shown(kind, unpack(content)):
                send(*shown)

        def show() -> None:
            kept = output.of(number, unpack)
            if kept is not None:
                found.append(kept.lost)
                for shown in outputs_of(kept, unpack):
                    send(*shown)
                if number in running:
                    output.follow(kept, tell)

        output, unpack = kernel.iopub_thread.kept, kernel.session.unpack
        kernel.iopub_thread.wait_until_sent()
        kernel.iopub_thread.do_first(show)
        limit = f"NamespaceKernel.kept_output = {kernel.kept_output}, in MiB"
        if not found:
            raise UsageError(f"no output of In [{number}] is kept ({limit})")
        if found[0]:
            shell.notice(f"the beginning is not kept ({limit})")

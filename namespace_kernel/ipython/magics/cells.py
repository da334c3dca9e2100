"""The kernel's own magics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from namespace_kernel.base.frames import unseen

if TYPE_CHECKING:
    from namespace_kernel.ipython.shell import NamespaceShell


@magics_class
class NamespaceMagics(Magics):
    """`%coroutines`, and help for the directives, which the router takes before IPython sees them."""

    shell: NamespaceShell

    @line_magic
    @unseen
    def coroutines(self, line: str) -> None:
        """List the coroutines that were created and not awaited yet, with the line that created them.

        Those that only your own objects refer to are kept open until `%reset`.
        """
        shell = self.shell
        open_ones = shell.open_coroutines()
        for _, leak in open_ones:
            print(f"{leak.name}()" + (f", line {leak.line}" if leak.line else ""))
        if not open_ones:
            print("No open coroutines.")

    @line_magic
    @unseen
    def wait(self, line: str) -> None:
        """Wait for background cells: `%wait` for all, `%wait 3 5` for some. One that failed raises here."""
        shell = self.shell
        cells = shell.kernel.background
        words = line.replace(",", " ").split()
        if not all(word.isdigit() for word in words):
            raise UsageError("`%wait` waits for all background cells, `%wait 3 5` for these two")
        for number in map(int, words or map(str, cells.numbers())):
            try:
                handle = cells.handle(number)
            except LookupError as error:
                raise UsageError(str(error)) from None
            handle.result()

    @line_magic
    @unseen
    def plain_cells(self, line: str) -> None:
        """How cells run that do not await: `%plain_cells loop`, with the event loop running around them, or
        `%plain_cells script`, without. `%plain_cells` alone tells.
        """
        shell = self.shell
        wanted = line.strip()
        if wanted not in ("", "loop", "script"):
            raise UsageError("`%plain_cells` takes `loop` or `script`")
        if wanted:
            shell.kernel.plain_cells = wanted
        else:
            print(shell.kernel.plain_cells)

    @cell_magic("async")  # type: ignore[arg-type]
    def async_(self, line: str, cell: str) -> None:
        """Run the cell on the user loop, whatever its code says. Must be the cell's first line."""
        raise UsageError("`%%async` must be the first line of the cell")

    @cell_magic
    @unseen
    def background(self, line: str, cell: str) -> None:
        """Run the cell beside those that follow: they do not wait for it. Must be the cell's first line."""
        raise UsageError("`%%background` must be the first line of the cell")

    @cell_magic
    @unseen
    def sync(self, line: str, cell: str) -> None:
        """Run the cell where no event loop is running. Must be the cell's first line."""
        raise UsageError("`%%sync` must be the first line of the cell")

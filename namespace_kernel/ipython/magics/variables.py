"""`%namespace`: the table of the user's names, once or kept up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class

from namespace_kernel.base.frames import unseen
from namespace_kernel.reports.live_variables import _bundle_of

if TYPE_CHECKING:
    pass


@magics_class
class NamespaceTableMagic(Magics):
    """`%namespace`."""

    @line_magic
    @unseen
    def namespace(self, line: str) -> None:
        """Show your names: type, size, and the cell that wrote each last; the newest first.

        ::

            %namespace [--all] [--live] [PATTERN ...]
            %namespace --stop

        PATTERN    only names that match, as in `train_*`
        -a, --all  also the kernel's names, and those that start with `_`
        --live     keep the table up to date while cells run
        --stop     end the tables that are kept up to date

        Nothing of your objects is called for it: no `__repr__`, `__len__` or property.
        """
        shell: Any = self.shell
        options, rest = self.parse_options(line, "a", "all", "live", "stop", mode="list")
        everything, patterns = "a" in options or "all" in options, tuple(rest)
        if "stop" in options:
            if len(options) > 1 or patterns:
                raise UsageError("%namespace --stop ends all live tables and takes nothing else")
            if not shell.live_tables.stop():
                print("No table of %namespace is live.")
        elif "live" in options:
            shell.live_tables.start(patterns, everything)
        else:
            shell.display_pub.publish(_bundle_of(shell.live_tables.build(patterns, everything)))

"""`%durable`, `%restore` and `%undo`: what cells have made is on disk, and comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class

from namespace_kernel.base.errors import JournalError
from namespace_kernel.base.frames import unseen

if TYPE_CHECKING:
    from namespace_kernel.durable.journal.records import Restored

_RESTORE_USAGE = (
    "`%restore` brings all names back, `%restore df model` these two, `%restore --cell 12` all as they were "
    "after In [12]; `--list` tells what there is, `--run` also runs the cells that make what was not kept"
)


@magics_class
class DurableMagics(Magics):
    """Names that outlive the kernel."""

    @property
    def _durability(self) -> Any:
        shell: Any = self.shell
        return shell.kernel.durability

    def _show(self, bundle: dict[str, str]) -> None:
        shell: Any = self.shell
        shell.display_pub.publish(bundle)

    @line_magic
    @unseen
    def durable(self, line: str) -> None:
        """Keep what cells make on disk from now on; after the kernel has ended, `%restore` brings it back.

        ::

            %durable             keep names, for this notebook; once more: tell what is kept, and what is not
            %durable NAME        under a name of its own
            %durable off         keep nothing any more; what is on disk stays
            %durable forget      remove what is on disk, and keep nothing any more

        It is written while no cell runs. What lies on disk is yours alone to read.
        """
        words = line.split()
        if len(words) > 1:
            raise UsageError("`%durable` takes one word: a name, `off` or `forget`")
        word = words[0] if words else ""
        durability = self._durability
        try:
            if word == "off":
                durability.stop()
                print("Names are not kept any more; what is on disk stays.")
            elif word == "forget":
                durability.forget()
                print("What was on disk is removed, and nothing is kept any more.")
            elif durability.journal is None or word:
                journal = durability.start(word)
                self._tell_of_start(journal)
            else:
                from namespace_kernel.reports.journal_tables import of_status

                durability.journal.flush(1.0)
                self._show(of_status(durability.journal.status()))
        except JournalError as error:
            raise UsageError(str(error)) from None

    def _tell_of_start(self, journal: Any) -> None:
        print(f"What cells make is kept in {journal.path} from now on.")
        kept = journal.status().kept
        if kept:
            print(f"{len(kept)} name{'' if len(kept) == 1 else 's'} of before: `%restore` brings them back.")

    @line_magic
    @unseen
    def restore(self, line: str) -> None:
        """Bring back the names that `%durable` has kept, as they were.

        ::

            %restore             all that are not here
            %restore df model    these two, as they were kept last
            %restore --cell 12   all, as they were after In [12]; what did not exist then goes
            %restore --list      tell which cells there is a state of
            %restore --run       also run the cells that make what could not be kept, in their order

        No cell is run unasked. From then on names are kept again.
        """
        options, rest = self.parse_options(line, "", "list", "run", "cell=", mode="list")
        names = list(rest)
        if "list" in options and (names or len(options) > 1):
            raise UsageError(_RESTORE_USAGE)
        if "cell" in options and not str(options["cell"]).isdecimal():
            raise UsageError(_RESTORE_USAGE)
        shell: Any = self.shell
        try:
            journal = self._durability.existing()
            if "list" in options:
                from namespace_kernel.reports.journal_tables import of_states

                self._show(of_states(journal.states(), journal.status()))
                return
            cell = int(options["cell"]) if "cell" in options else None
            restored = journal.restore(names or None, cell=cell, tell=shell.notice)
        except JournalError as error:
            raise UsageError(str(error)) from None
        if "run" in options:
            self._run(restored)
        else:
            self._show_restored(restored)

    def _show_restored(self, restored: Restored) -> None:
        from namespace_kernel.reports.journal_tables import of_restored

        self._show(of_restored(restored))

    def _run(self, restored: Restored) -> None:
        """Run the cells that make what is lost. What they make besides does not replace what is back."""
        from namespace_kernel.reports.journal_tables import recipe_lines

        self._show_restored(restored)
        shell: Any = self.shell
        lost = {one.name for one in restored.lost}
        before = {name: value for name, value in shell.user_ns.items() if name not in lost}
        for maker, line in zip(restored.recipe, recipe_lines(restored.recipe), strict=True):
            print(f"Runs {line}")
            result = shell.run_cell(maker.source, store_history=False)
            if not result.success:
                raise UsageError(f"In [{maker.number}] of before failed; the cells after it were not run")
        kept = self._durability.journal.status().kept
        names = {one.name for one in kept} & before.keys()
        shell.namespace.put_back({name: before[name] for name in names}, {})

    @line_magic
    @unseen
    def undo(self, line: str) -> None:
        """Take back what the last cell did to your names; once more, the cell before it.

        ::

            %undo                take back the last cell
            %undo 3              the last three

        No more is taken back than that: cells that ran without a pause may have one state together, and then
        the answer says how many can be taken back. `%durable` must be on. Files, connections and other
        processes are as they are.
        """
        word = line.strip() or "1"
        if not (word.isascii() and word.isdecimal() and int(word)):
            raise UsageError(
                "`%undo` takes back the last cell, `%undo 3` the last three; `%restore --cell 12` goes back "
                "to after In [12]"
            )
        journal = self._durability.journal
        if journal is None:
            raise UsageError("names are not kept, so nothing can be taken back; `%durable` begins with it")
        try:
            self._show_restored(journal.undo(int(word)))
        except JournalError as error:
            raise UsageError(str(error)) from None

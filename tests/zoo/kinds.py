"""What an entry of the zoo is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value that cells make: the cell that makes it, and how to see that it is what it was.

    `check` is code whose last line is an expression that is true of the value, where it was made and where it
    was restored. Without one, the value must be refused. `needs` is the library that it takes.
    """

    name: str
    cell: str
    check: str = ""
    needs: str = ""
    #: What is told that the value comes back without.
    lost: tuple[str, ...] = ()

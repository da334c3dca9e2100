"""Which state lies a number of cells back."""

from __future__ import annotations

from collections.abc import Container

from namespace_kernel.base.errors import JournalError

from .disk.store import Store
from .records import State


def state_before(store: Store, last: int | None, count: int, undoing: Container[int]) -> State:
    """The state before the last `count` cells, from `last` on. `undoing` are cells that do not count.

    Cells that follow each other without a pause have one state together. What changed while no cell ran, or
    in the midst of one, has a state that belongs to no cell, and is passed over.

    Raises `JournalError` if there is none, with what can be taken back.
    """
    states = {state.serial: state for state in store.states()}
    taken = 0
    at, step = last, list[str]()
    while True:
        state = None if at is None else states.get(at)
        if state is None:
            raise JournalError("no earlier state is kept; `%restore --list` tells what is")
        cells = store.cells_of(state.serial)
        if cells and taken >= count:
            break
        if cells:
            step = [f"In [{number}]" for serial, number in cells.items() if number and serial not in undoing]
            taken += max(1, len(step))
        at = state.parent
    if taken > count:
        raise JournalError(
            f"{', '.join(step)} ran one after the other without a pause, and no state between them is kept; "
            f"`%undo {taken}` takes them back together"
        )
    return state

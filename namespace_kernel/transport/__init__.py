"""What travels with a cell that runs elsewhere: found from its code, packed, and what is said on the way.

Independent of the engine that runs the cell. Used on both sides.
"""

from .control import Interrupt, Lost, Run
from .frames import read_message, write_message
from .ledger import Ledger
from .messages import (
    VALUE,
    CellRequest,
    Cleared,
    Displayed,
    Event,
    Failure,
    Printed,
    Report,
    Surroundings,
)
from .packing import Packed, Piece, digest_of, load, new_arrival, pack, unpack
from .parcel import Parcel, make_parcel
from .reads import names_read

__all__ = [
    "VALUE",
    "CellRequest",
    "Cleared",
    "Displayed",
    "Event",
    "Failure",
    "Interrupt",
    "Ledger",
    "Lost",
    "Packed",
    "Parcel",
    "Piece",
    "Printed",
    "Report",
    "Run",
    "Surroundings",
    "digest_of",
    "load",
    "make_parcel",
    "names_read",
    "new_arrival",
    "pack",
    "read_message",
    "unpack",
    "write_message",
]

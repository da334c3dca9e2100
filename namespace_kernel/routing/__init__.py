"""Where a cell goes: directives first, then what its code needs."""

"""Where a cell goes: directives first, then what its code needs."""

from .router import Router

__all__ = ["Router"]

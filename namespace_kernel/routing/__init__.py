"""Where a cell goes: directives first, then what its code needs."""

from .directives import is_background, runs_elsewhere
from .router import Router

__all__ = ["Router", "is_background", "runs_elsewhere"]

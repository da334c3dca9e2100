"""The namespace: one dict for life, merged into and never replaced."""

from .manager import AsyncNamespaceManager
from .writers import View

__all__ = ["AsyncNamespaceManager", "View"]

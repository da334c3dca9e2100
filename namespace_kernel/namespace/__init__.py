"""The namespace: one dict for life, merged into and never replaced."""

from .manager import AsyncNamespaceManager, View

__all__ = ["AsyncNamespaceManager", "View"]

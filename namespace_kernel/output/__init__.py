"""Output belongs to the cell that caused it: what threads and pools inherit, and whose a redirection is."""

from .inheritance import Inheritance
from .redirects import Redirects, active_redirect, redirects

__all__ = ["Inheritance", "Redirects", "active_redirect", "redirects"]

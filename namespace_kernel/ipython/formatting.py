"""IPython's display formatter, which need not ask every formatter about a number."""

from __future__ import annotations

from collections.abc import Iterable
from types import FunctionType
from typing import Any

from IPython.core.formatters import BaseFormatter, DisplayFormatter, PlainTextFormatter

_PLAIN_TYPES = (int, float, complex, bool, str, bytes, list, tuple, dict, set, frozenset)

#: Exact type → the types for which a formatter may be registered that applies, as types and as names.
_PLAIN = {
    kind: (kind.__mro__, tuple((one.__module__, one.__name__) for one in kind.__mro__))
    for kind in _PLAIN_TYPES
}

_TEXT = "text/plain"
_NONE = (type(None).__mro__, ())
#: Where the functions are that show objects of built-in types, unless somebody has registered others.
_OF_IPYTHON = ("IPython.lib.pretty", "IPython.core.formatters")


class QuickDisplayFormatter(DisplayFormatter):
    """Asks about an object of a built-in type only formatters that may know it.

    Twelve formatters look for registered functions and for `_repr_html_` and the like, in 50 µs; these
    objects have no such methods, and to see that no function is registered takes 5.
    """

    def format(self, obj: Any, include: object = None, exclude: object = None) -> Any:
        """Overridden: numbers, texts and plain containers ask one formatter instead of twelve."""
        known = None if include or exclude else _PLAIN.get(type(obj))
        text = self.formatters.get(_TEXT)
        if known is None or text is None or self._is_special(obj, text, *known):
            return super().format(obj, include, exclude)  # type: ignore[no-untyped-call]
        data, metadata = text(obj), None
        if isinstance(data, tuple) and len(data) == 2:
            data, metadata = data
        return (
            {} if data is None else {_TEXT: data},
            {} if metadata is None else {_TEXT: metadata},
        )

    def runs_no_code(self) -> bool:
        """Whether what objects of a built-in type look like is IPython's business alone. Thread: any."""
        text = self.formatters.get(_TEXT)
        if type(text) is not PlainTextFormatter or any(
            self._is_special(None, text, *known) for known in (*_PLAIN.values(), _NONE)
        ):
            return False
        by_type: dict[Any, Any] = text.type_printers
        printers = [by_type[kind] for kind in (*_PLAIN_TYPES, *_NONE[0]) if kind in by_type]
        printers += [*text.singleton_printers.values(), *text.deferred_printers.values()]
        return all(type(one) is FunctionType and one.__module__ in _OF_IPYTHON for one in printers)

    def _is_special(self, obj: object, text: object, types: Iterable[type], names: Iterable[object]) -> bool:
        """Whether any formatter but the one for text may have something to say about `obj`."""
        for formatter in (
            self.ipython_display_formatter,
            self.mimebundle_formatter,
            *self.formatters.values(),
        ):
            if formatter is text:
                continue
            if type(formatter).__module__ != BaseFormatter.__module__:
                return True  # somebody's own
            if (
                id(obj) in formatter.singleton_printers
                or not formatter.type_printers.keys().isdisjoint(types)
                or not formatter.deferred_printers.keys().isdisjoint(names)
            ):
                return True
        return False


# `%config DisplayFormatter` finds it by the class's name.
QuickDisplayFormatter.__name__ = QuickDisplayFormatter.__qualname__ = DisplayFormatter.__name__

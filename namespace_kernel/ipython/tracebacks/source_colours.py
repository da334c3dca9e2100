"""stack_data makes a class of lexer for each frame whose source it colours, and pygments prepares each anew.

That is 5 to 10 ms for each frame in a file: most of the time that an error takes which comes from a library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from namespace_kernel.base.patching import Patch, Patches


def keep_lexer() -> None:
    """Let stack_data use one class of lexer. The colours are the same. Once is enough."""
    COLOURS.install()


def _keeping_lexer(original: object) -> Callable[..., list[str]]:
    import pygments  # type: ignore[import-untyped]
    from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]

    python: Any = type(get_lexer_by_name("python3"))

    class Lexer(python):  # type: ignore[misc]
        """Says which tokens are in `ranges`: those of the call that was being made."""

        ranges: Iterable[tuple[int, int]] = ()

        def get_tokens(self, text: str, unfiltered: bool = False) -> Iterator[tuple[object, str]]:
            at = 0
            for kind, value in super().get_tokens(text, unfiltered):
                marked = any(start <= at < end for start, end in self.ranges)
                at += len(value)
                yield (kind.ExecutingNode if marked else kind), value

    def coloured(formatter: Any, code: str, ranges: Iterable[tuple[int, int]]) -> list[str]:
        lexer = Lexer(stripnl=False)
        lexer.ranges = ranges
        try:
            text: str = pygments.highlight(code, lexer, formatter)
        except Exception:
            text = code  # as stack_data does
        return text.splitlines()

    return coloured


COLOURS = Patches(Patch("stack_data.core", "_pygmented_with_ranges", _keeping_lexer))

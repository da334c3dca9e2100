"""`%%async`, `%%sync` and `%%background` on a cell's first lines, or the cell tags of these names."""

from __future__ import annotations

from collections.abc import Iterable

from ..cell import Context
from ..errors import DirectiveError

#: Directive or tag → where it sends the cell.
DIRECTIVES = {"async": Context.ASYNC, "sync": Context.MAIN}

#: Says that the next cell need not wait; it may stand above another directive.
BACKGROUND = "background"


def take_directive(code: str, tags: Iterable[str] = ()) -> tuple[Context | None, str]:
    """Return the context that `code` asks for, if any, and the code without the directives.

    Line numbers stay as they are. A directive wins over a tag. Raises `DirectiveError` for one with
    arguments, for two that contradict each other or say the same, and for two such tags.
    """
    lines = code.splitlines(keepends=True)
    found = list(_directives(lines))
    names = [name for _, name in found]
    contexts = [name for name in names if name != BACKGROUND]
    if len(contexts) > 1 or len(names) > len(contexts) + 1:
        first, second = names[:2]
        raise DirectiveError(f"`%%{first}` and `%%{second}` in one cell; keep one of them")
    for number, name in found:
        # A blank line keeps a cell magic below it recognizable, but IPython drops leading blank lines;
        # a comment is kept, and with it the numbers of the lines below.
        below = found[-1][0] + 1
        below_is_magic = below < len(lines) and lines[below].startswith("%%")
        lines[number] = "\n" if below_is_magic else f"# %%{name}\n"
    context = DIRECTIVES[contexts[0]] if contexts else _from_tags(tags)
    return context, "".join(lines) if found else code


def is_background(code: str, tags: Iterable[str] = ()) -> bool:
    """Whether a cell asks not to hold up the next one. Cheap, and never raises."""
    if BACKGROUND in tags:
        return True
    if BACKGROUND not in code:
        return False
    try:
        return any(name == BACKGROUND for _, name in _directives(code.splitlines()))
    except DirectiveError:
        return False  # it is shown where the cell is routed


def _directives(lines: list[str]) -> list[tuple[int, str]]:
    """The directives on the first lines that are not blank, with the numbers of these lines."""
    found: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        name = _directive(line)
        if name is not None:
            found.append((number, name))
        elif line.strip() or found:
            break
    return found


def _directive(line: str) -> str | None:
    words = line.split()
    if not words or not words[0].startswith("%%"):
        return None
    name = words[0][2:]
    if name not in DIRECTIVES and name != BACKGROUND:
        return None
    if len(words) > 1:
        raise DirectiveError(
            f"`%%{name}` takes no arguments, but got {' '.join(words[1:])!r}; put the code below it"
        )
    return name


def _from_tags(tags: Iterable[str]) -> Context | None:
    asked = sorted(DIRECTIVES.keys() & set(tags))
    if len(asked) > 1:
        raise DirectiveError(f"the cell has the tags {' and '.join(map(repr, asked))}; keep one of them")
    return DIRECTIVES[asked[0]] if asked else None

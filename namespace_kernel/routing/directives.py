"""`%%async` and `%%sync` on a cell's first line, or the cell tag of that name."""

from __future__ import annotations

from collections.abc import Iterable

from ..cell import Context
from ..errors import DirectiveError

#: Directive or tag → where it sends the cell.
DIRECTIVES = {"async": Context.ASYNC, "sync": Context.MAIN}


def take_directive(code: str, tags: Iterable[str] = ()) -> tuple[Context | None, str]:
    """Return the context that `code` asks for, if any, and the code without the directive.

    Line numbers stay as they are. A directive wins over a tag. Raises `DirectiveError` for one with
    arguments, for two of them, and for two tags that contradict each other.
    """
    lines = code.splitlines(keepends=True)
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    name = None if first is None else _directive(lines[first])
    if first is None or name is None:
        return _from_tags(tags), code
    second = _directive(lines[first + 1]) if first + 1 < len(lines) else None
    if second is not None:
        raise DirectiveError(f"`%%{name}` and `%%{second}` in one cell; keep one of them")
    # A blank line keeps a cell magic below it recognizable, but IPython drops leading blank lines;
    # a comment is kept, and with it the numbers of the lines below.
    below_is_magic = first + 1 < len(lines) and lines[first + 1].startswith("%%")
    lines[first] = "\n" if below_is_magic else f"# %%{name}\n"
    return DIRECTIVES[name], "".join(lines)


def _directive(line: str) -> str | None:
    words = line.split()
    if not words or not words[0].startswith("%%") or words[0][2:] not in DIRECTIVES:
        return None
    name = words[0][2:]
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

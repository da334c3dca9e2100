"""`%%async`, `%%sync`, `%%isolated`, `%%dask`, `%%background` on the first lines, or tags of these names."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from namespace_kernel.base.cell import ELSEWHERE, Context
from namespace_kernel.base.errors import DirectiveError

#: Directive or tag → where it sends the cell.
DIRECTIVES = {
    "async": Context.ASYNC,
    "sync": Context.MAIN,
    "isolated": Context.ISOLATED,
    "dask": Context.DASK,
}

#: Says that the next cell need not wait; it may stand above another directive.
BACKGROUND = "background"

#: The options that a directive takes, and what the value of each is; "" for one that takes none.
OPTIONS: Mapping[str, Mapping[str, str]] = {
    "isolated": {"send": "names", "not": "names"},
    "dask": {
        "send": "names",
        "not": "names",
        "address": "the scheduler's",
        "cluster": "a name bound to a cluster",
        "keep": "",
        "resources": "like GPU=1",
    },
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a cell asks for: a context, if any, and the options of the directive that says so.

    `code` is the cell without its directives.
    """

    context: Context | None
    code: str
    options: Mapping[str, str] = field(default_factory=dict)


def take_directive(code: str, tags: Iterable[str] = ()) -> Asked:
    """Return what `code` asks for.

    Line numbers stay as they are. A directive wins over a tag. Raises `DirectiveError` for one with
    arguments that it does not take, for two that contradict each other or say the same, and for two such
    tags.
    """
    lines = code.splitlines(keepends=True)
    found = list(_directives(lines))
    names = [name for _, name, _ in found]
    contexts = [name for name in names if name != BACKGROUND]
    if len(contexts) > 1 or len(names) > len(contexts) + 1:
        first, second = names[:2]
        raise DirectiveError(f"`%%{first}` and `%%{second}` in one cell; keep one of them")
    options: Mapping[str, str] = {}
    for number, name, arguments in found:
        lines[number] = "\n"  # so the lines below keep their numbers
        if name != BACKGROUND or arguments:
            options = _options(name, arguments)
    context = DIRECTIVES[contexts[0]] if contexts else _from_tags(tags)
    return Asked(context, "".join(lines) if found else code, options)


def is_background(code: str, tags: Iterable[str] = ()) -> bool:
    """Whether a cell asks not to hold up the next one. Cheap, and never raises."""
    if BACKGROUND in tags:
        return True
    if BACKGROUND not in code:
        return False
    try:
        take_directive(code)
    except DirectiveError:
        return False  # it is shown where the cell is routed
    return any(name == BACKGROUND for _, name, _ in _directives(code.splitlines()))


def runs_elsewhere(code: str, tags: Iterable[str] = ()) -> bool:
    """Whether a cell asks to run in another process. Never raises."""
    try:
        return take_directive(code, tags).context in ELSEWHERE
    except DirectiveError:
        return False


def _directives(lines: list[str]) -> list[tuple[int, str, str]]:
    """The directives on the first lines that are not blank: number of the line, name, arguments."""
    found: list[tuple[int, str, str]] = []
    for number, line in enumerate(lines):
        word, *arguments = line.split(maxsplit=1) or [""]
        name = word[2:]
        if word.startswith("%%") and (name in DIRECTIVES or name == BACKGROUND):
            found.append((number, name, "".join(arguments).strip()))
        elif line.strip() or found:
            break
    return found


def _options(name: str, arguments: str) -> dict[str, str]:
    """The options in a directive's line. Raises `DirectiveError`."""
    known = OPTIONS.get(name, {})
    if arguments and not known:
        raise DirectiveError(f"`%%{name}` takes no arguments, but got {arguments!r}; put the code below it")
    try:
        words = shlex.split(arguments)
    except ValueError as error:
        raise DirectiveError(f"`%%{name} {arguments}` cannot be read: {error}") from None
    options: dict[str, str] = {}
    while words:
        word, _, value = words.pop(0).partition("=")
        option = word.removeprefix("--")
        if not word.startswith("--") or option not in known:
            usage = ", ".join(f"--{one} {what}".strip() for one, what in known.items())
            raise DirectiveError(
                f"`%%{name}` does not know {word!r}; it takes {usage}, and the code stands below"
            )
        if known[option] and not value:
            if not words or words[0].startswith("--"):
                raise DirectiveError(f"`%%{name} --{option}` needs a value: {known[option]}")
            value = words.pop(0)
        if option == "send" or option == "not":
            value = ",".join(_names(name, option, value))
        if not known[option]:
            value = "yes"
        options[option] = ",".join(filter(None, (options.get(option, ""), value)))
    return options


def _names(name: str, option: str, value: str) -> list[str]:
    names = [one.strip() for one in value.split(",") if one.strip()]
    for one in names:
        if not one.isidentifier():
            raise DirectiveError(f"`%%{name} --{option}` takes names with commas between them, not {one!r}")
    return names


def _from_tags(tags: Iterable[str]) -> Context | None:
    asked = sorted(DIRECTIVES.keys() & set(tags))
    if len(asked) > 1:
        raise DirectiveError(f"the cell has the tags {' and '.join(map(repr, asked))}; keep one of them")
    return DIRECTIVES[asked[0]] if asked else None

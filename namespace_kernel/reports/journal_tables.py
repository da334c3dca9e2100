"""What the journal keeps, and what came back of it, as tables: HTML and plain text."""

from __future__ import annotations

import html
import time
from collections.abc import Iterable, Sequence

from namespace_kernel.durable.journal.records import Kept, Maker, Restored, State, Status

from .variables_text import STYLE, cut, line_of, rule_below, widths_of

Bundle = dict[str, str]
_Row = tuple[str, ...]
#: Rows that are shown of each kind; the rest is counted. Characters after which a text is cut.
_ROWS, _LONGEST = 300, 120
_WRAPS = ' style="white-space: normal; min-width: 10em"'


def of_restored(restored: Restored) -> Bundle:
    """What is back, and what is not, with the cell that makes it."""
    rows = [
        (
            one.name,
            one.type,
            size_words(one.size),
            "back",
            _cell(one.maker),
            one.without and f"without {one.without}",
        )
        for one in restored.back
    ]
    rows += [(one.name, one.type, "", "not back", _cell(one.maker), one.reason) for one in restored.lost]
    rows += [(name, "", "", "deleted", "", "it did not exist then") for name in sorted(restored.gone)]
    state = restored.state
    after = f", as after In [{state.number}]" if restored.whole and state.number else ""
    notes = [f"{_count(len(restored.back))} back{after}"]
    if restored.lost:
        cells = ", ".join(dict.fromkeys(f"In [{one.number}]" for one in restored.recipe))
        run = f": `%restore --run` runs {cells}" if cells else ""
        notes.append(f"{_count(len(restored.lost))} not back{run}")
    return _bundle(("Name", "Type", "Size", "", "Cell", "Why"), rows, "; ".join(notes))


def of_status(status: Status) -> Bundle:
    """What is kept now, and what is not and why."""
    rows = [_kept_row(one, status.waiting) for one in status.kept]
    rows += [(one.name, one.type, "", "not kept", _cell(one.maker), one.reason) for one in status.lost]
    states = f"{status.states} state{'' if status.states == 1 else 's'}"
    notes = [f"{_count(len(status.kept))} kept, {states}, {size_words(status.size)} in {status.path}"]
    if status.lost:
        notes.append(f"{_count(len(status.lost))} not kept")
    if status.waiting:
        notes.append(f"{_count(len(status.waiting))} not on disk yet")
    if status.problem:
        notes.append(f"nothing can be written for now: {status.problem}")
    return _bundle(("Name", "Type", "Size", "", "Cell", "Why"), rows, "; ".join(notes))


def of_states(states: Iterable[State], status: Status) -> Bundle:
    """The cells after which there is a state, the newest first, and the names that could come back."""
    rows = [
        (
            f"In [{one.number}]",
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.when)),
            str(one.names),
            one.source.strip().partition("\n")[0],
        )
        for one in reversed(list(states))
        if one.number  # to the others one cannot go by name
    ]
    names = ", ".join(one.name for one in status.kept[:_ROWS])
    return _bundle(("After", "When", "Names", "Code"), rows, f"{_count(len(status.kept))} kept: {names}")


def recipe_lines(recipe: Iterable[Maker]) -> list[str]:
    """The cells that are to be run, a line each."""
    return [f"In [{one.number}]: {cut(one.source.strip().partition(chr(10))[0], _LONGEST)}" for one in recipe]


def _kept_row(one: Kept, waiting: frozenset[str]) -> _Row:
    state = "not yet" if one.name in waiting else "kept"
    return (
        one.name,
        one.type,
        size_words(one.size),
        state,
        _cell(one.maker),
        one.without and f"comes back without {one.without}",
    )


def _cell(maker: Maker) -> str:
    return maker.name if maker.number else ""


def _count(number: int) -> str:
    return "1 name is" if number == 1 else f"{number:,} names are"


def size_words(size: int) -> str:
    """Bytes as people say them."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"


def _bundle(titles: _Row, rows: Sequence[_Row], note: str) -> Bundle:
    shown = [tuple(cut(text, _LONGEST) for text in row) for row in rows[:_ROWS]]
    if len(rows) > _ROWS:
        note += f"; {len(rows) - _ROWS:,} more are not shown"
    return {"text/plain": _plain(titles, shown, note), "text/html": _html(titles, shown, note)}


def _plain(titles: _Row, rows: Sequence[_Row], note: str) -> str:
    if not rows:
        return note
    widths = widths_of(titles, rows)
    right = {number for number, title in enumerate(titles) if title in ("Size", "Names")}
    head, *lines = (line_of(row, widths, right) for row in (titles, *rows))
    return "\n".join([head, rule_below(widths), *lines, "", note])


def _html(titles: _Row, rows: Sequence[_Row], note: str) -> str:
    below = f'<div class="nk-note">{html.escape(note)}</div>'
    if not rows:
        return STYLE + below
    classes = {"Name": "n", "Size": "s", "Names": "s", "Code": "c", "Cell": "q", "When": "q", "Why": "q"}

    def cells(tag: str, row: _Row) -> str:
        return "".join(
            f'<{tag} class="{_class_of(classes.get(title, ""), text)}"{_WRAPS if title == "Why" else ""}>'
            f"{html.escape(text)}</{tag}>"
            for title, text in zip(titles, row, strict=True)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    head = f"<thead><tr>{cells('th', titles)}</tr></thead>"
    return f'{STYLE}<div class="nk-table"><table>{head}<tbody>{body}</tbody></table></div>{below}'


def _class_of(css: str, text: str) -> str:
    return "r" if text in ("not back", "not kept") else css

"""The table of `%namespace` as HTML and as plain text."""

from __future__ import annotations

import html
from collections.abc import Container, Iterable, Mapping, Sequence
from unicodedata import combining, east_asian_width

from .variables import TITLES, Row, Table

_COLUMNS = ("name", "type", "size", "value", "cell", "route", "when")
_HEADS = tuple(column.capitalize() for column in _COLUMNS)
#: Columns that stand at their right edge.
_NUMBERS = {_COLUMNS.index("size")}
#: Where a column of the plain table may be cut, to that width, when it does not fit.
_MINIMA = {"name": 20, "type": 12, "value": 10, "cell": 12, "size": 12}
#: Characters after which HTML is cut.
_LONGEST = 60

# JupyterLab's own colours, light or dark; elsewhere the page's. `<style>` is dropped from a notebook that is
# not trusted: what is left is a plain table.
STYLE = """<style>
.nk-table { max-height: 32em; overflow: auto; width: fit-content; max-width: 100% }
.nk-table table { border-collapse: collapse; margin: 0; font-size: var(--jp-ui-font-size1, 13px) }
.nk-table th, .nk-table td { text-align: left !important; padding: 2px 10px 2px 6px !important;
  white-space: nowrap }
.nk-table thead th { position: sticky; top: 0; background: var(--jp-layout-color0, Canvas);
  border-bottom: 1px solid var(--jp-border-color1, #9e9e9e) }
.nk-table td.c, .nk-table td.v { font-family: var(--jp-code-font-family, monospace) }
.nk-table td.n { font-family: var(--jp-code-font-family, monospace); font-weight: 600 }
.nk-table th.s, .nk-table td.s { text-align: right !important; font-variant-numeric: tabular-nums }
.nk-table td.q { color: var(--jp-ui-font-color2, inherit) }
.nk-table td.r { color: var(--jp-warn-color1, inherit) }
.nk-table th.g { padding-top: 10px !important; font-weight: normal; color: var(--jp-ui-font-color2, inherit) }
.nk-note { color: var(--jp-ui-font-color2, inherit); font-size: 90%; padding: 4px 6px }
</style>
"""
_CLASSES = {"name": "n", "type": "", "size": "s", "value": "v", "cell": "q", "route": "q", "when": "q"}


def bundle_of(table: Table, note: str = "") -> dict[str, str]:
    """The table as a MIME bundle. `note` is added to the line below it."""
    summary = f"{table.summary}; {note}" if note else table.summary
    return {"text/plain": to_plain(table, summary), "text/html": to_html(table, summary)}


def to_html(table: Table, summary: str) -> str:
    """Static and escaped HTML, which a notebook's file can keep."""
    line = f'<div class="nk-note">{html.escape(summary)}</div>'
    if not table.rows:
        return STYLE + line
    head = "".join(f'<th class="{_CLASSES[column]}">{column.capitalize()}</th>' for column in _COLUMNS)
    parts = [STYLE, f'<div class="nk-table"><table><thead><tr>{head}</tr></thead><tbody>']
    for title, row in _with_titles(table.rows):
        if title:
            parts.append(f'<tr><th class="g" colspan="{len(_COLUMNS)}">{title}</th></tr>')
        parts.append(f"<tr>{''.join(map(_html_cell, _COLUMNS, _texts(row)))}</tr>")
    return "".join([*parts, "</tbody></table></div>", line])


def _html_cell(column: str, text: str) -> str:
    css = "r" if column == "when" and text == "running" else _CLASSES[column]
    attribute = f' class="{css}"' if css else ""
    return f"<td{attribute}>{html.escape(cut(text, _LONGEST))}</td>"


def to_plain(table: Table, summary: str, width: int = 100) -> str:
    """Aligned columns, at most `width` characters wide. Columns in which nothing stands are left out."""
    if not table.rows:
        return summary
    texts = [_texts(row) for row in table.rows]
    widths = widths_of(_HEADS, texts)
    _fit(widths, width - 2 * (len(widths) - 1))

    def line(row: tuple[str, ...]) -> str:
        return line_of(row, widths, _NUMBERS)

    lines = [line(_HEADS), rule_below(widths)]
    for title, row in _with_titles(table.rows):
        if title:
            lines += ["", title]
        lines.append(line(_texts(row)))
    return "\n".join([*lines, "", summary])


def widths_of(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> dict[int, int]:
    """How many characters wide each column of a table is; those in which nothing stands are left out."""
    columns = enumerate(zip(*rows, strict=True))
    return {number: max(map(_width, (heads[number], *column))) for number, column in columns if any(column)}


def line_of(row: Sequence[str], widths: Mapping[int, int], right: Container[int]) -> str:
    """One row of a table; the columns `right` stand at their right edge."""
    return "  ".join(_padded(row[number], widths[number], number in right) for number in widths).rstrip()


def rule_below(widths: Mapping[int, int]) -> str:
    """What stands below the heads."""
    return "─" * (sum(widths.values()) + 2 * (len(widths) - 1))


def _fit(widths: dict[int, int], room: int) -> None:
    """Narrow the widest columns until all fit into `room`, or none may be cut any more."""
    while sum(widths.values()) > room:
        free = [number for number in widths if widths[number] > _MINIMA.get(_COLUMNS[number], widths[number])]
        if not free:
            return
        widths[max(free, key=lambda number: widths[number])] -= 1


def _with_titles(rows: tuple[Row, ...]) -> list[tuple[str, Row]]:
    """Each row, with the title of its group before the first of it."""
    before = [0, *(row.group for row in rows)]
    return [
        (TITLES.get(row.group, "") if row.group != last else "", row)
        for last, row in zip(before, rows, strict=False)
    ]


def _texts(row: Row) -> tuple[str, ...]:
    return (row.name, row.type, row.size, row.value, row.cell, row.route, row.when)


def _width(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def cut(text: str, width: int) -> str:
    """`text`, with an ellipsis if it takes more than `width` columns."""
    if _width(text) <= width:
        return text
    while _width(text) > width - 1:
        text = text[: width - 1] if len(text) > width else text[:-1]
    return text + "…"


def _padded(text: str, width: int, right: bool) -> str:
    """`text` in exactly `width` columns of a terminal."""
    text = cut(text, width)
    space = " " * (width - _width(text))
    return space + text if right else text + space

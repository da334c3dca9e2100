"""The tables: p50 and p95 of this kernel and the reference, and every kernel's ratio to the latter."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from .environments import OURS, Kernel, machine
from .results import Results, Row

_BEGIN, _END = "<!-- measured: written by `python -m benchmarks --write` -->", "<!-- end of measured -->"


def as_markdown(results: Results) -> str:
    """All tables, and what they mean."""
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    parts = [
        f"{results.machine}; {versions}. {results.rounds} interleaved rounds. Values are p50 / p95, "
        "and ÷ is the ratio of the medians to the reference, so less is better."
    ]
    parts += [f"{name} was not measured: {reason}." for name, reason in results.missing.items()]
    sections = dict.fromkeys(row.section for row in results.rows.values())
    for section in sections:
        rows = [row for row in results.rows.values() if row.section == section]
        parts += [f"### {section}", _table(rows, list(results.versions))]
    notes = _failures(results)
    if notes:
        parts += ["### What failed", "\n".join(notes)]
    return "\n\n".join(parts)


def measured_on(kernels: Iterable[Kernel]) -> str:
    """The day, the machine and what was measured, for a page of its own."""
    versions = ", ".join(f"{kernel.name} {kernel.version}" for kernel in kernels)
    return f"{time.strftime('%Y-%m-%d')}, {machine()}, {versions}; load {os.getloadavg()[0]:.1f}."


def write_into(path: Path, markdown: str) -> None:
    """Put `markdown` between the markers of the document. Raises `ValueError` if it has none."""
    text = path.read_text()
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{path} has no lines {_BEGIN!r} and {_END!r} to write between")
    path.write_text(f"{before}{begin}\n\n{markdown}\n\n{end}{after}")


def _table(rows: list[Row], kernels: list[str]) -> str:
    reference = rows[0].reference
    shown = [name for name in (OURS, reference) if any(name in row.samples for row in rows)]
    others = [name for name in kernels if name != reference and any(_is_known(row, name) for row in rows)]
    titles = ["", *shown, *(f"{name} ÷" for name in others)]
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    for row in rows:
        cells = [f"{row.name}, {row.unit}", *(_values(row, name) for name in shown)]
        cells += [_ratio(row, name) for name in others]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _is_known(row: Row, kernel: str) -> bool:
    return kernel in row.samples or kernel in row.failures


def _values(row: Row, kernel: str) -> str:
    median, late = row.median(kernel), row.late(kernel)
    if median is None or late is None:
        return "fails" if kernel in row.failures else "–"
    return f"{_short(median)} / {_short(late)}{_mark(row, kernel)}"


def _ratio(row: Row, kernel: str) -> str:
    median, ratio = row.median(kernel), row.ratio(kernel)
    if median is None:
        return "fails" if kernel in row.failures else "–"
    text = f"({_short(median)} {row.unit})" if ratio is None else f"{ratio:.2f}"
    text += _mark(row, kernel)
    return f"**{text}**" if kernel == OURS else text


def _mark(row: Row, kernel: str) -> str:
    return "*" if kernel in row.failures else ""


def _failures(results: Results) -> list[str]:
    """One line for each reason: the kernel, and in which cases."""
    cases: dict[tuple[str, str], list[str]] = {}
    for row in results.rows.values():
        for kernel, reasons in row.failures.items():
            sometimes = "" if row.is_hopeless(kernel) else f" ({len(reasons)} of {results.rounds} rounds, *)"
            cases.setdefault((kernel, reasons[0]), []).append(row.name + sometimes)
    return [f"- {kernel}, {reason}: {'; '.join(names)}." for (kernel, reason), names in cases.items()]


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"

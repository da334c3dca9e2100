"""The table of docs/reliability.md: promise, test, figure, the other kernel's figure."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from tests.kernel.client import ROOT
from tests.trust.figures import Record

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- figures: written by `make trust` -->", "<!-- end of the figures -->"
OTHERS = {"python3": "ipykernel"}


def as_table(records: Iterable[Record], seed: int) -> str:
    """All figures, a row for each name, with the date and what they were measured with."""
    kept = list(records)
    names = list(dict.fromkeys(record.name for record in kept))
    others = sorted({record.spec for record in kept} - {"namespace"})
    packages = ("namespace_kernel", "ipykernel", "ipython", "jupyter_client", "pyzmq")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    lines = [
        f"{datetime.date.today()}, seed {seed}, Python {platform.python_version()} on {platform.system()}, "
        f"{versions}.",
        "",
        f"| promise | test | this kernel | {' | '.join(OTHERS.get(spec, spec) for spec in others)} |",
        "|---" * (3 + len(others)) + "|",
    ]
    for name in names:
        mine = [record for record in kept if record.name == name]
        tests = sorted({record.test.partition("::")[0] for record in mine})
        shown = ", ".join(f"`{test}`" for test in tests)
        figures = [_figure([one for one in mine if one.spec == spec]) for spec in ("namespace", *others)]
        lines.append(f"| **{name}**: {mine[0].promise} | {shown} | {' | '.join(figures)} |")
    return "\n".join(lines)


def _figure(records: list[Record]) -> str:
    if not records:
        return "–"
    violated = sum(len(record.violations) for record in records)
    count = f"{violated} of {sum(record.tries for record in records):,} {records[0].unit}"
    return "; ".join([count, *(text for record in records for text in record.measured)])


def write_into(page: Path, table: str) -> None:
    """Put the table between the page's markers."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{page} has no markers for the figures")
    page.write_text(f"{before}{begin}\n\n{table}\n\n{end}{after}")

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
PLOT = ROOT / "docs" / "images" / "days.png"
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


def plot_days(records: Iterable[Record], path: Path) -> None:
    """Draw what was measured in the course of a day, of each kernel. Needs matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    days = [record for record in records if record.series.get("MB")]
    names = [name for name in days[0].series if name != "acts"] if days else []
    if not names:
        return
    figure, axes = plt.subplots(2, (len(names) + 1) // 2, figsize=(8.5, 4.5))
    for axis, name in zip(axes.flat, names, strict=False):
        for record in days:
            label = OTHERS.get(record.spec, "this kernel")
            color = "0.5" if record.spec in OTHERS else "#d62728"
            axis.plot(record.series["acts"], record.series[name], label=label, color=color)
        axis.set_title(name, fontsize=9)
        axis.set_ylim(bottom=0)
        axis.tick_params(labelsize=7)
    axes.flat[0].legend(fontsize=7, frameon=False)
    figure.supxlabel("acts", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def write_into(page: Path, table: str) -> None:
    """Put the table between the page's markers."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{page} has no markers for the figures")
    page.write_text(f"{before}{begin}\n\n{table}\n\n{end}{after}")

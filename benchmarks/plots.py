"""The plots; they need matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .environments import FLOOR, OURS, REFERENCE
from .results import Results


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def plot_ratios(results: Results, path: Path) -> None:
    """A point for each kernel and case: its ratio to the reference, which is the line at 1."""
    plt = _pyplot()
    rows = [row for row in results.rows.values() if row.reference == REFERENCE and row.median(REFERENCE)]
    kernels = [name for name in results.versions if name != REFERENCE]
    figure, axes = plt.subplots(figsize=(8.5, 0.24 * len(rows) + 1.2))
    for place, row in enumerate(rows):
        known = [ratio for name in kernels if (ratio := row.ratio(name)) is not None]
        if known:
            axes.plot([min(*known, 1), max(*known, 1)], [place, place], color="0.85", zorder=1)
    for index, name in enumerate(kernels):
        points = [(ratio, place) for place, row in enumerate(rows) if (ratio := row.ratio(name)) is not None]
        own = name == OURS
        axes.scatter(
            [x for x, _ in points],
            [y for _, y in points],
            s=46 if own else 24,
            color="#d62728" if own else "0.4" if name == FLOOR else f"C{index}",
            marker="o" if own else "sD^v"[index % 4],
            zorder=4 if own else 3,
            label=name,
        )
    axes.axvline(1.0, color="black", linewidth=0.8, label=REFERENCE)
    axes.set_yticks(range(len(rows)), [row.name.replace("`", "") for row in rows], fontsize=8)
    axes.set_xscale("log")
    ticks = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20]
    low, high = axes.get_xlim()
    axes.set_xticks([t for t in ticks if low <= t <= high], [f"{t:g}" for t in ticks if low <= t <= high])
    axes.minorticks_off()
    axes.grid(axis="x", color="0.92")
    axes.set_axisbelow(True)
    axes.set_xlabel(f"ratio of medians to {REFERENCE}; further left is better")
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=6, frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plot_names(curves: dict[str, list[tuple[int, float]]], path: Path) -> None:
    """Milliseconds per cell against the number of names."""
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(7, 4.2))
    for name, points in curves.items():
        kernel = name in (OURS, REFERENCE)
        axes.plot(
            [n for n, _ in points],
            [ms for _, ms in points],
            color="#d62728" if name == OURS else None,
            marker="o" if kernel else None,
            linestyle="-" if kernel else "--",
            label=name,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("names in the namespace")
    axes.set_ylabel("ms per cell `x = 1`")
    axes.grid(color="0.92")
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)

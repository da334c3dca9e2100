"""The table of ratios, and its plot."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .environments import OURS, REFERENCE


@dataclass(slots=True)
class Results:
    """Samples by case and kernel; failures by the same, with the reason."""

    versions: dict[str, str]
    machine: str
    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def add(self, case: str, unit: str, kernel: str, sample: float) -> None:
        """Add one sample."""
        self.units[case] = unit
        self.samples.setdefault(case, {}).setdefault(kernel, []).append(sample)

    def add_failure(self, case: str, unit: str, kernel: str, reason: str) -> None:
        """Note that a kernel did not get through a case."""
        self.units[case] = unit
        self.samples.setdefault(case, {})
        self.failures.setdefault(case, {})[kernel] = reason

    def median(self, case: str, kernel: str) -> float | None:
        """The median, `None` if there is no sample."""
        samples = self.samples.get(case, {}).get(kernel)
        return statistics.median(samples) if samples else None

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "versions": self.versions,
            "machine": self.machine,
            "units": self.units,
            "samples": self.samples,
            "failures": self.failures,
        }


def as_table(results: Results) -> str:
    """Markdown: p50 and p95 of this kernel and the reference, and every kernel's ratio to the latter."""
    kernels = [name for name in results.versions if name != REFERENCE]
    extra = sorted({name for by in results.samples.values() for name in by} - {*kernels, REFERENCE})
    titles = [
        "what",
        f"{OURS} p50 / p95",
        f"{REFERENCE} p50 / p95",
        *(f"{name} ÷" for name in [*kernels, *extra]),
    ]
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    for case, unit in results.units.items():
        cells = [f"{case}, {unit}", _percentiles(results, case, OURS), _percentiles(results, case, REFERENCE)]
        cells += [_ratio(results, case, name) for name in [*kernels, *extra]]
        lines.append(f"| {' | '.join(cells)} |")
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    return "\n".join(
        [f"{results.machine}; {versions}. ÷ is the ratio of medians to {REFERENCE}.", "", *lines]
    )


def _percentiles(results: Results, case: str, kernel: str) -> str:
    samples = sorted(results.samples[case].get(kernel, []))
    if not samples:
        return "fails" if kernel in results.failures.get(case, {}) else "–"
    late = samples[min(len(samples) - 1, round(0.95 * len(samples)))]
    return f"{_short(statistics.median(samples))} / {_short(late)}"


def _ratio(results: Results, case: str, kernel: str) -> str:
    own, reference = results.median(case, kernel), results.median(case, REFERENCE)
    if kernel in results.failures.get(case, {}):
        return "fails"
    if own is None:
        return "–"
    if not reference:
        return f"({_short(own)})"
    return f"{own / reference:.2f}"


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def plot(results: Results, path: Path) -> None:
    """Bars of the ratios to the reference; 1 is the reference."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    kernels = [name for name in results.versions if name != REFERENCE]
    cases = [case for case in results.units if results.median(case, REFERENCE)]
    figure, axes = plt.subplots(figsize=(9, 0.34 * len(cases) + 1.2))
    height = 0.8 / len(kernels)
    for index, name in enumerate(kernels):
        places = [row + (index - len(kernels) / 2) * height for row in range(len(cases))]
        medians = [(results.median(case, name), results.median(case, REFERENCE)) for case in cases]
        ratios = [own / reference if own and reference else 0.0 for own, reference in medians]
        axes.barh(places, ratios, height, label=name)
    axes.axvline(1.0, color="black", linewidth=0.8, label=REFERENCE)
    axes.set_yticks(range(len(cases)), [case.replace("`", "") for case in cases], fontsize=8)
    axes.set_xscale("symlog", linthresh=0.1)
    axes.set_xlabel(f"ratio of medians to {REFERENCE}; less is better")
    axes.invert_yaxis()
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)

"""What was measured: samples and failures, by case and kernel."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

from .environments import REFERENCE


@dataclass(slots=True)
class Row:
    """One case: `samples` and `failures` (reasons, one per round) by kernel."""

    name: str
    unit: str
    section: str
    reference: str = REFERENCE
    samples: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kernel: str, sample: float) -> None:
        """Add one sample."""
        self.samples.setdefault(kernel, []).append(sample)

    def fail(self, kernel: str, reason: str) -> None:
        """Note that the kernel did not get through the case this time."""
        self.failures.setdefault(kernel, []).append(reason)

    def is_hopeless(self, kernel: str) -> bool:
        """Whether the kernel has failed and never done it, so that trying again only takes time."""
        return kernel in self.failures and kernel not in self.samples

    def median(self, kernel: str) -> float | None:
        """The median; `None` if there is no sample."""
        samples = self.samples.get(kernel)
        return statistics.median(samples) if samples else None

    def late(self, kernel: str) -> float | None:
        """The 95th percentile; `None` if there is no sample."""
        samples = sorted(self.samples.get(kernel, ()))
        return samples[min(len(samples) - 1, int(0.95 * len(samples)))] if samples else None

    def ratio(self, kernel: str) -> float | None:
        """Of the kernel's median to the reference's."""
        own, reference = self.median(kernel), self.median(self.reference)
        return own / reference if own is not None and reference else None


@dataclass(slots=True)
class Results:
    """All rows, with what the numbers were measured on. `missing` says why a kernel was not measured."""

    machine: str
    rounds: int
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)

    def row(self, name: str, unit: str, section: str, reference: str = REFERENCE) -> Row:
        """The row of that name; new, if there is none."""
        return self.rows.setdefault(name, Row(name, unit, section, reference))

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)

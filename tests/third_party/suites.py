"""Which suites there are, and which of their tests are left out and why."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Exclusion:
    """A test, or all tests of a function, class, file or folder, and why it is left out."""

    pattern: str
    reason: str


@dataclass(frozen=True)
class Suite:
    """Another project's tests, as its data file describes them."""

    #: The name of the project on PyPI.
    distribution: str
    #: What its tests import besides what it depends on.
    imports: tuple[str, ...]
    pytest_args: tuple[str, ...]
    #: Tests in which no kernel runs that a kernelspec could choose. They are left out for every kernel.
    without_our_kernel: tuple[Exclusion, ...]
    #: Tests which do meet our kernel, but ask for what it does otherwise on purpose.
    differs: tuple[Exclusion, ...]
    #: Tests which open a window.
    needs_screen: tuple[Exclusion, ...]

    def excluded(self, ours: bool, screen: bool) -> tuple[Exclusion, ...]:
        """What is left out of a run against our kernel, or of one against ipykernel for comparison."""
        excluded = self.without_our_kernel
        if ours:
            excluded += self.differs
        if not screen:
            excluded += self.needs_screen
        return excluded


def load(name: str) -> Suite:
    """Read the data file of a suite."""
    data = tomllib.loads((HERE / f"{name}.toml").read_text())

    def exclusions(key: str) -> tuple[Exclusion, ...]:
        groups: list[dict[str, Any]] = data.get(key, [])
        return tuple(Exclusion(test, group["reason"].strip()) for group in groups for test in group["tests"])

    return Suite(
        name,
        tuple(data["imports"]),
        tuple(data["pytest_args"]),
        exclusions("without_our_kernel"),
        exclusions("differs"),
        exclusions("needs_screen"),
    )


SUITES = {name: load(name) for name in ("ipykernel", "nbclient")}

"""What a run of the harness counts: tries, violations, and what was measured, kept as JSON for the page.

A test that carries `@pytest.mark.trust(name, promise, ...)` gives one figure, or a part of it if several
carry the same name. It either counts its tries itself, with the fixture `trial`, or counts as one try.

    @pytest.mark.trust("overlap", "Overlapping cells are apart", tries=2_000, short=60, unit="cells")
    def test_overlapping_cells(trial: Trial, kernels: Kernels) -> None:
        for attempt in trial.attempts():
            with attempt as rng:  # an AssertionError in here is a violation, and the next attempt follows
                ...

Environment: `TRUST_SPECS`, the kernels (ours by default); `TRUST_SEED`; `TRUST_ONLY`, names of figures;
`TRUST_SCALE`, the part of `tries` that is made, where without it `short` are made; `TRUST_FIRST` and
`TRUST_TRIES`, to repeat some tries of a run.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType

from tests.kernel.client import ROOT

RECORDS = ROOT / "build" / "trust"
SEED = int(os.environ.get("TRUST_SEED", "1"))
SCALE = os.environ.get("TRUST_SCALE")
#: After so many a run ends: what is wrong is known by then, and each may have cost minutes of waiting.
MOST_VIOLATIONS = 25


@dataclass
class Record:
    """What one test counted."""

    name: str
    promise: str
    test: str
    spec: str
    unit: str = "tests"
    tries: int = 0
    violations: list[str] = field(default_factory=list)
    #: What the figure says besides, in the words of the page: `+1.9 MB in 1,000 acts`.
    measured: list[str] = field(default_factory=list)
    #: What was measured over time, for a plot: `acts`, and what there was after so many.
    series: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    seed: int = SEED

    def write(self) -> None:
        """Keep it, in the place of what this test counted before."""
        folder = RECORDS / self.spec / self.name
        folder.mkdir(parents=True, exist_ok=True)
        file = re.sub(r"\W+", "-", self.test)[-120:].strip("-")
        (folder / f"{file}.json").write_text(json.dumps(asdict(self), indent=1))


def read_records(folder: Path = RECORDS) -> list[Record]:
    """All that is kept there, in the order of the names."""
    return [Record(**json.loads(path.read_text())) for path in sorted(folder.rglob("*.json"))]


class Trial:
    """Counts the tries of one test and their violations."""

    def __init__(self, record: Record, tries: int, short: int) -> None:
        self.record = record
        self.seed = SEED
        self.long = SCALE is not None
        self.count = max(1, round(tries * float(SCALE))) if SCALE is not None else short
        self.first_error = ""
        self._began = time.monotonic()

    def random(self, number: int = 0) -> random.Random:
        """What a try draws from: the same for the same seed, test and number."""
        return random.Random(f"{self.seed} {self.record.name} {number}")

    def attempts(self) -> Iterator[Attempt]:
        """The tries, each with its number and its own random numbers; fewer after too many violations."""
        first = int(os.environ.get("TRUST_FIRST", "0"))
        for number in range(first, first + int(os.environ.get("TRUST_TRIES", self.count))):
            if len(self.record.violations) >= MOST_VIOLATIONS:
                return
            yield Attempt(self, number)

    def violated(self, text: str, number: int | None = None) -> None:
        """Note a violation, with what repeats it."""
        again = f"--seed {self.seed} --specs {self.record.spec} --only {self.record.name}"
        if number is not None:
            again += f" --first {number} --tries 1"
        elif SCALE is not None:
            again += f" --scale {SCALE}"
        self.record.violations.append(f'{text}\n    again: make trust ARGS="{again}"')

    @contextlib.contextmanager
    def holding(self, what: str, number: int | None = None) -> Iterator[None]:
        """What must hold beside the tries; an `AssertionError` in here is a violation."""
        try:
            yield
        except AssertionError as error:
            self.violated(f"{what}: {error}", number)

    def count_tries(self, number: int) -> None:
        """Note `number` tries of a test that does not use `attempts`."""
        self.record.tries += number

    def measure(self, text: str) -> None:
        """Note what the page says besides the count."""
        self.record.measured.append(text)

    def finish(self) -> None:
        """Keep the record, and fail if there were violations."""
        self.record.seconds = round(time.monotonic() - self._began, 1)
        self.record.write()
        record = self.record
        told = f"{record.name}: {len(record.violations)} of {record.tries:,} {record.unit}"
        print("; ".join([told, *record.measured]))
        assert not record.violations, "\n".join([told, *record.violations])


class Attempt:
    """One try."""

    def __init__(self, trial: Trial, number: int) -> None:
        self.number = number
        self._trial = trial

    def __enter__(self) -> random.Random:
        return self._trial.random(self.number)

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> bool:
        self._trial.record.tries += 1
        if isinstance(error, AssertionError):
            self._trial.violated(f"try {self.number}: {str(error) or 'an assertion'}", self.number)
            return True
        return False

"""What a cell costs as the namespace grows, from ten names to a million."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from .case import timed
from .catalogue import make_names
from .environments import OURS, REFERENCE, Kernel
from .results import Results
from .wire import Client, KernelSilent

SIZES = (10, 100, 1000, 10_000, 100_000, 1_000_000)
SECTION = "As the namespace grows"
LIMIT = "one dict copy and one identity pass"

#: What the exact comparison costs at least: run in the kernel, beside the cells that it is compared to.
_PROBE = """\
def _probe():
    import operator, time
    names = globals()
    base, times = names.copy(), []
    for _ in range(5):
        began = time.perf_counter()
        names.copy()
        assert len(names) == len(base) and all(map(operator.is_, names.values(), base.values()))
        times.append(time.perf_counter() - began)
    print(sorted(times)[2] * 1000)
_probe()"""


def _cell(size: int) -> str:
    return f"`x = 1` with {size:,} names"


def measure(kernels: Iterable[Kernel], results: Results) -> None:
    """One process of this kernel and of the reference for each size, one beside the other."""
    chosen = [kernel for kernel in kernels if kernel.name in (OURS, REFERENCE)]
    for size in SIZES:
        row = results.row(_cell(size), "ms", SECTION)
        for kernel in chosen:
            try:
                with Client(kernel) as client:
                    client.wait_ready()
                    client.run(make_names(size))
                    for _ in range(5):
                        client.run("x = 1")
                    for _ in range(15):
                        row.add(kernel.name, timed(client, "x = 1"))
                    if kernel.name == OURS:
                        texts = [m.content["text"] for m in client.run(_PROBE) if m.kind == "stream"]
                        results.row(f"{LIMIT}, {size:,} names", "ms", SECTION).add(
                            OURS, float("".join(texts))
                        )
            except KernelSilent as problem:
                row.fail(kernel.name, str(problem))


def curves(results: Results) -> dict[str, list[tuple[int, float]]]:
    """Milliseconds against the number of names, by what the line is called."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for size in SIZES:
        for name, row, kernel in (
            (OURS, _cell(size), OURS),
            (REFERENCE, _cell(size), REFERENCE),
            (LIMIT, f"{LIMIT}, {size:,} names", OURS),
        ):
            samples = results.rows[row].samples.get(kernel) if row in results.rows else None
            if samples:
                lines.setdefault(name, []).append((size, statistics.median(samples)))
    if OURS in lines:
        least = min(ms for _, ms in lines[OURS])
        lines["… on top of the smallest cell"] = [(size, ms + least) for size, ms in lines.get(LIMIT, [])]
    return lines

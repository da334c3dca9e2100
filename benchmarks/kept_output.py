"""`python -m benchmarks.kept_output`: what it costs to keep output for `%output`, for those who never ask.

Both sides are the same kernel, in processes of their own, by turns: `NamespaceKernel.kept_output` is what it
is by default, or 0. Measured is processor time, which other programs hardly change. Then it is asked: what
`%output` takes, beside the cell whose output it shows.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict

import psutil

from . import environments
from .case import count_lines
from .environments import OURS, Kernel
from .wire import Client, Message

_NOTHING = "%config NamespaceKernel.kept_output = 0"
#: Code, and how often it is run in a round.
CASES = {
    "200 cells `print(1)`": ("print(1)", 200),
    "100,000 printed lines": ("for i in range(100_000): print(i)", 3),
    "2,000 displays": ("for i in range(2000): display(i)", 3),
}
_ASKED = "100,000 printed lines"


def cost(client: Client, code: str) -> tuple[float, list[Message]]:
    """Milliseconds of processor time of the kernel, and what came."""
    process = psutil.Process(client.process.pid)
    before = process.cpu_times()
    messages = client.run(code)
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) * 1000, messages


def measure(kernel: Kernel, keeps: bool) -> tuple[dict[str, float], float]:
    """What each case cost; and what `%output` of one cell cost, 0.0 if nothing is kept."""
    found, number, last, asked = dict[str, float](), 1, 0, 0.0
    with Client(kernel) as client:
        client.wait_ready()
        client.run("pass" if keeps else _NOTHING)
        for name, (code, count) in CASES.items():
            client.run(code)
            found[name] = sum(cost(client, code)[0] for _ in range(count))
            number += 1 + count
            last = number if name == _ASKED else last
        if keeps:
            asked, messages = cost(client, f"%output {last}")
            if (shown := count_lines(messages)) != 100_000:
                raise RuntimeError(f"{shown:,} lines of 100,000 came again")
    return found, asked


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kept_output", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds: int = parser.parse_args().rounds
    kernel = environments.prepare(OURS)
    kept: dict[str, list[float]] = defaultdict(list)
    ratios: dict[str, list[float]] = defaultdict(list)
    asked = []
    for number in range(rounds):
        sides = {}
        for keeps in (True, False) if number % 2 else (False, True):
            found, shown = measure(kernel, keeps)
            sides[keeps] = found
            if keeps:
                asked.append(shown / (found[_ASKED] / CASES[_ASKED][1]))
        for name in CASES:
            kept[name].append(sides[True][name])
            ratios[name].append(sides[True][name] / sides[False][name])
    print("| | kept, ms | kept ÷ not kept | lowest to highest |\n|---|---|---|---|")
    for name, values in ratios.items():
        print(
            f"| {name} | {statistics.median(kept[name]):.3g} | {statistics.median(values):.2f} "
            f"| {min(values):.2f} to {max(values):.2f} |"
        )
    print(f"\n`%output` ÷ the cell of {_ASKED}: {statistics.median(asked):.2f}")


if __name__ == "__main__":
    main()

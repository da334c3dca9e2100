"""`make bench`: measure this kernel beside others and print tables of ratios."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from . import environments, names, plots, report
from .environments import ROOT, Kernel
from .results import Results
from .run import run_round, selected

_IMAGES = ROOT / "docs" / "images"


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default: 3)")
    parser.add_argument(
        "--kernels", nargs="+", default=list(environments.USUAL), choices=environments.NAMES, metavar="NAME"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="TEXT",
        help="measure only cases whose name contains one of these; `start` and `names` are cases, too",
    )
    parser.add_argument("--list", action="store_true", help="list the cases and kernels, and measure nothing")
    parser.add_argument("--json", type=Path, help="write all samples to this file")
    parser.add_argument("--plot", type=Path, help="draw the ratios into this file (needs matplotlib)")
    parser.add_argument("--plot-names", type=Path, help="draw the cost against the number of names")
    parser.add_argument(
        "--write",
        type=Path,
        metavar="DOCUMENT",
        help="write the tables between the markers of this document, and both plots into docs/images",
    )
    options = parser.parse_args()
    cases, with_start, with_names = selected(options.only)
    if options.list:
        print("kernels:", *environments.NAMES)
        print(*(case.name for case in cases), sep="\n")
        return
    if options.write:
        report.write_into(options.write, "Being measured.")  # whether it can be written to
        options.plot = options.plot or _IMAGES / "benchmarks.png"
        options.plot_names = options.plot_names or _IMAGES / "names.png"
    results = Results(environments.machine(), options.rounds)
    kernels = _prepare(options.kernels, results)
    began = time.monotonic()
    for number in range(options.rounds):
        run_round(number, kernels, cases, with_start, results)
        _say(f"round {number + 1} of {options.rounds} is done after {time.monotonic() - began:.0f} s")
    if with_names:
        names.measure(kernels, results)
        _say(f"the names are done after {time.monotonic() - began:.0f} s")
    markdown = report.as_markdown(results)
    print(markdown)
    if options.json:
        options.json.write_text(json.dumps(results.as_json(), indent=1))
    if options.plot:
        plots.plot_ratios(results, options.plot)
    if options.plot_names and with_names:
        plots.plot_names(names.curves(results), options.plot_names)
    if options.write:
        report.write_into(options.write, markdown)


def _prepare(wanted: list[str], results: Results) -> list[Kernel]:
    kernels = []
    for name in wanted:
        try:
            kernel = environments.prepare(name)
        except environments.NotAvailable as problem:
            results.missing[name] = str(problem)
            _say(str(problem))
        else:
            kernels.append(kernel)
            results.versions[name] = kernel.version
    return kernels


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

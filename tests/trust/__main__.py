"""`make trust`: the harness in its long form, for ours and for ipykernel, and its page."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import time

from tests.kernel.client import ROOT
from tests.trust.figures import RECORDS, read_records
from tests.trust.page import PAGE, PLOT, as_table, plot_days, write_into

#: Of another kernel nothing is expected; it need not be waited for as long as ours on a loaded machine.
PATIENCE_WITH_OTHERS = "10"


def main() -> int:
    """Parse the options and run; the exit status says whether ours kept its promises."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust", description=__doc__)
    parser.add_argument("--scale", default="1", help="the part of all tries to make (default: 1, hours)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--specs", default="namespace,python3", help="kernelspecs (default: both)")
    parser.add_argument("--only", nargs="+", default=[], help="names of figures, as in the page's table")
    parser.add_argument("--first", help="the number of the first try")
    parser.add_argument("--tries", help="how many tries, in the place of all")
    parser.add_argument("--workers", default="2", help="how many tests run at a time (default: 2)")
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    if not options.only:
        shutil.rmtree(RECORDS, ignore_errors=True)
    environment = {**os.environ, "TRUST_SCALE": options.scale, "TRUST_SEED": str(options.seed)}
    environment["TRUST_ONLY"] = " ".join(options.only)
    for name in ("first", "tries"):
        if getattr(options, name) is not None:
            environment[f"TRUST_{name.upper()}"] = getattr(options, name)
    status = 0
    for spec in options.specs.split(","):
        began = time.monotonic()
        environment["TRUST_SPECS"] = spec
        if spec != "namespace":
            environment["NAMESPACE_KERNEL_TEST_PATIENCE"] = PATIENCE_WITH_OTHERS
        failed = subprocess.call(_command(options), env=environment, cwd=ROOT)
        status = status or (failed if spec == "namespace" else 0)
        print(f"{spec}: {time.monotonic() - began:.0f} s, seed {options.seed}", flush=True)
    table = as_table(read_records(), options.seed)
    print(table)
    if options.write:
        plot_days(read_records(), PLOT)
        write_into(PAGE, f"{table}\n\n![The course of a day, in figures](images/{PLOT.name})")
    return status


def _command(options: argparse.Namespace) -> list[str]:
    # A run may take an hour, and what another kernel fails is no news. Python's own tracebacks: pytest parses
    # the source again, which Python 3.11 may refuse in a process where threads of a test have parsed, too.
    limits = ["--timeout=0", "-o", "faulthandler_timeout=0", "--tb=native", "-q", "-p", "no:cacheprovider"]
    workers = ["-n", options.workers, "--dist", "worksteal"]
    return [sys.executable, "-m", "pytest", *limits, *workers, "tests/trust"]


if __name__ == "__main__":
    sys.exit(main())

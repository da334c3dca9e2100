"""`make bench`: measure this kernel beside others and print a table of ratios."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

from . import environments, report
from .cases import CASES, Case
from .report import Results
from .wire import Client, Kernel, KernelSilent


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds; in each, every kernel is started once")
    parser.add_argument("--kernels", nargs="+", default=list(environments.NAMES), choices=environments.NAMES)
    parser.add_argument("--only", default="", help="measure only cases whose name contains this")
    parser.add_argument("--json", type=Path, help="write all samples to this file")
    parser.add_argument(
        "--plot", type=Path, help="write a plot of the ratios to this file (needs matplotlib)"
    )
    options = parser.parse_args()
    kernels = environments.prepare(options.kernels)
    cases = [case for case in CASES if options.only in case.name]
    results = Results(
        {kernel.name: environments.version_of(kernel) for kernel in kernels},
        f"{platform.machine()}, {_processors()} processors, {platform.system()}, "
        f"Python {platform.python_version()}",
    )
    for number in range(options.rounds):
        for kernel in kernels:
            print(f"round {number + 1} of {options.rounds}: {kernel.name}", file=sys.stderr)
            try:
                measure(kernel, cases, results, whole=not options.only)
            except KernelSilent as problem:
                print(problem, file=sys.stderr)
    _add_plain_python(results, cases)
    print(report.as_table(results))
    if options.json:
        options.json.write_text(json.dumps(results.as_json(), indent=1))
    if options.plot:
        report.plot(results, options.plot)


def measure(kernel: Kernel, cases: list[Case], results: Results, whole: bool) -> None:
    """One round of one kernel: a process for the start and the end, and one for each case that needs it."""
    with Client(kernel) as client:
        info = client.wait_ready()
        client.run("1+1")
        if whole:
            results.add("start to kernel_info", "s", kernel.name, info)
            results.add("start to first result", "s", kernel.name, time.perf_counter() - client.began)
            results.add("memory, idle", "MiB", kernel.name, client.memory())
        for case in cases:
            if kernel.name in case.skip:
                continue
            if case.prepare and not _prepared(client, case):
                continue
            if not _measure_case(client, case, results):
                return measure_rest(kernel, cases[cases.index(case) + 1 :], results)
        if whole:
            began = time.perf_counter()
            client.send("shutdown_request", {"restart": False}, "control")
            client.process.wait(60)
            results.add("shutdown", "s", kernel.name, time.perf_counter() - began)


def measure_rest(kernel: Kernel, cases: list[Case], results: Results) -> None:
    """Go on with a new process after a case that this kernel did not survive."""
    measure(kernel, cases, results, whole=False)


def _prepared(client: Client, case: Case) -> bool:
    return any(m.kind == "execute_reply" and m.content["status"] == "ok" for m in client.run(case.prepare))


def _measure_case(client: Client, case: Case, results: Results) -> bool:
    """Whether the kernel can be used further."""
    try:
        for sample in case.measure(client):
            results.add(case.name, case.unit, client.kernel.name, sample)
    except (KernelSilent, ValueError) as problem:
        results.add_failure(case.name, case.unit, client.kernel.name, str(problem))
        return False
    return True


def _add_plain_python(results: Results, cases: list[Case]) -> None:
    """What the same loop takes without any kernel."""
    from .cases import _LOOP

    if any(case.name == "pure-Python loop" for case in cases):
        for _ in range(5):
            # At the top level of a module, as in a cell: globals, not locals.
            done = subprocess.run([sys.executable, "-c", _LOOP], capture_output=True, text=True, check=True)
            results.add("pure-Python loop", "ms", "plain python", float(done.stdout))


def _processors() -> int:
    import os

    return os.cpu_count() or 1


if __name__ == "__main__":
    main()

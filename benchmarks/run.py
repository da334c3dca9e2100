"""Runs the cases: groups and kernels interleaved, each group of each kernel in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time

from .case import PLAIN, Case, Group, timed
from .catalogue import CASES, TIMED_LOOPS
from .environments import Kernel, clean_environment
from .results import Results, Row
from .wire import Client, KernelSilent

#: The headings of the tables.
_SECTIONS = {
    Group.CELLS: "One cell, and many",
    Group.TASKS: "One cell, and many",
    Group.NAMES_10K: "With a full namespace and a full heap",
    Group.NAMES_100K: "With a full namespace and a full heap",
    Group.NAMES_1M: "With a full namespace and a full heap",
    Group.HEAP: "With a full namespace and a full heap",
    Group.OUTPUT: "Output",
    Group.ERRORS: "Errors",
    Group.ANSWERS: "Answers, idle and while a cell runs",
    Group.STOP: "Stop, from request to reply",
    Group.CODE: "Code in a cell, against plain Python",
    Group.GROWTH: "Start, end and memory",
}
_START = "Start, end and memory"
_NAMES = "names"
#: How often a kernel is started that does not answer.
_ATTEMPTS = 3

#: Runs code as a cell does: at the top level of a module, where `await` is allowed.
_PLAIN = """\
import ast, asyncio, inspect, sys
code = compile(sys.argv[1], "<plain>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
names = {"__name__": "__main__"}
if code.co_flags & inspect.CO_COROUTINE:
    async def main(): await eval(code, names)
    asyncio.run(main())
else:
    exec(code, names)
"""


def selected(only: list[str]) -> tuple[list[Case], bool, bool]:
    """The cases whose name contains one of `only`; whether to measure the start; and a growing namespace."""
    if not only:
        return CASES, True, True
    chosen = [case for case in CASES if any(text in case.name for text in only)]
    return chosen, "start" in only, _NAMES in only


def run_round(
    number: int, kernels: list[Kernel], cases: list[Case], with_start: bool, results: Results
) -> None:
    """Every group once for every kernel; in the first round, after a start that does not count."""
    if with_start and number == 0:
        for kernel in kernels:
            _measure(kernel, [], Results("", 0), with_start)
    cases = [case for case in cases if number < case.rounds]
    if with_start:
        for kernel in kernels:
            for _ in range(2):
                _measure(kernel, [], results, with_start)
    for group in Group:
        of_group = [case for case in cases if case.group is group]
        if not of_group:
            continue
        began = time.monotonic()
        for kernel in kernels:
            _measure(kernel, of_group, results, with_start)
        if group is Group.CODE:
            _measure_plain(kernels[0], of_group, results)
        print(f"  {group}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _row(case: Case, results: Results) -> Row:
    return results.row(case.name, case.unit, _SECTIONS[case.group], case.reference)


def _measure(kernel: Kernel, cases: list[Case], results: Results, with_start: bool) -> None:
    """Measure `cases`, with a new process after each that the kernel does not get through."""
    left = [
        case
        for case in cases
        if kernel.name not in case.skip and not _row(case, results).is_hopeless(kernel.name)
    ]
    if cases and not left:
        return
    starts = 0
    while True:
        try:
            with Client(kernel) as client:
                _begin(client, results, with_start)
                starts = 0
                while left:
                    case = left.pop(0)
                    try:
                        if case.prepare:
                            client.run(case.prepare)
                        for sample in case.measure(client):
                            _row(case, results).add(kernel.name, sample)
                    except KernelSilent as problem:
                        _row(case, results).fail(kernel.name, str(problem))
                        break
                else:
                    _end(client, results, with_start and not cases)
                    return
        except KernelSilent as problem:
            # Another program may have taken one of its ports.
            starts += 1
            if starts == _ATTEMPTS:
                results.row("start to first result", "s", _START).fail(kernel.name, str(problem))
                return


def _begin(client: Client, results: Results, counts: bool) -> None:
    info = client.wait_ready()
    client.run("1+1")
    first = time.perf_counter() - client.began
    if counts:
        results.row("start to kernel_info", "s", _START).add(client.kernel.name, info)
        results.row("start to first result", "s", _START).add(client.kernel.name, first)


def _end(client: Client, results: Results, counts: bool) -> None:
    """The end of a process that has done nothing but start."""
    if counts:
        # Nothing that the first cell was spared may be paid for by the next ones.
        for which, code in (("second", "x = 1"), ("third", "print(x)"), ("fourth", "x")):
            sample = timed(client, code)
            results.row(f"the {which} cell, `{code}`", "ms", _START).add(client.kernel.name, sample)
        client.receive(0.5)
        results.row("memory, idle", "MiB", _START).add(client.kernel.name, client.memory())
        row = results.row("shutdown request to exit", "s", _START)
        try:
            row.add(client.kernel.name, client.end())
        except KernelSilent as problem:
            row.fail(client.kernel.name, str(problem))


def _measure_plain(kernel: Kernel, cases: list[Case], results: Results) -> None:
    """The same code in a Python process of the same environment."""
    for case in cases:
        for _ in range(3):
            command = [kernel.argv[0], "-c", _PLAIN, TIMED_LOOPS[case.name]]
            done = subprocess.run(
                command, capture_output=True, text=True, env=clean_environment(), check=True
            )
            _row(case, results).add(PLAIN, float(done.stdout))

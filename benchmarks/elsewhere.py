"""`python -m benchmarks.elsewhere`: cells in other processes beside joblib, ipyparallel and Dask.

Each round has processes of its own, one library after the other, and in each the measure that the ratios are
to: what a copy of the array takes there, or one pickling and unpickling of the dict.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from . import environments, report
from .environments import OURS, ROOT, Kernel, NotAvailable, clean_environment
from .results import Results
from .wire import Client, KernelSilent

RIVALS = ("joblib", "ipyparallel", "distributed")
_LIBRARIES = ["numpy==2.*", "cloudpickle", "xxhash", "joblib", "ipyparallel", "distributed"]
#: What the ratios are to.
_COPY, _PICKLED, _ARRAY, _PLAIN, _BY_HAND = (
    "a.copy()",
    "pickled and unpickled",
    "the array",
    "a plain cell",
    "scattered once, submitted",
)
_MIB = 2**20
_PATIENCE = 300.0
_EIGHT, _FOUR = 8, 4

#: Ours, as cells.
_CELLS = {
    _COPY: "b = a.copy()",
    "read": "%%isolated\ns = float(a.sum())",
    "in place": "%%isolated\na[0] += 1",
    "all in place": "%%isolated\na += 1",
    "back": "%%isolated\nb = np.ones({count})",
    _PICKLED: "x = pickle.loads(pickle.dumps(d, 5))",
    "dict read": "%%isolated\ns = len(d)",
    "dict changed": "%%isolated\nd['one more'] = 'entry'",
}
#: What is measured: what it is called, the case, whether the array is a new one.
_CASES = (
    ("the first read", "read", True),
    ("read again", "read", False),
    ("one element changed in place", "in place", True),
    ("all of it changed in place", "all in place", True),
    ("a new one back", "back", False),
    ("the dict is read", "dict read", False),
    ("the dict is changed", "dict changed", False),
)

Timed = Callable[[str, bool], float]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many numbers the array has, and how many entries the dict."""

    numbers: int
    entries: int

    @property
    def arrays(self) -> str:
        """The heading of what is measured with the array."""
        return f"An array of {self.numbers * 8 / _MIB:.0f} MiB, against one `a.copy()`"

    @property
    def dicts(self) -> str:
        """The heading of what is measured with the dict."""
        return f"A dict of {self.entries:,} texts, against pickling and unpickling it once"

    @property
    def prepare(self) -> str:
        """A cell that makes both."""
        return (
            f"import pickle, numpy as np\na = np.arange({self.numbers}.)\n"
            f'd = {{f"key{{number}}": f"value {{number}}" for number in range({self.entries})}}'
        )


_MEMORY = "The most memory of all processes, against the array"


def measure(kernel: Kernel, sizes: Sizes, rounds: int, say: Callable[[str], object]) -> Results:
    """All cases, library by library, round by round. `kernel` is ours, with the libraries beside it."""
    results = Results(environments.machine(), rounds, {OURS: kernel.version})
    for number in range(rounds):
        for name in (OURS, *RIVALS):
            with _noting(name, results):
                begin = _ours(kernel, sizes) if name == OURS else _rival(kernel, name, sizes)
                with begin as (timed, pid), _memory(pid) as most:
                    _round(name, timed, results, sizes)
                row = results.row("all cases", "MiB", _MEMORY, _ARRAY)
                row.add(name, most[0])
                row.add(_ARRAY, sizes.numbers * 8 / _MIB)
                results.versions.setdefault(name, _version(kernel, name))
        for other in OTHERS:
            with _noting(OURS, results):
                other(kernel, sizes, results)
        say(f"round {number + 1} of {rounds} is done")
    return results


def _version(kernel: Kernel, library: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({library!r}))"
    return subprocess.run([kernel.argv[0], "-c", code], capture_output=True, text=True).stdout.strip()


@contextmanager
def _noting(name: str, results: Results) -> Iterator[None]:
    try:
        yield
    except (NotAvailable, KernelSilent, OSError, ValueError) as problem:
        results.missing[name] = f"{type(problem).__name__}: {problem}"


def _round(name: str, timed: Timed, results: Results, sizes: Sizes) -> None:
    copies = [timed(_COPY, False) for _ in range(3)][1:]
    pickled = timed(_PICKLED, False)
    for title, case, new in _CASES:
        section, base = (sizes.dicts, _PICKLED) if "dict" in case else (sizes.arrays, _COPY)
        row = results.row(title, "s", section, base)
        row.add(name, timed(case, new))
        for one in [pickled] if base == _PICKLED else copies:
            row.add(base, one)


@contextmanager
def _session(kernel: Kernel, *prepare: str) -> Iterator[Client]:
    with Client(kernel) as client:
        client.wait_ready()
        for code in prepare:
            _run(client, code)
        yield client


def _run(client: Client, code: str) -> float:
    began = time.perf_counter()
    for message in client.run(code, _PATIENCE):
        if message.kind == "error":
            raise KernelSilent(f"{code!r} failed: {message.content['evalue']}")
    return time.perf_counter() - began


@contextmanager
def _ours(kernel: Kernel, sizes: Sizes) -> Iterator[tuple[Timed, int]]:
    with _session(kernel, sizes.prepare, "%%isolated\n1") as client:

        def timed(case: str, new: bool) -> float:
            if new:
                _run(client, "a = a.copy()")
            elapsed = _run(client, _CELLS[case].format(count=sizes.numbers))
            _run(client, "b = x = None")
            return elapsed

        yield timed, client.process.pid


@contextmanager
def _rival(kernel: Kernel, name: str, sizes: Sizes) -> Iterator[tuple[Timed, int]]:
    program = str(ROOT / "benchmarks" / "rivals.py")
    process = subprocess.Popen(
        [kernel.argv[0], program, name, str(sizes.numbers), str(sizes.entries)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=clean_environment(),
    )
    assert process.stdin is not None and process.stdout is not None
    with process, process.stdin as asked, process.stdout as said:
        try:
            if said.readline() != "ready\n":
                raise NotAvailable(f"{name} does not start")

            def timed(case: str, new: bool) -> float:
                asked.write(f"new\n{case}\n" if new else f"{case}\n")
                asked.flush()
                return float(said.readline())

            yield timed, process.pid
        finally:
            with contextlib.suppress(psutil.Error):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()


def _short_cells(kernel: Kernel, sizes: Sizes, results: Results) -> None:
    """A cell that does nothing, here and there in turn."""
    with _session(kernel, "%%isolated\n1") as client:
        row = results.row("a cell that does nothing", "s", "A cell by itself", _PLAIN)
        for _ in range(40):
            row.add(OURS, _run(client, "%%isolated\n1"))
            row.add(_PLAIN, _run(client, "1"))


def _eight(kernel: Kernel, sizes: Sizes, results: Results) -> None:
    """Background cells that read one array at a time: what they take beside it."""
    with _session(kernel, sizes.prepare.partition("\nd =")[0], "%%isolated\n1") as client:
        before = _of_tree(client.process.pid)
        with _memory(client.process.pid) as most:
            code = "%%background\n%%isolated\nimport time\ns{} = float(a.sum()); time.sleep(2)"
            for number in range(_EIGHT):
                client.execute(code.format(number))
            _run(client, "%wait")
        row = results.row(
            f"{_EIGHT} background cells that read it, beside the kernel", "MiB", _MEMORY, _ARRAY
        )
        row.add(OURS, most[0] - before)
        row.add(_ARRAY, sizes.numbers * 8 / _MIB)


def _dask(kernel: Kernel, sizes: Sizes, results: Results) -> None:
    """The same array in four cells on a cluster, and by hand: sent there once, then used by four tasks."""
    begin = (
        "from distributed import Client, LocalCluster\n"
        "client = Client(LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None))\n"
        "def total(array): return float(array.sum())\nimport numpy as np"
    )
    by_hand = "future = client.scatter(a)\n" + "client.submit(total, future, pure=False).result()\n" * _FOUR
    row = results.row(
        f"read by {_FOUR} cells of `%%dask`", "s", f"{sizes.arrays.split(',')[0]}, on a cluster", _BY_HAND
    )
    with _session(kernel, begin, "%%dask\n1") as client:
        for _ in range(2):
            _run(client, f"a = np.random.default_rng().random({sizes.numbers})")
            row.add(_BY_HAND, _run(client, by_hand))
            _run(client, f"del future\na = np.random.default_rng().random({sizes.numbers})")
            row.add(OURS, sum(_run(client, "%%dask\ns = total(a)") for _ in range(_FOUR)))


#: What is measured of ours alone.
OTHERS = (_short_cells, _eight, _dask)


@contextmanager
def _memory(pid: int) -> Iterator[list[float]]:
    """The most memory in MiB, at the end, that a process and its children took; shared pages count once."""
    most, ended = [0.0], threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            most[0] = max(most[0], _of_tree(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()


def _of_tree(pid: int) -> float:
    """MiB in use now. Memory that several have mapped is divided among them, as the system does."""
    total = 0
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        for one in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += one.memory_full_info().pss
    return total / _MIB


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.elsewhere", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default: 3)")
    parser.add_argument("--mib", type=int, default=1000, help="size of the array (default: 1000)")
    parser.add_argument("--entries", type=int, default=1_000_000, help="of the dict (default: 1,000,000)")
    parser.add_argument(
        "--write", type=Path, metavar="DOCUMENT", help="write between the markers of this document"
    )
    options = parser.parse_args()
    kernel = environments.prepare(OURS, _LIBRARIES, "elsewhere")
    sizes = Sizes(options.mib * _MIB // 8, options.entries)
    results = measure(kernel, sizes, options.rounds, lambda text: print(text, file=sys.stderr, flush=True))
    markdown = f"Load {os.getloadavg()[0]:.1f}. {report.as_markdown(results)}"
    print(markdown)
    if options.write:
        report.write_into(options.write, markdown)


if __name__ == "__main__":
    main()

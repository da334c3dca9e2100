"""`python -m benchmarks.memory`: cells that take memory as fast as they can, and cells that take none.

Each runs in a kernel of its own under a limit: a control group (which needs the right to make one), or
`ulimit -v`. Counted is how it ended, and whether the names of the cells before it are whole.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from . import environments, report
from .environments import OURS, Kernel
from .wire import Client, KernelSilent

_MIB = 2**20
#: Seconds in which a growing cell must have ended.
_PATIENCE = 120.0
_BEFORE = """\
import asyncio, subprocess, sys, tempfile, threading, time
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import pandas as pd
names = [7] * 1000"""
_WHOLE = "MemoryLimitError, all names whole"

#: What limits the kernel, and how many MiB.
LIMITS = (("a container", 512), ("a container", 1024), ("`ulimit -v`", 2048))

#: Each takes all that there is.
GROWING = {
    "a list of numbers": "kept = []\nwhile True: kept.append(len(kept))",
    "a list of lists": "kept = []\nwhile True: kept.append([0] * 1000)",
    "bytes": "kept = []\nwhile True: kept.append(bytearray(2**20))",
    "a dict of texts": "kept = {}\nwhile True: kept[len(kept)] = str(len(kept)) * 100",
    "a set": "kept = set()\nwhile True: kept.add((len(kept), 'x' * 200))",
    "texts": "kept = []\nwhile True: kept.append('x' * 100_000)",
    "bytes that grow": "kept = bytearray()\nwhile True: kept += bytes(10**6)",
    "a comprehension": "kept = [[0] * 1000 for _ in iter(int, 1)]",
    "a generator into a tuple": "kept = tuple(bytes(10_000) for _ in iter(int, 1))",
    "numpy": "kept = []\nwhile True: kept.append(np.ones(2**17))",
    "numpy that appends": "kept = np.zeros(2**17)\nwhile True: kept = np.append(kept, np.ones(2**17))",
    "pandas": "kept = []\nwhile True: kept.append(pd.DataFrame({'a': range(10_000), 'b': 'text'}))",
    "a background cell": "%%background\nkept = []\nwhile True: kept.append([0] * 1000)",
    "a child process": """\
subprocess.run([sys.executable, "-c", "kept = []\\nwhile True: kept.append(bytes(10**6))"], check=True)""",
    "a function": """\
def grow(kept):
    while True: kept.append([0] * 1000)
grow([])""",
    "copies": "import copy\nkept = []\nwhile True: kept.append(copy.deepcopy(names))",
    "instances": """\
class One:
    def __init__(self): self.values = [0] * 1000
kept = []
while True: kept.append(One())""",
    "an awaiting cell": """\
kept = []
while True:
    kept.append([0] * 1000)
    await asyncio.sleep(0)""",
    "tasks": """\
async def grow(kept):
    while True:
        kept.append([0] * 1000)
        await asyncio.sleep(0)
await asyncio.gather(*(grow([]) for _ in range(10)))""",
    "threads": """\
kept, growing = [], True
def grow():
    while growing: kept.append([0] * 1000)
threads = [threading.Thread(target=grow) for _ in range(4)]
try:
    for one in threads: one.start()
    for one in threads: one.join()
finally: growing = False""",
    "a thread pool": """\
with ThreadPoolExecutor(4) as pool:
    for _ in range(1000): kept = list(pool.map(lambda i: [0] * 10_000, range(10_000)))""",
}
#: None of these may be stopped. `{mib}` is what may be in use in all.
STILL = {
    "much in use, and asleep": "kept = bytearray({mib} * 2**20 * 5 // 10)\ntime.sleep(5)",
    "taken and given back": "for _ in range(200): bytearray({mib} * 2**20 // 3)",
    "numpy that computes": "a = np.ones(2**20)\nfor _ in range(2000): a = a * 1.0001",
    "files larger than the limit": """\
with tempfile.TemporaryFile() as file:
    for _ in range({mib} * 3 // 2): file.write(bytes(2**20))
    file.seek(0)
    while file.read(2**20): pass""",
    "children that come and go": """\
for _ in range(20): subprocess.run([sys.executable, "-c", "bytearray(5 * 10**7)"], check=True)""",
    "an awaiting cell": """\
kept = bytearray({mib} * 2**20 * 4 // 10)
for _ in range(50): await asyncio.sleep(0.1)""",
    "cycles": """\
for _ in range(300_000):
    a = [0] * 100
    a.append(a)""",
}


@contextlib.contextmanager
def control_group(mib: int) -> Iterator[Path]:
    """A group with that much memory. Raises `OSError` where one may not be made."""
    root = Path("/sys/fs/cgroup")
    if (root / "memory").is_dir():
        root, limit = root / "memory", "memory.limit_in_bytes"
    else:
        limit = "memory.max"
    group = root / f"bench-{uuid.uuid4().hex}"
    group.mkdir()
    try:
        (group / limit).write_text(str(mib * _MIB))
        yield group / "cgroup.procs"
    finally:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):  # until its last process is gone
                group.rmdir()
                break
            time.sleep(0.05)


@contextlib.contextmanager
def limited(kernel: Kernel, limit: str, mib: int) -> Iterator[Kernel]:
    """The kernel with a shell before it that sets the limit."""
    with contextlib.ExitStack() as stack:
        if limit == "a container":
            before = f"echo $$ > {stack.enter_context(control_group(mib))}"
        else:
            before = f"ulimit -v {mib * 1024}"
        yield replace(kernel, argv=["sh", "-c", f'{before} && exec "$@"', "sh", *kernel.argv])


def outcome(kernel: Kernel, code: str) -> str:
    """How a cell ended, in a few words."""
    with Client(kernel) as client:
        try:
            client.wait_ready()
            client.run(_BEFORE)
            messages = client.run(code, _PATIENCE)
            name = next((m.content["ename"] for m in messages if m.kind == "error"), "")
            if code.startswith("%%background") and not name:
                name = client.pump(lambda m: m.kind == "error", _PATIENCE)[-1].content["ename"]
            shown = client.run("sum(names)")
            whole = any(
                m.kind == "execute_result" and m.content["data"]["text/plain"] == "7000" for m in shown
            )
        except KernelSilent as silent:
            return str(silent)
    return f"{name or 'ok'}, {'all names whole' if whole else 'names are lost'}"


def main() -> None:
    """Run all under each limit, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--only", metavar="WORD", default="", help="the cells whose name contains this")
    parser.add_argument(
        "--limits", type=int, nargs="*", default=range(len(LIMITS)), help="which of the limits"
    )
    parser.add_argument(
        "--write", type=Path, metavar="DOCUMENT", help="write between the markers of this document"
    )
    options = parser.parse_args()
    kernel = environments.prepare(OURS, ["numpy==2.*", "pandas==3.*"])
    rows = []
    for limit, mib in (LIMITS[one] for one in options.limits):
        for title, cells, wanted in (
            ("that grow", GROWING, _WHOLE),
            ("that do not", STILL, "ok, all names whole"),
        ):
            found: dict[str, list[str]] = collections.defaultdict(list)
            for name, code in cells.items():
                if options.only not in name:
                    continue
                with limited(kernel, limit, mib) as one:
                    result = outcome(one, code.replace("{mib}", str(mib)))
                found[result].append(name)
                print(f"{limit} {mib} MiB, {name}: {result}", file=sys.stderr, flush=True)
            right = len(found.pop(wanted, []))
            others = "; ".join(f"{', '.join(names)}: {what}" for what, names in found.items())
            total = right + sum(map(len, found.values()))
            rows.append(f"| {limit} of {mib:,} MiB | {title} | {right} of {total} | {others or '–'} |")
    table = "\n".join(["| limit | cells | as wanted | otherwise |", "|---|---|---|---|", *rows])
    markdown = f"{report.measured_on([kernel])}\n\n{table}"
    print(markdown)
    if options.write:
        report.write_into(options.write, markdown)


if __name__ == "__main__":
    main()

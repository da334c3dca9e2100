"""`python -m benchmarks.durable`: what it costs to keep names, and how they come back, beside kishu and dill.

kishu keeps a state after each cell, inside the cell. dill has no such thing: here `dump_session` is called
after each cell, as one would do it by hand. Both run in ipykernel. All are measured in one run, with the same
notebooks.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.notebooks import NOTEBOOKS

from . import environments, report
from .environments import OURS, REFERENCE, Kernel
from .wire import Client, KernelSilent, Message

#: What the notebooks below import.
_LIBRARIES = ["numpy==2.*", "pandas==3.*"]
#: Notebooks that need nothing else.
_NAMES = (
    "sales", "cleaning", "joins", "views of an array", "structured arrays", "a list of frames", "a counter",
    "globals of functions", "decorators", "queues and counters", "accounts", "dataclasses", "enums", "a tree",
    "aliases everywhere", "game of life", "Monte Carlo",
)  # fmt: skip
_ARRAYS = "import numpy as np\narrays = [np.random.default_rng(i).random(1_310_720) for i in range({count})]"
_PATIENCE = 300.0

_KISHU = """\
from pathlib import Path as _Path
def _begin():
    import nbformat
    from kishu.storage.config import Config
    notebook = _Path({folder!r}) / "notebook.ipynb"
    if not notebook.exists():
        nbformat.write(nbformat.v4.new_notebook(), notebook)
    Config.set("JUPYTERINT", "test_mode", True)
    from kishu.jupyterint import KishuForJupyter
    from kishu.notebook_id import NotebookId
    kishu = KishuForJupyter(NotebookId(key="k", path=notebook.resolve(), kernel_id="x"), ip=get_ipython())
    kishu.set_session_id({session})
    kishu.install_kishu_hooks()
_begin()"""
_DILL = """\
def _begin():
    import dill
    def dump(_): dill.dump_session({folder!r} + "/session")
    get_ipython().events.register("post_run_cell", dump)
_begin()"""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to keep names: in which kernel, what begins it, what brings back what `mark` said."""

    name: str
    kernel: str
    begin: str = ""
    restore: str = ""
    mark: str = ""


WAYS = (
    Way("nothing kept", OURS),
    Way("%durable", OURS, "%durable bench", "%durable bench\n%restore"),
    Way("ipykernel, nothing kept", REFERENCE),
    Way("kishu", "kishu", _KISHU, "_kishu.checkout({mark!r})", "print(_kishu._kishu_graph.head())"),
    Way("dill", "dill", _DILL, "import dill; dill.load_session({folder!r} + '/session')"),
)


def text_of(messages: list[Message]) -> str:
    """What a cell printed, its value, or its error."""
    parts = []
    for message in messages:
        if message.kind == "stream" and message.content["name"] == "stdout":
            parts.append(message.content["text"])
        elif message.kind == "execute_result":
            parts.append(message.content["data"]["text/plain"] + "\n")
        elif message.kind == "error":
            parts.append(message.content["ename"] + "\n")
    return "".join(parts)


class Session:
    """One kernel process that keeps names in `folder`."""

    def __init__(self, way: Way, kernel: Kernel, folder: Path, number: int = 1) -> None:
        places = {"JUPYTER_DATA_DIR": str(folder), "KISHU_PATH_ROOT": str(folder), "OMP_NUM_THREADS": "1"}
        self._client = Client(replace(kernel, env={**kernel.env, **places}))
        self._way, self._folder = way, folder
        self._client.wait_ready()
        if way.begin and number == 1:
            self.run(way.begin.format(folder=str(folder), session=number))
        elif way.kernel == "kishu":
            self.run(_KISHU.format(folder=str(folder), session=number))

    def run(self, code: str) -> tuple[float, str]:
        """Run a cell; seconds to its reply, and what it showed."""
        began = time.perf_counter()
        messages = self._client.run(code, _PATIENCE)
        return time.perf_counter() - began, text_of(messages)

    def restore(self, mark: str) -> float:
        """Bring the names back; seconds."""
        return self.run(self._way.restore.format(folder=str(self._folder), mark=mark))[0]

    def mark(self) -> str:
        """What `restore` wants to know."""
        return self.run(self._way.mark)[1].strip() if self._way.mark else ""

    def settle(self) -> None:
        """Wait until all is on disk: ours writes between cells."""
        if self._way.kernel == OURS and self._way.begin:
            self.run("get_ipython().kernel.durability.journal.flush(120)")

    def memory(self) -> float:
        """MiB."""
        return self._client.memory()

    def kill(self) -> None:
        """End it as a crash does."""
        self._client.__exit__()


@contextlib.contextmanager
def session(way: Way, kernel: Kernel, folder: Path, number: int = 1) -> Iterator[Session]:
    """One that is killed at the end."""
    one = Session(way, kernel, folder, number)
    try:
        yield one
    finally:
        one.kill()


def on_disk(folder: Path) -> int:
    """Bytes."""
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


# The measurements: each gives a cell of a table, in words


def small_cells(way: Way, kernel: Kernel, folder: Path) -> list[float]:
    """Milliseconds of each of 300 cells, beside a namespace of a hundred names."""
    with session(way, kernel, folder) as one:
        one.run("import numpy as np\n" + "\n".join(f"v{i} = [{i}] * 50" for i in range(100)))
        for _ in range(20):
            one.run("n = 0")
        return [one.run(f"n += 1; v{i % 100}.append(n)")[0] * 1000 for i in range(300)]


def long_cells(way: Way, kernel: Kernel, folder: Path) -> list[float]:
    """Milliseconds of cells of about a second, each of which changes an array of 10 MB."""
    with session(way, kernel, folder) as one:
        one.run(_ARRAYS.format(count=10))
        one.settle()
        code = "for _ in range(500): arrays[0] += np.sqrt(arrays[1])"
        return [one.run(code)[0] * 1000 for _ in range(8)]


def one_of_many(way: Way, kernel: Kernel, folder: Path) -> dict[str, float]:
    """A hundred arrays of 10 MB, of which one is changed; killed, restored."""
    found: dict[str, float] = {}
    with session(way, kernel, folder) as one:
        found["first, s"] = one.run(_ARRAYS.format(count=100).replace("arrays = [", "made = [") + _NAMED)[0]
        one.settle()
        before, written = on_disk(folder), _written(one)
        found["change, s"] = one.run("a7[5] = 1.0")[0]
        one.settle()
        found["MB written"] = (_written(one) - written) / 2**20
        found["MB on disk"] = on_disk(folder) / 2**20
        found["grown, MB"] = (on_disk(folder) - before) / 2**20
        found["memory, MiB"] = one.memory()
        mark = one.mark()
    if way.restore:
        with session(way, kernel, folder, 2) as one:
            found["restore, s"] = one.restore(mark)
            seconds, text = one.run("float(a7[5]), round(float(a99[-1]), 6)")
            found["first cell, s"] = seconds
            found["right"] = float(text.startswith("(1.0, "))
    return found


def much_on_disk(kernel: Kernel, folder: Path, gigabytes: int) -> dict[str, float]:
    """So many GB in arrays of 10 MB, of which a new kernel's first cell reads one."""
    way = next(way for way in WAYS if way.name == "%durable")
    found: dict[str, float] = {}
    with session(way, kernel, folder) as one:
        one.run("import numpy as np")
        for number in range(gigabytes):
            one.run(
                f"for i in range({number * 100}, {number * 100 + 100}): "
                "globals()[f'a{i}'] = np.random.default_rng(i).random(1_310_720)"
            )
            one.settle()
        expected = one.run("float(a7[5])")[1]
        found["MB on disk"] = on_disk(folder) / 2**20
    for cached in (True, False):
        if not cached:
            os.sync()
            with contextlib.suppress(OSError):  # only root may; numpy is read again, too
                Path("/proc/sys/vm/drop_caches").write_text("3")
        where = "" if cached else ", nothing in the system's cache"
        with session(way, kernel, folder, 2) as one:
            found[f"restore, s{where}"] = one.restore("")
            seconds, text = one.run("float(a7[5])")
            found[f"first cell, s{where}"] = seconds
            found[f"right{where}"] = float(text == expected)
    return found


_NAMED = "\nfor i, a in enumerate(made): globals()[f'a{i}'] = a\ndel made, a, i"


def _written(one: Session) -> float:
    """Bytes that the process has given to be written; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{one._client.process.pid}/io").read_text().splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith("wchar")))
    except OSError:
        return 0.0


def notebooks(way: Way, kernel: Kernel, folder: Path) -> dict[str, float]:
    """Each notebook is killed before its last cell; a new kernel restores and runs that."""
    seconds, size, back, right = 0.0, 0, [], 0
    for name in _NAMES:
        cells, place = NOTEBOOKS[name], folder / name
        place.mkdir()
        with session(replace(way, begin="", mark=""), kernel, place) as one:
            expected = [one.run(code)[1] for code in cells][-1]
        shutil.rmtree(place)
        place.mkdir()
        with session(way, kernel, place) as one:
            seconds += sum(one.run(code)[0] for code in cells[:-1])
            one.settle()
            mark = one.mark()
        size += on_disk(place)
        if way.restore:
            with session(way, kernel, place, 2) as one:
                back.append(one.restore(mark))
                right += one.run(cells[-1])[1] == expected
    found = {"cells, s": seconds}
    if way.restore:
        found |= {"KB on disk": size / 2**10, "restore, s": statistics.median(back), "right": float(right)}
    return found


def _table(title: str, ways: list[Way], rows: dict[str, dict[str, str]]) -> str:
    lines = [
        f"### {title}",
        "",
        f"| | {' | '.join(way.name for way in ways)} |",
        "|---" * (len(ways) + 1) + "|",
    ]
    for row, values in rows.items():
        lines.append(f"| {row} | {' | '.join(values.get(way.name, '–') for way in ways)} |")
    return "\n".join(lines)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def measure(kernels: dict[str, Kernel], rounds: int, gigabytes: int, say: Callable[[str], None]) -> str:
    """All tables."""
    ways = [way for way in WAYS if way.kernel in kernels]
    times: dict[str, dict[str, dict[str, list[float]]]] = {"small": {}, "long": {}}
    once: dict[str, dict[str, dict[str, float]]] = {"arrays": {}, "notebooks": {}}
    failed: list[str] = []
    for number in range(rounds):
        for way in ways:
            for name, function in (("small", small_cells), ("long", long_cells)):
                with _folder() as folder, _noting(failed, f"{way.name}, {name} cells"):
                    some = times[name].setdefault(way.name, {"ms": []})["ms"]
                    some += function(way, kernels[way.kernel], folder)
            say(f"round {number + 1}, {way.name}")
    for way in ways:
        for name, whole in (("arrays", one_of_many), ("notebooks", notebooks)):
            with _folder() as folder, _noting(failed, f"{way.name}, {name}"):
                once[name][way.name] = whole(way, kernels[way.kernel], folder)
            say(f"{name}, {way.name}")
    parts = [
        _times(times["small"], "A small cell, milliseconds", ways),
        _times(times["long"], "A cell of a second that changes an array of 10 MB, milliseconds", ways),
    ]
    for name, title in (
        ("arrays", "A hundred arrays of 10 MB; one is changed; the kernel is killed"),
        ("notebooks", f"{len(_NAMES)} notebooks, killed before the last cell"),
    ):
        keys = list(dict.fromkeys(key for values in once[name].values() for key in values))
        rows = {
            key: {way: _short(values[key]) for way, values in once[name].items() if key in values}
            for key in keys
        }
        parts.append(_table(title, ways, rows))
    if gigabytes:
        with _folder() as folder, _noting(failed, f"{gigabytes} GB"):
            found = much_on_disk(kernels[OURS], folder, gigabytes)
            title = f"{gigabytes} GB in arrays of 10 MB; a new kernel's first cell reads one"
            rows = {key: {"%durable": _short(value)} for key, value in found.items()}
            parts.append(_table(title, [way for way in ways if way.name == "%durable"], rows))
        say(f"{gigabytes} GB")
    if failed:
        parts.append("### What failed\n\n" + "\n".join(f"- {one}" for one in failed))
    return "\n\n".join(parts)


def _times(found: dict[str, dict[str, list[float]]], title: str, ways: list[Way]) -> str:
    base = {OURS: found.get("nothing kept", {}).get("ms", [])}
    base["other"] = found.get("ipykernel, nothing kept", {}).get("ms", [])
    rows: dict[str, dict[str, str]] = {
        "median": {},
        "95 of 100": {},
        "median ÷ nothing kept": {},
        "95 of 100 ÷": {},
    }
    for way in ways:
        mine = found.get(way.name, {}).get("ms", [])
        usual = base[OURS if way.kernel == OURS else "other"]
        if not mine or not usual:
            continue
        for row, value in (("median", statistics.median), ("95 of 100", _p95)):
            rows[row][way.name] = _short(value(mine))
            rows[f"{row} ÷ nothing kept" if row == "median" else f"{row} ÷"][way.name] = (
                f"{value(mine) / value(usual):.2f}"
            )
    return _table(title, ways, rows)


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="durable-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _noting(failed: list[str], what: str) -> Iterator[None]:
    try:
        yield
    except (KernelSilent, OSError, ValueError) as problem:
        failed.append(f"{what}: {problem}")


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durable", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="interleaved rounds of cells (default: 2)")
    parser.add_argument(
        "--much",
        type=int,
        default=10,
        metavar="GB",
        help="also so many GB, which takes as much memory and disk; 0 leaves it out (default: 10)",
    )
    parser.add_argument(
        "--write", type=Path, metavar="DOCUMENT", help="write between the markers of this document"
    )
    options = parser.parse_args()
    kernels, missing = {}, []
    for name in dict.fromkeys(way.kernel for way in WAYS):
        try:
            kernels[name] = environments.prepare(name, _LIBRARIES)
        except environments.NotAvailable as problem:
            missing.append(f"**{name} could not be installed:** {problem}")
    head = report.measured_on(kernels.values())
    tables = measure(
        kernels, options.rounds, options.much, lambda text: print(text, file=sys.stderr, flush=True)
    )
    markdown = "\n\n".join([head, *missing, tables])
    print(markdown)
    if options.write:
        report.write_into(options.write, markdown)


if __name__ == "__main__":
    main()

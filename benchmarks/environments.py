"""The kernels to compare, each in an environment of its own; all but ours from the package index."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_DIRECTORY = ROOT / "build" / "benchmarks" / f"python{sys.version_info.major}.{sys.version_info.minor}"

OURS = "namespace_kernel"
REFERENCE = "ipykernel"
FLOOR = "floor"


@dataclass(frozen=True, slots=True)
class Kernel:
    """How to start a kernel. `{connection_file}` in `argv` is replaced.

    `by_message` says that its kernelspec wants it to be interrupted by a message, not by SIGINT.
    """

    name: str
    version: str
    argv: list[str]
    by_message: bool = False
    env: dict[str, str] = field(default_factory=dict)


class NotAvailable(RuntimeError):
    """A kernel cannot be had for this machine or this Python."""


_FROZEN = "-Xfrozen_modules=off"  # as the kernelspecs of both say, for the debugger's sake

#: What to install, and the arguments of the environment's Python, as the kernel's own kernelspec has them.
_KERNELS = {
    OURS: ([], [_FROZEN, "-P", "-m", OURS, "-f", "{connection_file}"]),
    REFERENCE: (["ipykernel==7.4.*"], [_FROZEN, "-m", "ipykernel_launcher", "-f", "{connection_file}"]),
    "async-kernel": (
        ["async-kernel==0.23.*"],
        ["-m", "async_kernel", "start", "--connection_file={connection_file}", "--name=async"],
    ),
    "xeus-python": (
        ["xeus-python==0.19.*", "xeus-python-shell"],
        ["-m", "xpython_launcher", "-f", "{connection_file}"],
    ),
    "akernel": (["akernel==0.4.*"], ["-m", "akernel", "launch", "-f", "{connection_file}"]),
    # What keeps names: in ipykernel, see `benchmarks.durable`.
    "kishu": (
        ["kishu==0.3.*", "ipykernel==7.4.*"],
        [_FROZEN, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    ),
    "dill": (
        ["dill==0.4.*", "ipykernel==7.4.*"],
        [_FROZEN, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    ),
    FLOOR: ([], [str(ROOT / "benchmarks" / "floor.py"), "{connection_file}"]),
}
NAMES = tuple(_KERNELS)
#: Those that are measured unless others are named; akernel has neither IPython nor the whole protocol.
USUAL = (OURS, REFERENCE, "async-kernel", "xeus-python", FLOOR)


def prepare(name: str, libraries: Sequence[str] = (), purpose: str = "libraries") -> Kernel:
    """Make the kernel's environment if it is missing, with `libraries` for `purpose`; how to start it.

    Raises `NotAvailable`.
    """
    packages, arguments = _KERNELS[name]
    home = OURS if name == FLOOR else name
    if libraries:  # beside the one that others measure
        packages, home = [*packages, *libraries], f"{home}-with-{purpose}"
    python = _DIRECTORY / home / "bin" / "python"
    if name in (OURS, FLOOR):
        _install_ours(python, libraries)
    elif not python.exists():
        _make(python, packages)
    package = OURS if name == FLOOR else name
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    version = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    return Kernel(
        name,
        version,
        [str(python), *arguments],
        by_message=name == "async-kernel",
    )


def clean_environment() -> dict[str, str]:
    """What every kernel gets: nothing of ours that changes Python, so that all load compiled modules."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def machine() -> str:
    """Processor, system and Python, for the table."""
    processor = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        processor = models[0] if models else processor
    return (
        f"{processor}, {os.cpu_count()} processors, {platform.system()} {platform.release()}, "
        f"CPython {platform.python_version()}"
    )


def _install_ours(python: Path, libraries: Sequence[str]) -> None:
    """As a user gets it: a wheel, not the source tree; anew whenever the source is younger."""
    stamp = python.parents[1] / ".installed"
    sources = [ROOT / "pyproject.toml", *(ROOT / OURS).rglob("*.py")]
    if stamp.exists() and max(path.stat().st_mtime for path in sources) <= stamp.stat().st_mtime:
        return
    if not python.exists():
        _make(python, [f"{ROOT}[durable]" if libraries else str(ROOT), *libraries])
    else:
        _pip(python, ["--force-reinstall", "--no-deps", str(ROOT)])
    stamp.touch()


def _make(python: Path, packages: list[str]) -> None:
    home = python.parents[1]
    print(f"Installing {' '.join(packages)}", file=sys.stderr)
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        _pip(python, packages)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise


def _pip(python: Path, arguments: list[str]) -> None:
    command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment() | _pip_options())
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["pip failed"]
        raise NotAvailable(f"{' '.join(arguments)} cannot be installed with {python}: {last[0]}")


def _pip_options() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("PIP_")}

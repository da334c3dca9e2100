"""The kernels to compare, each from the package index and in an environment of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from .wire import Kernel

ROOT = Path(__file__).resolve().parents[1]
_DIRECTORY = ROOT / "build" / "benchmarks"

#: What to install, and how to start it; `{python}` is the environment's.
_PACKAGES = {
    "ipykernel": (["ipykernel==7.4.*"], ["-m", "ipykernel_launcher", "-f", "{connection_file}"]),
    "async-kernel": (
        ["async-kernel"],
        ["-m", "async_kernel", "start", "--connection_file={connection_file}", "--name=async"],
    ),
    "xeus-python": (
        ["xeus-python", "xeus-python-shell"],
        ["-m", "xpython_launcher", "-f", "{connection_file}"],
    ),
}
OURS = "namespace_kernel"
REFERENCE = "ipykernel"
NAMES = (OURS, REFERENCE, "async-kernel", "xeus-python", "floor")


def prepare(names: list[str]) -> list[Kernel]:
    """Make the environments that are missing; return how to start each kernel."""
    return [_prepare(name) for name in names]


def _prepare(name: str) -> Kernel:
    own = str(Path(sys.executable).absolute())
    frozen = "-Xfrozen_modules=off"
    if name == OURS:
        return Kernel(name, [own, frozen, "-m", OURS, "-f", "{connection_file}"])
    if name == "floor":
        return Kernel(name, [own, str(ROOT / "benchmarks" / "floor.py"), "{connection_file}"])
    packages, arguments = _PACKAGES[name]
    python = _DIRECTORY / name / "bin" / "python"
    if not python.exists():
        print(f"Installing {' '.join(packages)}", file=sys.stderr)
        try:
            subprocess.run([sys.executable, "-m", "venv", str(_DIRECTORY / name)], check=True)
            subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
        except BaseException:
            shutil.rmtree(_DIRECTORY / name, ignore_errors=True)
            raise
    return Kernel(name, [str(python), *([frozen] if name == REFERENCE else []), *arguments])


def version_of(kernel: Kernel) -> str:
    """The version of the kernel's package, as its environment says."""
    package = OURS if kernel.name == "floor" else kernel.name
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = subprocess.run([kernel.argv[0], "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "?"

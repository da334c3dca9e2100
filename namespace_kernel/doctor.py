"""`namespace-kernel doctor`: is all there that the kernel needs, does it run cells, and what is to be mended.

Each check yields findings. It changes nothing, except that it starts a kernel of its own and ends it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from jupyter_core.application import JupyterApp
from jupyter_core.paths import jupyter_path
from packaging.requirements import InvalidRequirement, Requirement

from namespace_kernel import __version__
from namespace_kernel.install import KERNEL_NAME, InstallError, install_spec, prefix_location, spec_source

#: Seconds that the kernel has to start, and each cell to end. A Dask cluster is the slowest.
PATIENCE = 60.0

#: The way of a cell, the cell, and what it must display.
CELLS = (
    ("a plain cell", "6 * 7"),
    ("a cell that awaits", "import asyncio\nawait asyncio.sleep(0, 42)"),
    ("asyncio.run()", "import asyncio\nasyncio.run(asyncio.sleep(0, 42))"),
    ("%%background", "%%background\n6 * 7"),
    ("%%isolated", "%%isolated\n6 * 7"),
    ("%%dask", "%%dask\n6 * 7"),
)
EXPECTED = "42"


class Verdict(StrEnum):
    """What a finding means."""

    FINE = "ok"
    NOTE = "note"
    BROKEN = "MEND"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and what the reader can do about it."""

    verdict: Verdict
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f"\n      → {self.remedy}" if self.remedy else ""
        return f"{self.verdict:<4}  {self.text}{remedy}"


def fine(text: str) -> Finding:
    """Nothing to do."""
    return Finding(Verdict.FINE, text)


def note(text: str, remedy: str = "") -> Finding:
    """Good to know; nothing is broken."""
    return Finding(Verdict.NOTE, text, remedy)


def broken(text: str, remedy: str) -> Finding:
    """To be mended."""
    return Finding(Verdict.BROKEN, text, remedy)


def main(argv: list[str] | None = None) -> int:
    """Check all and print what was found. Returns 0, or 1 if something is to be mended."""
    parser = argparse.ArgumentParser(
        prog=f"{KERNEL_NAME} doctor",
        description="Check installation, versions, kernelspec and encryption, and run a cell of each kind.",
    )
    try:
        parser.parse_args((sys.argv[1:] if argv is None else argv)[1:])
    except SystemExit as stop:  # argparse has printed the help or the error
        return stop.code if isinstance(stop.code, int) else 2
    count = 0
    for check in (installation, versions, kernelspec, encryption, cells):
        for finding in check():
            print(finding, flush=True)
            count += finding.verdict is Verdict.BROKEN
    print(f"\n{count} to mend." if count else "\nAll is well.")
    return 1 if count else 0


def installation() -> Iterator[Finding]:
    """The package and its Python."""
    yield fine(f"{KERNEL_NAME} {__version__} in {Path(__file__).parent}")
    yield fine(f"Python {sys.version.split()[0]}, {sys.executable}")


def versions() -> Iterator[Finding]:
    """Each package that the kernel needs, in a version that it works with."""
    try:
        requirements = metadata.requires(KERNEL_NAME) or []
    except metadata.PackageNotFoundError:
        yield broken("The package is not installed: this is a folder of its source.", _pip("."))
        return
    wrong = [finding for text in requirements if (finding := _version(text)) is not None]
    yield from wrong
    if not wrong:
        yield fine(
            "Versions of the packages that it needs: " + _named("ipykernel", "IPython", "jupyter_client")
        )
    frontends = _named("jupyterlab", "notebook", "nbconvert", "jupyter_console")
    yield fine(f"Frontends in this environment: {frontends or 'none'}")


def _version(text: str) -> Finding | None:
    try:
        wanted = Requirement(text)
    except InvalidRequirement:
        return None
    if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
        return None
    try:
        found = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return broken(f"{wanted.name} is not installed.", _pip(f"'{wanted.name}{wanted.specifier}'"))
    if wanted.specifier.contains(found, prereleases=True):
        return None
    return broken(
        f"{wanted.name} is {found}, needed is {wanted.specifier}.", _pip(f"'{wanted.name}{wanted.specifier}'")
    )


def _named(*packages: str) -> str:
    found = []
    for package in packages:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def _pip(what: str) -> str:
    return f"{sys.executable} -m pip install {what}"


def kernelspec() -> Iterator[Finding]:
    """The entries of this kernel that a Jupyter of this environment finds, and the Python of each."""
    install = f"{sys.executable} -m {KERNEL_NAME} install"
    try:
        spec_source()
    except InstallError as error:
        yield broken("The package lacks its kernelspec.", str(error))
    manager = KernelSpecManager(kernel_dirs=jupyter_path("kernels"), ensure_native_kernel=False)
    ours = {
        name: argv
        for name, place in sorted(manager.find_kernel_specs().items())
        if KERNEL_NAME in (argv := _argv(Path(place)))
    }
    if not ours:
        yield broken("No Jupyter finds this kernel: it has no kernelspec.", f"{install} --user")
    for name, argv in ours.items():
        place = f"Kernelspec {name} in {manager.find_kernel_specs()[name]}"
        if shutil.which(argv[0]) is None:
            yield broken(f"{place} starts {argv[0]}, which is not there.", f"{install} --user --name {name}")
        elif "/" in argv[0] and Path(argv[0]) != Path(sys.executable):
            yield note(
                f"{place} starts another Python, {argv[0]}.",
                f"to check that one: {argv[0]} -m {KERNEL_NAME} doctor",
            )
        else:
            yield fine(place)


def _argv(place: Path) -> list[str]:
    try:
        argv = json.loads((place / "kernel.json").read_text(encoding="utf-8"))["argv"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return argv if isinstance(argv, list) and all(isinstance(word, str) for word in argv) else []


def encryption() -> Iterator[Finding]:
    """How Jupyter and its kernels speak to each other, as Jupyter's configuration has it."""
    app = JupyterApp()
    app.config_file_name = "jupyter_server_config"
    app.load_config_file()
    manager = KernelManager(parent=app)
    policy = getattr(manager, "transport_encryption", "disabled")
    if manager.transport != "tcp":
        yield fine("Jupyter speaks to kernels over files of this machine (IPC).")
    elif policy != "disabled":
        yield fine("Jupyter's connections to kernels are encrypted.")
    elif not hasattr(manager, "transport_encryption") or not zmq.has("curve"):
        yield note("Jupyter speaks to kernels without encryption, and what is installed here cannot encrypt.")
    else:
        yield note(
            "Jupyter speaks to kernels without encryption: other users of this machine could listen."
            " Each start of a kernel warns of it.",
            f"in {app.config_dir}/jupyter_server_config.py: c.KernelManager.transport_encryption = 'auto'",
        )


def cells() -> Iterator[Finding]:
    """Start a kernel with this Python, and let it run a cell of each kind."""
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch, "log.txt")
        try:
            location = prefix_location(scratch, "")
            install_spec(location)
        except InstallError as error:
            yield broken("No kernel could be started.", str(error))
            return
        specs = KernelSpecManager(kernel_dirs=[str(location.kernels_dir)], ensure_native_kernel=False)
        transport = "tcp" if sys.platform == "win32" else "ipc"
        manager = KernelManager(kernel_name=KERNEL_NAME, kernel_spec_manager=specs, transport=transport)
        manager.connection_file = str(Path(scratch, "connection.json"))
        with log.open("w") as output:
            manager.start_kernel(stdout=output, stderr=output)
        try:
            yield from _run_cells(manager, log)
        finally:
            manager.shutdown_kernel()


def _run_cells(manager: KernelManager, log: Path) -> Iterator[Finding]:
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        for name, code in CELLS:
            if name == "%%dask" and find_spec("distributed") is None:
                yield note("Dask is not installed; only %%dask needs it.", _pip(f"'{KERNEL_NAME}[dask]'"))
            else:
                yield _run_cell(client.execute_interactive, name, code)
    except (RuntimeError, TimeoutError) as error:
        said = log.read_text(errors="replace").strip() or "nothing"
        yield broken(
            f"The kernel does not run: {error}. It said:\n{said}",
            "mend what the last line says, and try again",
        )
    finally:
        client.stop_channels()


def _run_cell(execute: Callable[..., Any], name: str, code: str) -> Finding:
    shown: list[str] = []
    errors: list[str] = []

    def see(message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "execute_result":
            shown.append(content["data"]["text/plain"])
        elif message["msg_type"] == "error":
            errors.append(f"{content['ename']}: {content['evalue']}")

    execute(code, store_history=False, allow_stdin=False, timeout=PATIENCE, output_hook=see)
    if shown == [EXPECTED] and not errors:
        return fine(f"It ran {name}.")
    failed = "; ".join(errors) or f"it displayed {shown}"
    return broken(
        f"It did not run {name}: {failed}",
        "start a notebook with this kernel and run the cell there:\n" + code,
    )

"""Runs a suite in a process of its own, with our kernel as the `python3` that it finds."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from tests.third_party.plugin.third_party_plugin import INSTRUCTIONS
from tests.third_party.sdist import fetch, unpack_tests
from tests.third_party.suites import HERE, Suite

ROOT = HERE.parents[1]
IN_CI = bool(os.environ.get("NAMESPACE_KERNEL_CI"))
# As for tests/kernel: `python3` runs the suites against ipykernel, to see what fails there as well.
OURS = os.environ.get("NAMESPACE_KERNEL_TEST_SPEC", "namespace") == "namespace"
MODULE = "namespace_kernel" if OURS else "ipykernel_launcher"


class SuiteError(Exception):
    """The suite could not be run."""


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    suite: Suite
    exit_status: int
    counts: dict[str, int]
    failed: tuple[str, ...]
    #: Exclusions that name no test of this version. Only a run of the whole suite can tell.
    unmatched: tuple[str, ...]

    @property
    def green(self) -> bool:
        return self.exit_status == 0 and not self.unmatched

    def summary(self) -> str:
        """What happened, in a line; below it what must not happen."""
        counts = self.counts
        lines = [
            f"{self.suite.distribution} {version(self.suite.distribution)} against {MODULE}: "
            f"{counts['passed']} passed, {counts['failed'] + counts['error']} failed, "
            f"{counts['skipped'] + counts['xfailed']} skipped, {counts['deselected']} deselected",
            *(f"  failed: {test}" for test in self.failed),
            *(f"  excluded, but there is no such test: {pattern}" for pattern in self.unmatched),
        ]
        return "\n".join(lines)


def missing_imports(suite: Suite) -> list[str]:
    """What the suite needs and is not installed."""
    return [name for name in suite.imports if find_spec(name) is None]


def run(suite: Suite, pytest_args: Sequence[str] = (), output: IO[str] | None = None) -> Result:
    """Run `suite`. Its terminal output goes to `output`, or where our own goes."""
    missing = missing_imports(suite)
    if missing:
        hint = "make test installs it"
        raise SuiteError(f"the tests of {suite.distribution} need {', '.join(missing)}: {hint}")
    archive = fetch(suite.distribution)
    with tempfile.TemporaryDirectory(prefix=f"{suite.distribution}-tests-") as name:
        directory = Path(name)
        tests = directory / "suite"
        unpack_tests(archive, tests)
        instructions, report = directory / "instructions.json", directory / "report.json"
        excluded = [exclusion.pattern for exclusion in suite.excluded(OURS, _has_screen() or IN_CI)]
        instructions.write_text(json.dumps({"module": MODULE, "excluded": excluded, "report": str(report)}))
        command = [sys.executable, "-m", "pytest", "-p", "third_party_plugin", "--color=auto"]
        status = _call(
            [*_virtual_screen(), *command, *suite.pytest_args, *pytest_args],
            tests,
            environment(directory) | {INSTRUCTIONS: str(instructions)},
            output,
        )
        if not report.exists():
            raise SuiteError(f"pytest ended with status {status} before it ran a test")
        told = json.loads(report.read_text())
    unmatched = () if pytest_args else told["unmatched"]
    return Result(suite, status, told["counts"], tuple(told["failed"]), tuple(unmatched))


def _call(command: list[str], cwd: Path, env: dict[str, str], output: IO[str] | None) -> int:
    stderr = None if output is None else subprocess.STDOUT
    # A session of its own, so that whoever ends us, by a time limit or Ctrl-C, ends everything below as well.
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdout=output, stderr=stderr, start_new_session=True
    ) as process:
        try:
            return process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise


def _has_screen() -> bool:
    return find_spec("_tkinter") is not None and bool(os.environ.get("DISPLAY") or _virtual_screen())


def _virtual_screen() -> list[str]:
    if os.environ.get("DISPLAY") or shutil.which("xvfb-run") is None:
        return []
    return ["xvfb-run", "--auto-servernum"]


def environment(directory: Path) -> dict[str, str]:
    """The suite's environment: a Jupyter home of its own, in which `python3` is the kernel under test."""
    env = dict(os.environ)
    # In CI ipykernel skips its GUI tests, because there may be no screen. Where we run them there is one.
    env.pop("CI", None)
    # Qt's plugin for a real screen wants libraries of the system that a machine for tests may lack.
    env.setdefault("QT_QPA_PLATFORM", "offscreen")
    env["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(HERE / "plugin"), str(ROOT), env.get("PYTHONPATH")])
    )
    # `jupyter` and its subcommands are those of this environment.
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", "")])
    share = directory / "share"
    env["JUPYTER_PATH"] = str(share)
    for variable in ("CONFIG", "DATA", "RUNTIME"):
        env[f"JUPYTER_{variable}_DIR"] = str(directory / variable.lower())
    env["IPYTHONDIR"] = str(directory / "ipython")
    env["JUPYTER_PLATFORM_DIRS"] = "1"
    _write_kernelspec(share / "kernels" / "python3")
    return env


#: The suites look at all that a cell displays, and at where ipykernel sends the output of threads.
AS_IN_IPYKERNEL = [
    "--NamespaceKernel.report_tasks=False",
    "--NamespaceKernel.report_threads=False",
    "--NamespaceKernel.thread_output=latest",
]


def _write_kernelspec(directory: Path) -> None:
    shutil.copytree(ROOT / "kernelspec", directory)
    path = directory / "kernel.json"
    spec = json.loads(path.read_text())
    spec["argv"] = [
        {"python": sys.executable, "namespace_kernel": MODULE}.get(arg, arg) for arg in spec["argv"]
    ]
    spec["argv"] += AS_IN_IPYKERNEL
    path.write_text(json.dumps(spec))

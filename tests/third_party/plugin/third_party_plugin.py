"""A pytest plugin that is loaded into another project's test run with `-p`.

It deselects what the suite's data file excludes, points the helpers that name ipykernel at our kernel, and
writes the counts down for the runner. It must not import anything of the package `tests`: in that run the
name belongs to the other project.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.connect import LocalPortCache
from jupyter_client.kernelspec import KernelSpecManager

#: The environment variable that names the file with the runner's instructions.
INSTRUCTIONS = "THIRD_PARTY_INSTRUCTIONS"

_COUNTED = ("passed", "failed", "error", "skipped", "deselected", "xfailed", "xpassed")


class ThirdPartyPlugin:
    """Follows the runner's instructions in one run."""

    def __init__(self, instructions: dict[str, Any]) -> None:
        self.module: str = instructions["module"]
        self.excluded: list[str] = instructions["excluded"]
        self.report = Path(instructions["report"])
        self.unmatched = set(self.excluded)

    def pytest_sessionstart(self) -> None:
        """See to it that the suite meets the kernel it is meant to meet."""
        argv = KernelSpecManager().get_kernel_spec("python3").argv
        if self.module not in argv:
            raise pytest.UsageError(f"the kernelspec `python3` does not start {self.module}, but: {argv}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect what is excluded. First of all hooks, so that no `-k` hides an item from us."""
        kept: list[pytest.Item] = []
        deselected: list[pytest.Item] = []
        for item in items:
            pattern = next((pattern for pattern in self.excluded if covers(pattern, item.nodeid)), None)
            self.unmatched.discard(pattern or "")
            (deselected if pattern else kept).append(item)
        if deselected:
            config.hook.pytest_deselected(items=deselected)
            items[:] = kept

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Adapt the helpers in the modules of all tests that remain."""
        if self.module == "namespace_kernel":
            for module in {item.module for item in session.items if isinstance(item, pytest.Function)}:
                point_at_our_kernel(module)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Write the report."""
        stats = terminalreporter.stats
        report = {
            "counts": {outcome: len(stats.get(outcome, ())) for outcome in _COUNTED},
            "failed": [entry.nodeid for outcome in ("failed", "error") for entry in stats.get(outcome, ())],
            "unmatched": sorted(self.unmatched),
        }
        self.report.write_text(json.dumps(report))


def covers(pattern: str, nodeid: str) -> bool:
    """Whether `pattern` names this test, or its function, class, file or folder."""
    return nodeid == pattern or nodeid.startswith((f"{pattern}[", f"{pattern}::", f"{pattern}/"))


def point_at_our_kernel(module: Any) -> None:
    """Adapt the helpers of a test module that know ipykernel by name; the kernelspec does it for the rest."""
    for name, adapt in _ADAPTED.items():
        if name in vars(module):
            setattr(module, name, adapt(vars(module)[name]))


def _launch_ours(setup_kernel: Callable[[str], Any]) -> Callable[[str], Any]:
    """ipykernel's tests of `launch_new_instance` import it in a program that they hand to this helper."""

    def setup(command: str) -> Any:
        return setup_kernel(command.replace("ipykernel.kernelapp", "namespace_kernel.app"))

    return setup


def _filter_our_log(filter_messages: Callable[[str], str]) -> Callable[[str], str]:
    """nbclient allows two warnings of ipykernel's application, which it knows by the name of its class."""

    def filtered(err_output: str) -> str:
        return filter_messages(err_output.replace("[NamespaceKernelApp]", "[IPKernelApp]"))

    return filtered


_ADAPTED: dict[str, Callable[[Any], Any]] = {
    "setup_kernel": _launch_ours,
    "filter_messages_on_error_output": _filter_our_log,
}


def _find_available_port(cache: LocalPortCache, ip: str) -> int:
    """Choose a port that no outgoing connection can take before the kernel binds it.

    jupyter_client takes one from the range of which the system also serves outgoing connections. Of the
    hundreds of kernels that a run starts, one or two would find their port in use.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if port not in cache.currently_used_ports and probe.connect_ex((ip, port)) != 0:
                cache.currently_used_ports.add(port)
                return port


def pytest_addoption(parser: pytest.Parser) -> None:
    # ipykernel's tests ask whether coverage is measured; without pytest-cov the question is an error.
    if importlib.util.find_spec("pytest_cov") is None:
        parser.addoption("--cov", action="append", default=[])


def pytest_configure(config: pytest.Config) -> None:
    LocalPortCache.find_available_port = _find_available_port  # type: ignore[method-assign, assignment]
    # Both suites mark tests for the `flaky` plugin. Without it these run once, but the mark must exist.
    config.addinivalue_line("markers", "flaky(max_runs): is run again when it fails")
    config.pluginmanager.register(ThirdPartyPlugin(json.loads(Path(os.environ[INSTRUCTIONS]).read_text())))

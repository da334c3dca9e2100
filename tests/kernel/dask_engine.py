"""A Dask scheduler and two workers, each a process of its own, on this machine only."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


class DaskEngine:
    """`address` is the scheduler's; workers that are gone are not replaced. Thread: the test's."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.scheduler = self._start("scheduler", "--port", "0", "--no-dashboard")
        self.address = self._said(self.scheduler, r"Scheduler at:\s+(tcp://\S+)")
        options = ("--no-nanny", "--no-dashboard", "--nthreads", "2", "--resources", "SEAT=1")
        self.workers = [self._start("worker", self.address, *options) for _ in range(2)]
        for worker in self.workers:
            self._said(worker, r"(Registered to): ")

    def _start(self, what: str, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{what}", "--host", "127.0.0.1", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self.directory,
            text=True,
        )

    @staticmethod
    def _said(process: subprocess.Popen[str], pattern: str) -> str:
        """What `pattern` finds in a line of its log; waits for that."""
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError("".join(lines))

    def close(self) -> None:
        """End what is left."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()

"""What needs a running loop though nobody awaits, and works in ipykernel's cells.

By package: the names as they are called, with dots inside of the package. A method stands below its class.
"""

from __future__ import annotations

from collections.abc import Mapping

NEEDS_LOOP: Mapping[str, frozenset[str]] = {
    "asyncio": frozenset(
        (
            "create_task",
            "ensure_future",
            "get_running_loop",
            "current_task",
            "all_tasks",
            "gather",
            "shield",
        )
    ),
    "aiohttp": frozenset(("ClientSession", "TCPConnector", "UnixConnector")),
    # They ask `get_running_loop`, and otherwise make and set a loop that nobody runs, or do nothing.
    "adaptive": frozenset(("Runner", "AsyncRunner", "runner.Runner", "runner.AsyncRunner")),
    "panel": frozenset(
        (
            "state.add_periodic_callback",
            "io.state.add_periodic_callback",
            "_state.add_periodic_callback",
            "PeriodicCallback.start",
            "io.PeriodicCallback.start",
        )
    ),
    "apscheduler": frozenset(("AsyncIOScheduler.start", "schedulers.asyncio.AsyncIOScheduler.start")),
}

#: What starts a loop of its own, and refuses to where one is running.
RUNS_LOOP: Mapping[str, frozenset[str]] = {"asyncio": frozenset(("run", "Runner"))}

#: Methods that do so, whatever they belong to.
RUNS_LOOP_METHODS = frozenset(("run_until_complete", "run_forever"))

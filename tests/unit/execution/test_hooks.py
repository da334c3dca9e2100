"""What happens between a cell's end and its reply."""

from __future__ import annotations

import asyncio

import pytest

from namespace_kernel import (
    AsyncNamespaceManager,
    CellChanges,
    DeferredCoroutine,
    ExecutionContextBridge,
    Outcome,
)
from namespace_kernel.execution.hooks import Settling, settle
from tests.unit.fakes import execution_of

DEFINE = "async def f(n=42): return n\n"


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_whatever_a_hook_raises_the_others_run(error: type[BaseException]) -> None:
    called: list[str] = []

    def fails(settling: Settling) -> None:
        called.append("fails")
        raise error

    def works(settling: Settling) -> None:
        called.append("works")

    settle(Settling(AsyncNamespaceManager(), execution_of(), Outcome(), CellChanges()), [fails, works])
    assert called == ["fails", "works"]


@pytest.mark.parametrize(
    ("made", "added"),
    [
        ("kept = []", "kept.append(f())"),
        ("kept = {}", "kept['key'] = f()"),
        ("kept = [[]]", "kept[0].append(f())"),
        ("kept = []", "alias = kept; alias += [f()]"),
    ],
)
def test_a_coroutine_that_is_put_into_an_earlier_cell_s_container_is_closed(
    made: str, added: str, bridge: ExecutionContextBridge
) -> None:
    bridge.execute_in_thread(DEFINE + made, "earlier")
    bridge.execute_in_thread(added, "later")
    found = bridge.namespace.live["kept"]
    while isinstance(found, list | dict):
        found = found["key"] if isinstance(found, dict) else found[0]
    assert type(found) is DeferredCoroutine
    assert asyncio.run(found) == 42  # type: ignore[arg-type]


async def test_one_that_a_task_has_not_yet_started_is_left_to_the_task(
    bridge: ExecutionContextBridge,
) -> None:
    bridge.execute_in_thread(DEFINE + "import asyncio; kept = []", "earlier")
    await bridge.execute_in_async(
        "kept.append(c := f()); task = asyncio.get_running_loop().create_task(c)", "later"
    )
    assert await bridge.namespace.live["task"] == 42

"""What answers to debug requests need, whether the debugger is there yet or not."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
from collections.abc import Callable
from typing import TypeVar

from ipykernel.compiler import get_tmp_directory, get_tmp_hash_seed

from namespace_kernel.base.threads import HiddenThread
from namespace_kernel.kernel.wire.request import Message

T = TypeVar("T")


async def beside(function: Callable[[], T], patience: float) -> T:
    """Return `function()`, called on a thread of its own that the debugger never stops.

    Raises `TimeoutError` after `patience` seconds.
    """
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
    outcome.set_running_or_notify_cancel()  # nobody waits any more after that time, and it may end later

    def run() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:
            outcome.set_exception(error)

    thread = HiddenThread(target=run, name="Debugger", daemon=True)
    thread.start()
    try:
        return await asyncio.wait_for(asyncio.wrap_future(outcome), patience)
    finally:
        if outcome.done():
            # It has nothing left to do. If the object were the thread's own at its end, debugpy would put a
            # dummy in its place, and take the next thread of the same number for that.
            thread.join()


def refusal(message: Message, reason: str) -> Message:
    """The answer to a debug request that failed."""
    return {
        "type": "response",
        "request_seq": message.get("seq"),
        "success": False,
        "command": message.get("command"),
        "message": reason,
    }


def info(message: Message) -> Message:
    """What a debugger that has not been started says of itself."""
    return {
        "type": "response",
        "request_seq": message["seq"],
        "success": True,
        "command": message["command"],
        "body": {
            "isStarted": False,
            "hashMethod": "Murmur2",
            "hashSeed": get_tmp_hash_seed(),
            "tmpFilePrefix": get_tmp_directory() + os.sep,
            "tmpFileSuffix": ".py",
            "breakpoints": [],
            "stoppedThreads": [],
            "richRendering": True,
            "exceptionPaths": ["Python Exceptions"],
            "copyToGlobals": True,
        },
    }

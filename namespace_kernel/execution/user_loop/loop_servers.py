"""The loop's servers: whoever is cancelled while one is made leaves none that listens.

asyncio lets the loop run once when a server has begun to listen, before anybody has it. Who is cancelled just
then, as a cell by Stop, would leave its port taken for good: run again it finds "Address already in use".
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from namespace_kernel.base.frames import hide

#: What makes a server.
_Making = Callable[..., Awaitable[asyncio.Server]]


def _or_none(make: _Making) -> _Making:
    @functools.wraps(make)
    async def make_whole(*args: Any, start_serving: bool = True, **options: Any) -> asyncio.Server:
        try:
            server = await make(*args, start_serving=False, **options)
            if start_serving:
                try:
                    await server.start_serving()
                except BaseException:
                    server.close()
                    raise
            return server
        except BaseException as error:
            hide(error)
            raise

    return make_whole


class LoopServers:
    """Mixed in before a native loop class."""

    create_server: Any = _or_none(asyncio.BaseEventLoop.create_server)
    if hasattr(asyncio.SelectorEventLoop, "create_unix_server"):
        create_unix_server: Any = _or_none(asyncio.SelectorEventLoop.create_unix_server)

"""HTTP clients whose session is opened in one cell, used in the next ones and closed in another."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.libraries.steps import ok, result

SESSIONS = {
    "httpx": {
        "open": "import httpx\nsession = httpx.AsyncClient()",
        "get": "async def get():\n    return (await session.get(url)).text",
        "close": "await session.aclose()",
        "closed": "session.is_closed",
    },
    "aiohttp": {
        "open": "import aiohttp\nsession = aiohttp.ClientSession()",
        "get": "async def get():\n    async with session.get(url) as response: return await response.text()",
        "close": "await session.close()",
        "closed": "session.closed",
    },
}

each_library = pytest.mark.parametrize("library", SESSIONS)


def define(notebook: Notebook, library: str, url: str) -> dict[str, str]:
    steps = SESSIONS[library]
    ok(notebook, f"import asyncio, threading, time\nurl = {url!r}")
    ok(notebook, steps["get"])
    return steps


@each_library
def test_a_session_keeps_its_connection_from_cell_to_cell(
    library: str, web_server: str, notebook: Notebook
) -> None:
    steps = define(notebook, library, web_server)
    port = result(notebook, f"{steps['open']}\nawait get()")
    assert port is not None
    assert result(notebook, "await get()") == port
    assert result(notebook, "time.sleep(.05); asyncio.run(asyncio.sleep(.01))") is None
    assert result(notebook, "await get()") == port
    assert result(notebook, f"{steps['close']}\n{steps['closed']}") == "True"


@each_library
def test_a_session_that_is_made_without_await_serves_the_next_cells(
    library: str, web_server: str, notebook: Notebook
) -> None:
    steps = define(notebook, library, web_server)
    ok(notebook, steps["open"])
    port = result(notebook, "await get()")
    assert port is not None
    assert result(notebook, "await get()") == port
    assert result(notebook, f"{steps['close']}\n{steps['closed']}") == "True"


@each_library
def test_a_task_uses_the_session_while_a_plain_cell_blocks(
    library: str, web_server: str, notebook: Notebook
) -> None:
    steps = define(notebook, library, web_server)
    port = result(notebook, f"{steps['open']}\nawait get()")
    ok(
        notebook,
        """\
fetched = threading.Event()
async def fetch():
    text = await get()
    fetched.set()
    return text
task = asyncio.create_task(fetch())""",
    )
    assert result(notebook, "fetched.wait(10)") == "True"
    assert result(notebook, "await task") == port
    ok(notebook, steps["close"])


@each_library
def test_many_requests_of_one_session_run_at_once(library: str, web_server: str, notebook: Notebook) -> None:
    steps = define(notebook, library, web_server)
    ok(notebook, f"{steps['open']}\nawait get()")
    assert result(notebook, "len(await asyncio.gather(*[get() for _ in range(20)]))") == "20"
    ok(notebook, steps["close"])


@each_library
def test_a_session_of_its_own_works_by_asyncio_run_in_a_plain_cell(
    library: str, web_server: str, notebook: Notebook
) -> None:
    steps = define(notebook, library, web_server)
    body = f"{steps['open']}\nawait get()\n{steps['close']}".splitlines()
    lines = ["async def main():", "    global session", *(f"    {line}" for line in body)]
    code = "\n".join(lines) + f"\nasyncio.run(main())\n{steps['closed']}"
    assert result(notebook, code) == "True"

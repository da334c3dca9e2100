"""Servers that ask the loop for signals: it is given wherever they run, and SIGINT is their own cell's."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.libraries.steps import expect_no_noise, ok, result

HYPERCORN = """\
import asyncio, socket, time, requests
from hypercorn.asyncio import serve
from hypercorn.config import Config
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
async def hello(): return "hello"
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
config = Config.from_mapping(bind=f"127.0.0.1:{port}", loglevel="error")
url = f"http://127.0.0.1:{port}/"
async def is_up():
    while True:
        try: return (await asyncio.to_thread(requests.get, url, timeout=10)).json()
        except requests.ConnectionError: await asyncio.sleep(.02)
"""


def stop_of(notebook: Notebook, code: str) -> None:
    cell = notebook.submit(f"print('begins', flush=True)\n{code}")
    cell.wait_for_text("begins")
    notebook.interrupt("SIGINT")
    cell.wait(10)
    assert cell.error is not None and cell.error[0] == "KeyboardInterrupt", cell.text


def test_a_later_cell_s_stop_leaves_a_hypercorn_server_alone(fresh_notebook: Notebook) -> None:
    serving = ok(fresh_notebook, HYPERCORN + "task = asyncio.create_task(serve(app, config))\nawait is_up()")
    for code in ("time.sleep(60)", "await asyncio.sleep(60)", "await is_up(); time.sleep(60)"):
        stop_of(fresh_notebook, code)
        assert result(fresh_notebook, "requests.get(url).json()") == "'hello'"
    ok(fresh_notebook, "task.cancel()\nawait asyncio.wait([task])")
    expect_no_noise(serving)


@pytest.mark.parametrize(
    "code", ["await serving()", "asyncio.get_event_loop().run_until_complete(serving())"]
)
def test_stop_of_its_own_cell_ends_a_hypercorn_server_in_its_own_way(
    code: str, fresh_notebook: Notebook
) -> None:
    serving = """\
async def serving():
    async def tell(): print(await is_up(), flush=True)
    telling = asyncio.create_task(tell())
    await serve(app, config)
    await telling
    return "ended by itself"
"""
    ok(fresh_notebook, HYPERCORN + serving)
    cell = fresh_notebook.submit(code)
    cell.wait_for_text("hello")
    fresh_notebook.interrupt("SIGINT")
    cell.wait(10)
    assert cell.result == "'ended by itself'", cell.text
    stop_of(fresh_notebook, "time.sleep(60)")


TRAME = """\
import asyncio, time
from trame.app import get_server
server = get_server("notebook", client_type="vue3")
ready = asyncio.Event()
server.controller.on_server_ready.add(lambda **_: ready.set())
"""


@pytest.mark.parametrize("wait", ["time.sleep(.3)", "await asyncio.sleep(.1)"])
def test_a_trame_server_starts_wherever_the_loop_is(wait: str, fresh_notebook: Notebook) -> None:
    ok(fresh_notebook, TRAME)
    started = ok(
        fresh_notebook,
        "task = server.start(exec_mode='task', port=0, open_browser=False, show_connection_info=False)",
    )
    ok(fresh_notebook, wait)
    ok(fresh_notebook, "await asyncio.wait_for(ready.wait(), 20)")
    assert result(fresh_notebook, "task.done()") == "False"
    stop_of(fresh_notebook, "time.sleep(60)")
    assert result(fresh_notebook, "task.done()") == "False"
    expect_no_noise(started)


def test_an_aiohttp_server_that_handles_signals_starts_in_a_task_at_home(fresh_notebook: Notebook) -> None:
    code = """\
import asyncio, time, requests
from aiohttp import web
async def hello(request): return web.Response(text="hello")
url = None
async def start():
    global url
    await asyncio.sleep(.05)
    runner = web.AppRunner(web.Application(), handle_signals=True)
    runner.app.router.add_get("/", hello)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = "http://127.0.0.1:%d/" % site._server.sockets[0].getsockname()[1]
task = asyncio.create_task(start())"""
    starting = ok(fresh_notebook, code)
    ok(fresh_notebook, "while url is None and not task.done(): time.sleep(.01)")
    assert result(fresh_notebook, "requests.get(url).text") == "'hello'"
    stop_of(fresh_notebook, "await asyncio.sleep(60)")
    assert result(fresh_notebook, "requests.get(url).text") == "'hello'"
    expect_no_noise(starting)

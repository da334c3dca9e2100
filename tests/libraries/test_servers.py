"""Servers that run as tasks on the user loop and are asked by blocking clients in plain cells."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.libraries.steps import expect_no_noise, ok, result

UVICORN = """\
import asyncio, threading, requests, uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.get("/plain")
def plain(): return {"runs": "plain"}
@app.get("/async")
async def awaiting():
    print("asked")
    await asyncio.sleep(.01)
    return {"runs": "async"}
server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
async def serve():
    await server.serve()
    over.set()
over = threading.Event()
task = asyncio.create_task(serve())
"""
STARTED = """\
while not server.started: await asyncio.sleep(.01)
url = "http://127.0.0.1:%d/" % server.servers[0].sockets[0].getsockname()[1]
"""


def test_a_fastapi_server_of_one_cell_answers_blocking_requests_of_the_next(fresh_notebook: Notebook) -> None:
    serving = ok(fresh_notebook, UVICORN + STARTED)
    assert result(fresh_notebook, "requests.get(url + 'plain').json()") == "{'runs': 'plain'}"
    assert result(fresh_notebook, "requests.get(url + 'async').json()") == "{'runs': 'async'}"
    serving.wait_for_text("asked\n")
    assert result(fresh_notebook, "import httpx\nhttpx.get(url + 'async').json()") == "{'runs': 'async'}"
    code = "async with httpx.AsyncClient() as c: print((await c.get(url + 'async')).json()['runs'])"
    assert ok(fresh_notebook, code).stdout == "async\n"


@pytest.mark.parametrize(
    "end",
    ["server.should_exit = True\nover.wait(5)", "server.should_exit = True\nawait task\nover.is_set()"],
    ids=["plain", "awaiting"],
)
def test_a_uvicorn_server_ends_without_an_error_wherever_its_loop_is(end: str, notebook: Notebook) -> None:
    serving = ok(notebook, UVICORN + STARTED)
    assert result(notebook, end) == "True"
    assert result(notebook, "await asyncio.wait([task]); task.exception()") is None
    expect_no_noise(serving)


def test_stop_ends_the_cell_and_not_the_uvicorn_server_of_an_earlier_one(fresh_notebook: Notebook) -> None:
    ok(fresh_notebook, UVICORN + STARTED)
    for wait in ("import time; time.sleep(60)", "await asyncio.sleep(60)"):
        cell = fresh_notebook.submit(f"print('begins', flush=True)\n{wait}")
        cell.wait_for_text("begins")
        fresh_notebook.interrupt("SIGINT")
        cell.wait(10)
        assert cell.error is not None and cell.error[0] == "KeyboardInterrupt", cell.text
        assert result(fresh_notebook, "requests.get(url + 'async').json()") == "{'runs': 'async'}"


def test_a_server_that_runs_does_not_keep_the_kernel_from_ending(fresh_notebook: Notebook) -> None:
    ok(fresh_notebook, UVICORN + STARTED)
    fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")
    assert fresh_notebook.wait_exit(10) == 0


def test_an_aiohttp_server_answers_a_blocking_request(notebook: Notebook) -> None:
    ok(
        notebook,
        """\
import requests
from aiohttp import web
async def hello(request): return web.Response(text="hello")
runner = web.AppRunner(web.Application())
runner.app.router.add_get("/", hello)
await runner.setup()
site = web.TCPSite(runner, "127.0.0.1", 0)
await site.start()
url = "http://127.0.0.1:%d/" % site._server.sockets[0].getsockname()[1]""",
    )
    assert result(notebook, "requests.get(url).text") == "'hello'"
    ok(notebook, "await runner.cleanup()")


def test_a_tornado_server_started_without_await_answers_a_blocking_request(notebook: Notebook) -> None:
    ok(
        notebook,
        """\
import requests, tornado.httpserver, tornado.netutil, tornado.web
class Hello(tornado.web.RequestHandler):
    def get(self): self.write("hello")
server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", Hello)]))
sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
server.add_sockets(sockets)
url = "http://127.0.0.1:%d/" % sockets[0].getsockname()[1]""",
    )
    assert result(notebook, "requests.get(url, timeout=10).text") == "'hello'"
    assert result(notebook, "requests.get(url, timeout=10).text") == "'hello'"
    ok(notebook, "server.stop()\nawait server.close_all_connections()")
    cell = notebook.run("requests.get(url, timeout=10)")
    assert cell.error is not None and cell.error[0] == "ConnectionError"


def test_a_blocking_server_in_a_thread_answers_an_awaiting_cell(notebook: Notebook) -> None:
    ok(
        notebook,
        """\
import http.server, threading, httpx
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"hello")
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Hello)
threading.Thread(target=server.serve_forever, daemon=True).start()""",
    )
    ok(notebook, "url = 'http://127.0.0.1:%d/' % server.server_port")
    code = "async with httpx.AsyncClient() as client: response = await client.get(url)\nresponse.text"
    assert result(notebook, code) == "'hello'"
    ok(notebook, "server.shutdown(); server.server_close()")

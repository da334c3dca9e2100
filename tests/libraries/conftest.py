"""What the library tests share: a quiet kernel log, and a web server to talk to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.kernel.client import Notebook


@pytest.fixture(autouse=True)
def kernel_s_log_has_no_traceback(request: pytest.FixtureRequest) -> Iterator[None]:
    """What goes wrong where no cell shows it ends in the log of the process."""
    names = [name for name in ("notebook", "fresh_notebook") if name in request.fixturenames]
    notebooks: list[Notebook] = [request.getfixturevalue(name) for name in names]
    begun = [len(notebook.log) for notebook in notebooks]
    yield
    for notebook, length in zip(notebooks, begun, strict=True):
        assert "Traceback" not in notebook.log[length:]


class _Echo(BaseHTTPRequestHandler):
    """Answers with the port that the client called from, which stays the same while a connection lives."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = str(self.client_address[1]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@pytest.fixture(scope="session")
def web_server() -> Iterator[str]:
    """The URL of a server that keeps connections alive."""
    with _Server(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()

"""`embed_kernel`: a kernel in a program, with the program's names."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking import BlockingKernelClient

from tests.kernel.cells import PATIENCE

PROGRAM = """
import signal, sys, time
from traitlets.config import Config
from namespace_kernel import embed_kernel

top = "module"
shadowed = "module"

def helper():
    return top.upper()

def main(given):
    shadowed, local = "local", [1, 2]
    embed_kernel(connection_file=sys.argv[1], **given)
    return local

given = {GIVEN}
before = sys.stdout, sys.displayhook, signal.getsignal(signal.SIGINT), sys.modules["__main__"]
main(given)
after = sys.stdout, sys.displayhook, signal.getsignal(signal.SIGINT), sys.modules["__main__"]
print("restored", all(one is other for one, other in zip(before, after)))
seen = given.get("local_ns")
print("made", "made" in globals(), seen and {n: seen[n] for n in seen if isinstance(seen[n], int)})
if "config" in given:
    time.sleep(2)
    print("still here")
"""

#: What is given to `embed_kernel` → the program and its client, when the kernel answers.
Embed = Callable[[str], "tuple[subprocess.Popen[str], BlockingKernelClient]"]


@pytest.fixture
def embed(tmp_path: Path, kernel_env: dict[str, str]) -> Iterator[Embed]:
    started: list[subprocess.Popen[str]] = []
    clients: list[BlockingKernelClient] = []

    def start(given: str) -> tuple[subprocess.Popen[str], BlockingKernelClient]:
        file, program = tmp_path / "connection.json", tmp_path / "program.py"
        program.write_text(PROGRAM.replace("{GIVEN}", given))
        started.append(
            subprocess.Popen(
                [sys.executable, str(program), str(file)], env=kernel_env, stdout=subprocess.PIPE, text=True
            )
        )
        until = time.monotonic() + PATIENCE
        while not (file.exists() and file.read_text().endswith("}")):
            assert started[-1].poll() is None and time.monotonic() < until
            time.sleep(0.05)
        client = BlockingKernelClient(connection_file=str(file))
        client.load_connection_file()
        client.start_channels()
        clients.append(client)
        client.wait_for_ready(timeout=PATIENCE)
        return started[-1], client

    yield start
    for client in clients:
        client.stop_channels()
    for program in started:
        program.kill()
        program.communicate()


def shown(client: BlockingKernelClient, code: str) -> str:
    """What the cell displays as its result, or its error's name."""
    found: list[str] = []

    def see(message: dict[str, dict[str, object]]) -> None:
        content = message["content"]
        if "data" in content:
            found.append(str(content["data"]["text/plain"]))  # type: ignore[index]
        elif "ename" in content:
            found.append(str(content["ename"]))

    client.execute_interactive(code, timeout=PATIENCE, allow_stdin=False, output_hook=see)
    return "".join(found)


def end(program: subprocess.Popen[str], client: BlockingKernelClient) -> str:
    """Ask the kernel to end; what the program says after that."""
    client.shutdown(reply=True, timeout=PATIENCE)
    said, _ = program.communicate(timeout=PATIENCE)
    assert program.returncode == 0
    return said


def test_cells_see_the_names_of_the_place_that_calls_it(embed: Embed) -> None:
    program, client = embed("{}")
    assert shown(client, "top, shadowed, local, helper()") == "('module', 'local', [1, 2], 'MODULE')"
    assert shown(client, "import asyncio; await asyncio.sleep(0, 3)") == "3"
    assert shown(client, "asyncio.run(asyncio.sleep(0, 4))") == "4"
    assert shown(client, "made = top = 5; helper()") == "'MODULE'"
    assert shown(client, "1 / 0") == "ZeroDivisionError"
    assert shown(client, "made, _exception") == "(5, ZeroDivisionError('division by zero'))"
    said = end(program, client)
    assert "restored True" in said and "made False None" in said


def test_a_dict_that_is_given_has_afterwards_what_cells_bound(embed: Embed) -> None:
    program, client = embed('{"local_ns": {"x": 1}}')
    assert shown(client, "y = x + 1; top, y") == "('module', 2)"
    assert shown(client, "local") == "NameError"
    said = end(program, client)
    assert "restored True" in said
    assert "made False {'x': 1, 'y': 2}" in said


def test_a_module_that_is_given_lends_its_names(embed: Embed) -> None:
    program, client = embed('{"module": signal, "local_ns": {}}')
    assert shown(client, "SIGINT.name, __name__") == "('SIGINT', '__main__')"
    assert shown(client, "top") == "NameError"
    assert "restored True" in end(program, client)


def test_the_program_goes_on_for_as_long_as_it_likes(embed: Embed) -> None:
    """A kernel of its own would be gone after 0.1 s, or 1.1 at the latest."""
    program, client = embed('{"config": Config({"NamespaceKernel": {"shutdown_time": 0.1}})}')
    assert shown(client, "get_ipython().kernel.shutdown_time") == "0.1"
    assert "still here" in end(program, client)

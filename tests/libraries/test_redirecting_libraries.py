"""Libraries that redirect the standard streams, or look closely at them."""

from __future__ import annotations

import re

import pytest

from tests.kernel.client import Notebook

PREPARE = "import asyncio, io, sys; from contextlib import redirect_stdout"


@pytest.fixture
def ready(notebook: Notebook) -> Notebook:
    assert notebook.run(PREPARE).status == "ok"
    return notebook


LIBRARIES = {
    "click": (
        """\
import click, click.testing
@click.command()
@click.option("--name")
def hello(name): click.echo(f"hello {name}")
answer = click.testing.CliRunner().invoke(hello, ["--name", "you"])
answer.exit_code, answer.output""",
        r"(0, 'hello you\n')",
        "",
    ),
    "click's echo": ("import click\nclick.echo('echoed')\nclick.secho('styled', fg='red')", None, "echoed"),
    "doctest": (
        "import doctest\ndef f():\n    '''\n    >>> print(2)\n    2\n    >>> print(3)\n    4\n    '''\n"
        "doctest.testmod(verbose=False)",
        "TestResults(failed=1, attempted=2)",
        "Expected:",
    ),
    "pydoc": ("import pydoc\npydoc.help(len)", None, "Return the number of items"),
    "help": ("help(len)", None, "Return the number of items"),
    "rich": (
        "from rich.console import Console\nConsole(file=sys.stdout).print('[bold]rich[/bold]')",
        None,
        "rich",
    ),
    "timeit": ("import timeit\ntimeit.main(['-n1', '-r1', 'pass'])", None, "loop"),
    "json.tool": ("import json; json.dump([1], sys.stdout)", None, "[1]"),
    "pprint": ("import pprint; pprint.pprint({1: 2})", None, "{1: 2}"),
    "contextlib around help": (
        "with redirect_stdout(io.StringIO()) as f: help(len)\n'Return' in f.getvalue()",
        "True",
        "",
    ),
}


@pytest.mark.parametrize("wait", ["", "await asyncio.sleep(0)\n"], ids=["plain", "awaiting"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_that_redirect_or_look_at_the_stream_work(library: str, wait: str, ready: Notebook) -> None:
    code, result, printed = LIBRARIES[library]
    cell = ready.run(wait + code)
    assert cell.status == "ok", cell.text
    if result is not None:
        assert cell.result == result
    assert printed in cell.text
    assert ready.run("print('free')").stdout == "free\n"


def test_unittest_runs_in_a_cell(ready: Notebook) -> None:
    cell = ready.run("""\
import unittest
class Some(unittest.TestCase):
    def test_passes(self): print("from the test")
    def test_fails(self): self.assertEqual(1, 2)
unittest.main(exit=False, argv=[""], buffer=True);""")
    assert cell.status == "ok", cell.text
    said = re.sub("\x1b[^m]*m", "", cell.stderr)  # in colours, since Python 3.14
    assert "Ran 2 tests" in said and "FAILED (failures=1)" in said
    assert ready.run("print('free')").stdout == "free\n"

"""`sys.argv` in cells is a prompt's: what parses it does not meet the kernel's own options."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

PARSERS = {
    "argparse": """\
import argparse
p = argparse.ArgumentParser(); p.add_argument('-f', default='none')
p.parse_args().f == 'none'""",
    "getopt": "import getopt, sys\ngetopt.getopt(sys.argv[1:], 'x') == ([], [])",
    "optparse": "import optparse\noptparse.OptionParser().parse_args()[1] == []",
    "click": """\
import click
@click.command()
@click.option('--x', default=1)
def f(x): return x
f(standalone_mode=False) == 1""",
    "awaiting": """\
import argparse, asyncio
await asyncio.sleep(0)
vars(argparse.ArgumentParser().parse_args()) == {}""",
}


@pytest.mark.parametrize("code", PARSERS.values(), ids=PARSERS)
def test_a_parser_finds_no_arguments(code: str, notebook: Notebook) -> None:
    cell = notebook.run(code)
    assert cell.result == "True", cell.text


def test_unittest_runs_the_tests_of_the_notebook(notebook: Notebook) -> None:
    notebook.run(
        "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(1 + 1, 2)"
    )
    cell = notebook.run("unittest.main()")
    assert "Ran 1 test" in cell.stderr and "OK" in cell.stderr
    assert "exited with 0" in cell.text
    assert notebook.run("_exit_code").result == "0"
    kept = notebook.run("unittest.main(exit=False).result.wasSuccessful()")
    assert kept.result == "True"


def test_the_kernel_s_own_command_line_is_still_known(notebook: Notebook) -> None:
    cell = notebook.run("""\
import sys
from ipykernel.connect import get_connection_file
get_connection_file() in sys.orig_argv, sys.argv""")
    assert cell.result == "(True, [''])"


def test_what_runs_a_file_gives_it_arguments_of_its_own(notebook: Notebook) -> None:
    notebook.run("open('asks.py', 'w').write('import sys; print(sys.argv)')")
    assert notebook.run("%run asks.py one two").stdout == "['asks.py', 'one', 'two']\n"
    assert notebook.run("import sys; sys.argv").result == "['']"
    child = notebook.run("""\
import multiprocessing as m
with m.get_context('spawn').Pool(1) as pool: print(pool.apply(eval, ['__import__("sys").argv']))""")
    assert child.stdout == "['']\n"

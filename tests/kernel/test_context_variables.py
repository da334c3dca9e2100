"""D9: a ContextVar set in one cell is set in the next, whatever kind of cell either is."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

KINDS = {"plain": "", "awaiting": "await asyncio.sleep(0); "}


def test_the_demo_as_written(fresh_notebook: Notebook) -> None:
    fresh_notebook.run('import asyncio, contextvars; V = contextvars.ContextVar("V", default="d")')
    fresh_notebook.run('await asyncio.sleep(0); V.set("x"); None')
    assert fresh_notebook.run("V.get()").result == "'x'"


@pytest.mark.parametrize("reader", KINDS)
@pytest.mark.parametrize("writer", KINDS)
def test_a_cell_reads_what_another_set(writer: str, reader: str, notebook: Notebook) -> None:
    notebook.run('import asyncio, contextvars; V = contextvars.ContextVar("V", default="d")')
    notebook.run(f"{KINDS[writer]}token = V.set('x')")
    assert notebook.run(f"{KINDS[reader]}V.get()").result == "'x'"
    assert notebook.run(f"{KINDS[reader]}V.reset(token); V.get()").result == "'d'"


def test_a_task_sees_the_value_of_the_moment_when_it_was_created(notebook: Notebook) -> None:
    notebook.run('import asyncio, contextvars; V = contextvars.ContextVar("V", default="d")')
    notebook.run("""\
V.set("then"); seen = []
async def look(): await asyncio.sleep(.05); seen.append(V.get())
t = asyncio.create_task(look())""")
    notebook.run('V.set("now"); None')
    assert notebook.run("await t; seen, V.get()").result == "(['then'], 'now')"


def test_a_decimal_context_set_in_one_cell_serves_the_next(notebook: Notebook) -> None:
    notebook.run("import asyncio, decimal; decimal.getcontext().prec = 5")
    assert notebook.run("decimal.Decimal(1) / 3").result == "Decimal('0.33333')"
    notebook.run("await asyncio.sleep(0); decimal.getcontext().prec = 7")
    assert notebook.run("decimal.Decimal(1) / 3").result == "Decimal('0.3333333')"

"""SQLAlchemy's asyncio extension with aiosqlite, whose connections live on threads of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import StartNotebook
from tests.kernel.client import Notebook
from tests.libraries.steps import ok, result

CELLS = (
    """\
import asyncio
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
engine = create_async_engine("sqlite+aiosqlite:///notes.sqlite3")
Session = async_sessionmaker(engine, expire_on_commit=False)
class Base(DeclarativeBase): pass
class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
async def texts():
    async with Session() as reading:
        return list(await reading.scalars(sa.select(Note.text).order_by(Note.text)))""",
    "async with engine.begin() as connection:\n    await connection.run_sync(Base.metadata.create_all)",
)


@pytest.fixture(scope="module")
def _database(start_notebook: StartNotebook) -> Iterator[Notebook]:
    notebook = start_notebook()
    for code in CELLS:
        ok(notebook, code)
    yield notebook
    notebook.close()


@pytest.fixture
def database(_database: Notebook) -> Notebook:
    """A kernel with an engine and one empty table."""
    ok(_database, "async with engine.begin() as connection: await connection.execute(sa.delete(Note))")
    return _database


def test_a_session_is_opened_used_and_committed_in_cells_of_its_own(database: Notebook) -> None:
    ok(database, "session = Session()\nsession.add(Note(text='one'))")
    ok(database, "await session.flush()")
    assert result(database, "[note.text for note in await session.scalars(sa.select(Note))]") == "['one']"
    ok(database, "await session.commit()\nawait session.close()")
    assert result(database, "await texts()") == "['one']"


def test_a_session_is_rolled_back_in_a_later_cell(database: Notebook) -> None:
    ok(database, "session = Session()\nsession.add(Note(text='one'))\nawait session.flush()")
    ok(database, "import time; time.sleep(.01)")
    ok(database, "await session.rollback()\nawait session.close()")
    assert result(database, "await texts()") == "[]"


def test_a_connection_streams_its_rows_over_several_cells(database: Notebook) -> None:
    ok(
        database,
        "async with Session.begin() as session: session.add_all([Note(text=t) for t in 'abc'])",
    )
    ok(database, "connection = await engine.connect()")
    ok(database, "rows = await connection.stream(sa.select(Note.text).order_by(Note.text))")
    assert [result(database, "(await rows.fetchone())[0]") for _ in range(3)] == ["'a'", "'b'", "'c'"]
    ok(database, "await rows.close(); await connection.close()")


def test_the_engine_of_awaiting_cells_works_by_run_until_complete_in_a_plain_one(database: Notebook) -> None:
    ok(database, "async with Session.begin() as session: session.add(Note(text='one'))")
    assert result(database, "asyncio.get_event_loop().run_until_complete(texts())") == "['one']"
    assert result(database, "await texts()") == "['one']"


def test_an_engine_of_its_own_works_by_asyncio_run_in_a_plain_cell(database: Notebook) -> None:
    ok(database, "async with Session.begin() as session: session.add(Note(text='one'))")
    code = """\
async def count():
    own = create_async_engine(engine.url)
    async with own.connect() as connection:
        counted = await connection.scalar(sa.select(sa.func.count()).select_from(Note))
    await own.dispose()
    return counted
asyncio.run(count())"""
    assert result(database, code) == "1"
    assert result(database, "await count()") == "1"


def test_an_engine_with_open_connections_does_not_keep_the_kernel_from_ending(
    fresh_notebook: Notebook,
) -> None:
    for code in CELLS:
        ok(fresh_notebook, code)
    ok(fresh_notebook, "connection = await engine.connect()")
    fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")
    assert fresh_notebook.wait_exit(10) == 0

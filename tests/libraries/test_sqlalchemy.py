"""SQLAlchemy's asyncio extension with aiosqlite, whose connections live on threads of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import StartNotebook
from tests.kernel.client import Notebook
from tests.libraries.steps import expect_no_noise, ok, result

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


POLL = """\
import time
polled, over = 0, False
async def poll():
    global polled
    while not over:
        async with Session() as session:
            for _ in range(3): assert await session.scalar(sa.select(sa.func.count()).select_from(Note)) == 1
            async for text in rows(session): assert text == "one"
        polled += 1
async def rows(session):
    async for text in await session.stream_scalars(sa.select(Note.text)): yield text
async with Session.begin() as session: session.add(Note(text="one"))
tasks = [asyncio.create_task(poll()) for _ in range(3)]
"""
FINISH = "over = True\n{}asyncio.wait(tasks, timeout=30){}\n[task.exception() for task in tasks]"


def test_tasks_that_query_go_on_over_two_hundred_cells_of_both_kinds(database: Notebook) -> None:
    started = ok(database, POLL)
    for number in range(100):
        ok(database, "await asyncio.sleep(0)" if number % 3 else "await texts()")
        ok(database, "time.sleep(.002)")
    ok(database, "before = polled\nwhile polled == before: await asyncio.sleep(.01)")
    assert result(database, FINISH.format("await ", "")) == "[None, None, None]"
    expect_no_noise(started)


@pytest.mark.parametrize(
    "end",
    [
        FINISH.format("await ", ""),
        FINISH.format("asyncio.get_event_loop().run_until_complete(", ")"),
        "%%background\n" + FINISH.format("await ", "") + "\nassert not any(_)",
    ],
    ids=["an awaiting cell", "a plain cell", "a background cell"],
)
@pytest.mark.parametrize("first", ["await asyncio.sleep(.05)", "import time; time.sleep(.05)"])
def test_whoever_waits_for_a_task_that_queries_gets_its_end(first: str, end: str, database: Notebook) -> None:
    started = ok(database, POLL)
    ok(database, first)
    ok(database, end.partition("\nassert")[0])
    assert (
        result(database, "await asyncio.wait(tasks); [t.exception() for t in tasks]") == "[None, None, None]"
    )
    expect_no_noise(started)


def test_a_transaction_is_held_over_cells_of_both_kinds(database: Notebook) -> None:
    code = """\
go, written = asyncio.Event(), asyncio.Event()
async def write():
    async with Session.begin() as session:
        session.add(Note(text="one"))
        await session.flush()
        written.set()
        await session.run_sync(lambda sync: sa.util.await_only(go.wait()))
        session.add(Note(text="two"))
task = asyncio.create_task(write())
await written.wait()"""
    ok(database, code)
    ok(database, "import time; time.sleep(.02)")
    ok(database, "await asyncio.sleep(0)")
    ok(database, "go.set()")
    ok(database, "await task")
    assert result(database, "await texts()") == "['one', 'two']"


FASTAPI = """\
import requests, threading, uvicorn
from concurrent.futures import ThreadPoolExecutor
from fastapi import Depends, FastAPI
app = FastAPI()
async def session_of_request():
    async with Session() as session: yield session
@app.get("/texts")
async def read(session=Depends(session_of_request)):
    await session.scalars(sa.select(Note.text))
    return list(await session.scalars(sa.select(Note.text)))
server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
async with Session.begin() as session: session.add(Note(text="one"))
serving = asyncio.create_task(server.serve())
while not server.started: await asyncio.sleep(.01)
url = "http://127.0.0.1:%d/texts" % server.servers[0].sockets[0].getsockname()[1]
answers, over = [], False
def load():
    while not over: answers.append(requests.get(url, timeout=20).json())
clients = [threading.Thread(target=load) for _ in range(3)]
for client in clients: client.start()
"""


def test_a_server_with_a_session_per_request_answers_under_load(fresh_notebook: Notebook) -> None:
    for code in CELLS:
        ok(fresh_notebook, code)
    serving = ok(fresh_notebook, FASTAPI)
    for number in range(40):
        ok(fresh_notebook, "await asyncio.sleep(.005)" if number % 2 else "import time; time.sleep(.005)")
    ok(fresh_notebook, "over = True\nfor client in clients: await asyncio.to_thread(client.join)")
    assert (
        result(fresh_notebook, "len(answers) > 20, {str(one) for one in answers}") == "(True, {\"['one']\"})"
    )
    ok(fresh_notebook, "server.should_exit = True\nawait serving")
    expect_no_noise(serving)


@pytest.mark.parametrize("cell", ["await asyncio.sleep(60)", "import time; time.sleep(60)"])
def test_stop_ends_the_cell_and_not_the_tasks_that_query(cell: str, database: Notebook) -> None:
    started = ok(database, POLL)
    for _ in range(3):
        running = database.submit(f"print('begins', flush=True)\n{cell}")
        running.wait_for_text("begins")
        database.interrupt("SIGINT")
        running.wait(10)
        assert running.error is not None and running.error[0] == "KeyboardInterrupt", running.text
    assert result(database, FINISH.format("await ", "")) == "[None, None, None]"
    expect_no_noise(started)


def test_stop_ends_what_a_cell_does_inside_of_run_sync(database: Notebook) -> None:
    code = """\
import time
def block(session): print("begins", flush=True); time.sleep(60)
async with Session() as session: await session.run_sync(block)"""
    running = database.submit(code)
    running.wait_for_text("begins")
    database.interrupt("SIGINT")
    running.wait(10)
    assert running.error is not None and running.error[0] == "KeyboardInterrupt", running.text


def test_tasks_that_query_do_not_keep_the_kernel_from_ending(fresh_notebook: Notebook) -> None:
    for code in (*CELLS, POLL, "time.sleep(.05)"):
        ok(fresh_notebook, code)
    fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")
    assert fresh_notebook.wait_exit(10) == 0


def test_an_engine_with_open_connections_does_not_keep_the_kernel_from_ending(
    fresh_notebook: Notebook,
) -> None:
    for code in CELLS:
        ok(fresh_notebook, code)
    ok(fresh_notebook, "connection = await engine.connect()")
    fresh_notebook.request("shutdown_request", {"restart": False}, channel="control")
    assert fresh_notebook.wait_exit(10) == 0

"""Django's ORM on SQLite: queries in plain cells, and Django's own async methods in awaiting cells."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import StartNotebook
from tests.kernel.client import Notebook
from tests.libraries.steps import ok, result

CELLS = (
    """\
import django, os
from django.conf import settings
assert "DJANGO_ALLOW_ASYNC_UNSAFE" not in os.environ
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "notes.sqlite3"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()""",
    """\
from django.db import connection, models, transaction
class Note(models.Model):
    text = models.CharField(max_length=50)
    class Meta:
        app_label = "notes"
with connection.schema_editor() as editor:
    editor.create_model(Note)""",
)


@pytest.fixture(scope="module")
def _django(start_notebook: StartNotebook) -> Iterator[Notebook]:
    notebook = start_notebook()
    for code in CELLS:
        ok(notebook, code)
    yield notebook
    notebook.close()


@pytest.fixture
def django(_django: Notebook) -> Notebook:
    """A kernel with the one table, and two notes in it."""
    ok(_django, "Note.objects.all().delete()\nfor text in 'ab': Note.objects.create(text=text)")
    return _django


def test_queries_work_in_a_plain_cell(django: Notebook) -> None:
    assert (
        result(django, "list(Note.objects.order_by('-text').values_list('text', flat=True))") == "['b', 'a']"
    )
    ok(django, "note = Note.objects.get(text='a'); note.text = 'c'; note.save()")
    assert result(django, "Note.objects.filter(text__in='bc').count()") == "2"


def test_queries_work_in_a_plain_cell_after_an_awaiting_one(django: Notebook) -> None:
    ok(django, "import asyncio; await asyncio.sleep(0)")
    assert result(django, "Note.objects.count()") == "2"


def test_django_s_async_methods_work_in_an_awaiting_cell(django: Notebook) -> None:
    assert result(django, "await Note.objects.acount()") == "2"
    assert result(django, "[n.text async for n in Note.objects.order_by('-text')]") == "['b', 'a']"
    ok(django, "note = await Note.objects.acreate(text='c')")
    assert result(django, "Note.objects.count(), note.pk is not None") == "(3, True)"


def test_django_s_async_methods_work_by_asyncio_run_in_a_plain_cell(django: Notebook) -> None:
    code = "import asyncio\nasync def count(): return await Note.objects.acount()\nasyncio.run(count())"
    assert result(django, code) == "2"


def test_a_transaction_of_a_plain_cell_is_rolled_back_where_the_cell_fails(django: Notebook) -> None:
    failed = django.run("with transaction.atomic():\n    Note.objects.create(text='c')\n    1 / 0")
    assert failed.error == ("ZeroDivisionError", "division by zero")
    assert result(django, "Note.objects.count()") == "2"


def test_a_transaction_may_be_open_over_several_cells(django: Notebook) -> None:
    ok(django, "atomic = transaction.atomic(); atomic.__enter__();")
    ok(django, "Note.objects.create(text='c');")
    ok(django, "import asyncio; await asyncio.sleep(0)")
    assert result(django, "Note.objects.count()") == "3"
    ok(django, "transaction.set_rollback(True); atomic.__exit__(None, None, None)")
    assert result(django, "Note.objects.count()") == "2"


def test_a_query_in_an_awaiting_cell_is_refused_in_django_s_own_words(django: Notebook) -> None:
    cell = django.run("import asyncio; await asyncio.sleep(0); Note.objects.count()")
    assert cell.error is not None
    assert cell.error[0] == "SynchronousOnlyOperation"
    assert "sync_to_async" in cell.error[1]

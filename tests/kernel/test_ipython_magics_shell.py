"""`!cmd`, `x = !cmd`, `%%bash` and the other script magics, magics that display, `%matplotlib inline`."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.kernel.client import INTERRUPTS, Notebook

WAITING = {"plain": "", "awaiting": "import asyncio; await asyncio.sleep(0)\n"}
each_kind = pytest.mark.parametrize("waiting", WAITING.values(), ids=WAITING)


def lines(text: str) -> list[str]:
    """Commands run in a pseudo-terminal, which ends lines with a carriage return, too."""
    return text.replace("\r\n", "\n").splitlines()


@each_kind
def test_a_command_s_output_is_the_cell_s(waiting: str, notebook: Notebook) -> None:
    cell = notebook.run(f"{waiting}!echo one; echo two >&2; exit 3\n_exit_code")
    assert (cell.status, cell.result) == ("ok", "3")
    assert lines(cell.stdout) == ["one", "two"]


@each_kind
def test_a_command_s_output_can_be_assigned(waiting: str, notebook: Notebook) -> None:
    cell = notebook.run(f"{waiting}taken = !echo one; echo two >&2; exit 4\nprint(taken)")
    assert cell.stdout == "['one', 'two']\n"
    told = notebook.run("taken.s, taken.n, taken.fields(0), type(taken).__name__, _exit_code")
    assert told.result == "('one two', 'one\\ntwo', ['one', 'two'], 'SList', 4)"


@each_kind
def test_commands_see_python_s_variables_and_the_environment(waiting: str, notebook: Notebook) -> None:
    notebook.run(f"{waiting}who, numbers = 'you', [1, 2]")
    cell = notebook.run(f"{waiting}!echo {{who}} $who {{sum(numbers)}} $$NAMESPACE_TEST_NOTHING.")
    assert lines(cell.stdout) == ["you you 3 ."]
    taken = notebook.run("def run(local):\n    seen = !echo {local} {who}\n    return seen.s\nrun('inside')")
    assert taken.result == "'inside you'"


def test_the_other_ways_to_run_a_command(notebook: Notebook) -> None:
    for code in ("!!echo one; echo two", "%sx echo one; echo two", "%system echo one; echo two"):
        assert notebook.run(code).result == "['one', 'two']"
    assert notebook.run("get_ipython().getoutput('echo one', split=False)").result == "'one\\n'"
    assert lines(notebook.run("get_ipython().system('echo one')").stdout) == ["one"]


def test_output_comes_while_the_command_runs(notebook: Notebook, tmp_path: Path) -> None:
    go = tmp_path / "go"
    for code in (
        f"!echo early; until [ -e {go} ]; do sleep .05; done; echo late",
        f"%%bash\necho early; until [ -e {go} ]; do sleep .05; done; echo late",
    ):
        cell = notebook.submit(code).wait_for_text("early")
        assert not cell.done
        go.touch()
        assert lines(cell.wait().stdout) == ["early", "late"]
        go.unlink()


@pytest.mark.parametrize("how", INTERRUPTS)
@pytest.mark.parametrize(
    "code", ["!echo ready; sleep 60", "%%bash\necho ready; sleep 60", "x = !touch ready; sleep 60"]
)
def test_stop_ends_a_command(code: str, how: str, notebook: Notebook, tmp_path: Path) -> None:
    notebook.run(f"%cd -q {tmp_path}")
    cell = notebook.submit(code)
    notebook.pump(lambda: "ready" in cell.text or (tmp_path / "ready").exists(), "the command's start")
    pressed = time.monotonic()
    notebook.interrupt(how)
    cell.wait()
    assert time.monotonic() - pressed < 30, "well under the 60 s for which the command would sleep"
    assert notebook.run("6 * 7").result == "42"


# --- %%bash and its like


@each_kind
def test_a_script_s_streams_are_the_cell_s(waiting: str, notebook: Notebook) -> None:
    notebook.run(f"{waiting}x = 1")
    cell = notebook.run("%%bash\necho one\necho two >&2")
    assert (cell.stdout, cell.stderr) == ("one\n", "two\n")
    assert notebook.run("%%sh\necho sh").stdout == "sh\n"
    assert notebook.run("%%script cat\nas it is").stdout == "as it is\n"
    assert notebook.run("%%python3\nprint(6 * 7)").stdout == "42\n"


def test_a_script_that_fails_is_an_error_at_the_user_s_line(notebook: Notebook) -> None:
    cell = notebook.run("%%bash\necho before; exit 5")
    assert cell.stdout == "before\n"
    assert cell.error is not None and cell.error[0] == "CalledProcessError"
    assert "returned non-zero exit status 5" in cell.error[1]
    assert "namespace_kernel" not in cell.traceback
    assert notebook.run("_exit_code").result == "5"
    assert notebook.run("%%bash --no-raise-error\nexit 6").status == "ok"
    assert notebook.run("_exit_code").result == "6"


def test_a_script_s_streams_can_be_taken(notebook: Notebook) -> None:
    cell = notebook.run("%%bash --out taken_out --err taken_err\necho one; echo two >&2")
    assert (cell.status, cell.text) == ("ok", "")
    assert notebook.run("taken_out, taken_err").result == "('one\\n', 'two\\n')"


def test_a_script_in_the_background_does_not_make_the_next_cell_wait(
    notebook: Notebook, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    started = notebook.run(
        f"%%bash --bg --out taken --proc process\nuntil [ -e {go} ]; do sleep .05; done; echo late"
    )
    assert started.status == "ok"
    assert notebook.run("process.returncode").result is None
    go.touch()
    read = notebook.run("import asyncio\ntext = await taken.read()\nprint(text.decode())")
    assert read.error is None, read.text
    assert read.stdout == "late\n\n"


# --- magics that display


@pytest.mark.parametrize(
    ("magic", "mime", "body"),
    [
        ("html", "text/html", "<b>bold</b>"),
        ("markdown", "text/markdown", "*word*"),
        ("latex", "text/latex", "$x$"),
        ("javascript", "application/javascript", "1 + 1"),
        ("svg", "image/svg+xml", "<svg/>"),
    ],
)
def test_a_display_magic_shows_its_cell(magic: str, mime: str, body: str, notebook: Notebook) -> None:
    (data,) = notebook.run(f"%%{magic}\n{body}").displays
    assert str(data[mime]).strip() == body


# --- %matplotlib inline


@pytest.fixture
def plotting(notebook: Notebook) -> Notebook:
    prepared = notebook.run("%matplotlib inline\nimport asyncio\nimport matplotlib.pyplot as plt")
    assert prepared.status == "ok", prepared.text
    return notebook


@each_kind
def test_a_figure_is_shown_at_the_end_of_its_cell(waiting: str, plotting: Notebook) -> None:
    cell = plotting.run(f"{waiting}print('before')\nplt.plot([1, 2]);\nprint('after')")
    (data,) = cell.displays
    assert data["image/png"].startswith("iVBORw0KGgo")
    assert [kind for kind, _ in cell.outputs][-1] == "display_data"
    assert not plotting.run("1").displays, "shown once, and closed"
    assert plotting.run("plt.get_fignums()").result == "[]"


@each_kind
def test_show_shows_a_figure_at_its_place(waiting: str, plotting: Notebook) -> None:
    cell = plotting.run(f"{waiting}plt.plot([1, 2]); plt.show()\nplt.figure(); plt.plot([3]); plt.show()")
    assert len(cell.displays) == 2


def test_figures_from_both_kinds_of_cell_and_the_format_that_was_configured(plotting: Notebook) -> None:
    assert plotting.run("%config InlineBackend.figure_format = 'svg'").status == "ok"
    for waiting in WAITING.values():
        (data,) = plotting.run(f"{waiting}plt.plot([1, 2]);").displays
        assert data["image/svg+xml"].lstrip().startswith("<?xml")
    plotting.run("%config InlineBackend.figure_format = 'png'")


def test_a_figure_that_is_kept_can_be_displayed_and_is_shown_once(plotting: Notebook) -> None:
    kept = plotting.run("figure, axes = plt.subplots(); axes.plot([1, 2])\nplt.close(figure)\nfigure")
    results = [content["data"] for kind, content in kept.outputs if kind == "execute_result"]
    assert "image/png" in results[0]
    assert not kept.displays


@each_kind
def test_a_failing_cell_shows_no_half_made_figure_later(waiting: str, plotting: Notebook) -> None:
    assert plotting.run(f"{waiting}plt.plot([1, 2])\n1 / 0").status == "error"
    assert not plotting.run("1").displays

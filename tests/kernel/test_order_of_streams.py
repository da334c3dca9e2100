"""What was written first arrives first, whatever the stream, and the lines of threads stay whole."""

from __future__ import annotations

import re

import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook

PREPARE = """\
import logging, sys, threading
from IPython.display import HTML, clear_output, display
handler = logging.StreamHandler(sys.stderr)
log = logging.getLogger("test of order"); log.handlers[:] = [handler]; log.propagate = False
handle = display(HTML("to be updated"), display_id=True)
def out(text): print(text)
def err(text): print(text, file=sys.stderr)
def written(text): sys.stderr.write(f"{text}\\n")
def logged(text): log.warning(text)
def shown(text): display(HTML(f"{text}"))
def updated(text): handle.update(HTML(f"{text}"))
def together(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for one in threads: one.start()
    for one in threads: one.join()"""


@pytest.fixture
def ready(notebook: Notebook) -> Notebook:
    assert notebook.run(PREPARE).status == "ok"
    return notebook


def arrived(cell: Cell) -> list[str]:
    """Lines, displays and errors in the order in which they came."""
    made: list[str] = []
    for message in cell.messages:
        content = message["content"]
        match message["msg_type"]:
            case "stream":
                made += content["text"].splitlines()
            case "display_data" | "update_display_data" | "execute_result":
                made.append(content["data"].get("text/html") or content["data"]["text/plain"])
            case "clear_output":
                made.append("cleared")
            case "error":
                made.append(content["ename"])
    return made


@pytest.mark.parametrize(
    "ways",
    [
        "out err",
        "err out",
        "out logged",
        "out written",
        "out err shown",
        "err updated out",
        "logged shown err out",
    ],
)
@pytest.mark.parametrize("begin", ["", "import asyncio\n"], ids=["plain", "awaiting"])
def test_what_was_written_first_arrives_first(ways: str, begin: str, ready: Notebook) -> None:
    calls = "; ".join(f"{way}(f'{way} {{n}}')" for way in ways.split())
    pause = "    await asyncio.sleep(0)\n" if begin else ""
    cell = ready.run(f"{begin}for n in range(100):\n{pause}    {calls}")
    assert arrived(cell) == [f"{way} {n}" for n in range(100) for way in ways.split()]


@pytest.mark.parametrize(
    ("end", "last"),
    [
        ("'result'", "'result'"),
        ("1/0", "ZeroDivisionError"),
        ("clear_output(wait=True)", "cleared"),
        ("display(HTML('shown'))", "shown"),
    ],
)
def test_what_ends_a_cell_comes_behind_both_streams(end: str, last: str, ready: Notebook) -> None:
    cell = ready.run(f"print('one'); print('two', file=sys.stderr); print('three')\n{end}")
    assert arrived(cell) == ["one", "two", "three", last]


def test_pieces_of_lines_keep_their_order(ready: Notebook) -> None:
    cell = ready.run("for n in range(50): print(n, end=' '); print('e', end=' ', file=sys.stderr)")
    assert "".join(arrived(cell)) == "".join(f"{n} e " for n in range(50))


def test_a_flood_of_both_streams_by_threads_of_two_cells_keeps_each_one_s_order(ready: Notebook) -> None:
    begin = "gate, ready = threading.Event(), threading.Barrier(3)"
    assert ready.run(begin).status == "ok"
    flood = """\
def flood(name):
    ready.wait(30)
    for n in range(300): print(name, n, file=(sys.stdout, sys.stderr)[n % 3 == 0])
"""
    first = ready.run(
        flood + "early = [threading.Thread(target=flood, args=(name,)) for name in 'ab']\n"
        "for one in early: one.start()"
    )
    second = ready.run("flood('c')\nfor one in early: one.join()")
    first.wait_for(lambda cell: sum(line[0] in "ab" for line in arrived(cell)) == 600, "all lines")
    for cell, names in ((first, "ab"), (second, "c")):
        lines = [line for line in arrived(cell) if re.fullmatch(r"[abc] \d+", line)]
        for name in names:
            assert [line for line in lines if line[0] == name] == [f"{name} {n}" for n in range(300)]
        assert len(lines) == 300 * len(names)


@pytest.mark.parametrize(
    "line",
    [
        "print(f'<{name} {n}>')",
        "print('<%s' % name, f'{n}>')",
        "print('<', name, ' ', n, '>', sep='')",
        "print(f'<{name} {n}>', flush=n % 50 == 0)",
        "print(f'<{name} {n}>', file=(sys.stdout, sys.stderr)[n % 2])",
        "print('<', Text(f'{name} {n}'), '>', sep='')",
    ],
    ids=["one text", "two texts", "five texts", "flushed", "both streams", "objects"],
)
def test_lines_of_ten_threads_are_not_torn(line: str, ready: Notebook) -> None:
    cell = ready.run(f"""\
class Text:
    def __init__(self, text): self.text = text
    def __str__(self): return "".join(c for c in self.text)
def write(name):
    for n in range(1000): {line}
interval = sys.getswitchinterval(); sys.setswitchinterval(1e-5)
together(*(lambda name=name: write(name) for name in "abcdefghij"))
sys.setswitchinterval(interval)""")
    expected = {f"<{name} {n}>" for name in "abcdefghij" for n in range(1000)}
    streams = (cell.stdout.splitlines(), cell.stderr.splitlines())
    assert [line for lines in streams for line in lines if line not in expected] == []
    assert sum(map(len, streams)) == len(expected)
    for lines in streams:
        for name in "abcdefghij":
            numbers = [int(line[3:-1]) for line in lines if line[1] == name]
            assert numbers == sorted(numbers)


OPENED = {
    "print": "print('begun ', end='')",
    "print with a blank": "print('begun', end=' ')",
    "write": "sys.stdout.write('begun ')",
    "flushed": "print('begun ', end='', flush=True)",
}


@pytest.mark.parametrize("opened", OPENED.values(), ids=OPENED)
@pytest.mark.parametrize("flush", ["", ", flush=True"], ids=["", "the other flushes"])
def test_a_line_left_open_comes_before_what_a_thread_adds_to_it(
    opened: str, flush: str, ready: Notebook
) -> None:
    for number in range(20):
        cell = ready.run(f"{opened}\ntogether(lambda: print('added'{flush}))\nprint('ended')")
        assert cell.stdout == "begun added\nended\n", number


def test_a_line_left_open_appears_though_nobody_ends_it(ready: Notebook) -> None:
    cell = ready.submit(
        "print('open', end=''); threading.Thread(target=print, args=('x',)).start(); input()",
        allow_stdin=True,
    )
    cell.wait_for_text("openx\n")
    cell.wait_for_input_request(1)
    ready.answer("")
    assert cell.wait().stdout == "openx\n"

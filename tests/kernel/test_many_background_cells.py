"""D7 under load: thousands of cells side by side, with Stop, failures and deletions at random."""

from __future__ import annotations

import random

import psutil
import pytest

from tests.kernel.cells import Cell
from tests.kernel.client import Notebook

CELLS = 2000
AT_A_TIME = 8
SEED = 7
#: Of the kernel's memory after the second thousand cells to that after the first.
GROWTH = 1.25
ROUTES = {
    "plain": "time.sleep({pause})\n{body}",
    "awaiting": "await asyncio.sleep({pause})\n{body}",
    "plain, background": "%%background\ntime.sleep({pause})\n{body}",
    "awaiting, background": "%%background\nawait asyncio.sleep({pause})\n{body}",
    "tasks, background": "%%background\nawait asyncio.gather(*map(asyncio.sleep, [{pause}] * 3))\n{body}",
}
GONE = "gone"


class Expected:
    """What a name may hold: one value, or, where a Stop came in between, the one before or after."""

    def __init__(self) -> None:
        self.of: dict[str, set[str]] = {f"name_{number}": {GONE} for number in range(40)}
        self.in_use: set[str] = set()


class One:
    """A cell that was sent, and what it does."""

    def __init__(self, notebook: Notebook, number: int, chance: random.Random, expected: Expected) -> None:
        self.number = number
        self.expected = expected
        self.name = chance.choice(sorted(expected.of.keys() - expected.in_use))
        expected.in_use.add(self.name)
        self.kind = chance.choices(["write", "delete", "fail"], [6, 2, 2])[0]
        self.body = {
            "write": f"{self.name} = {number}; {number}",
            "delete": f"globals().pop({self.name!r}, None); {number}",
            "fail": f"raise LookupError({number})",
        }[self.kind]
        body = f"print('out {number}')\n{self.body}"
        code = chance.choice(list(ROUTES.values())).format(pause=chance.random() / 200, body=body)
        self.cell: Cell = notebook.submit(code, stop_on_error=False)

    def check(self) -> None:
        """The reply, the outputs, and what the name may hold now."""
        cell, text = self.cell, f"out {self.number}\n"
        self.expected.in_use.remove(self.name)
        after = {"write": str(self.number), "delete": GONE}.get(self.kind)
        stopped = cell.status == "error" and cell.reply["ename"] == "KeyboardInterrupt"
        if stopped:
            assert text.startswith(cell.stdout)
            if after is not None:
                self.expected.of[self.name].add(after)
            return
        if self.kind == "fail" and cell.stderr == "\nKeyboardInterrupt\n\n":
            return  # the Stop came while IPython was showing the error
        assert cell.stdout == text, cell.text
        assert cell.stderr == "", cell.text
        if after is None:
            assert cell.error == ("LookupError", str(self.number)), cell.text
        else:
            assert (cell.status, cell.result) == ("ok", str(self.number)), cell.text
            self.expected.of[self.name] = {after}


@pytest.mark.timeout(115)
def test_thousands_of_cells_side_by_side(fresh_notebook: Notebook) -> None:
    notebook = fresh_notebook
    notebook.run("import asyncio, threading, time")
    notebook.ask("complete_request", {"code": "pri", "cursor_pos": 3})  # loads jedi, of which memory grows
    notebook.run("get_ipython().displayhook.cache_size = 10_000")  # it warns when it drops old results
    chance = random.Random(SEED)
    expected = Expected()
    flying: list[One] = []
    sent: list[Cell] = []
    memory = []
    process = psutil.Process(notebook.pid)

    def land(at_most: int) -> None:
        notebook.pump(lambda: sum(not one.cell.done for one in flying) <= at_most, "the replies")
        for one in [one for one in flying if one.cell.done]:
            flying.remove(one)
            one.check()

    for number in range(CELLS):
        flying.append(One(notebook, number, chance, expected))
        sent.append(flying[-1].cell)
        land(AT_A_TIME - 1)
        if chance.random() < 0.02:
            notebook.interrupt("SIGINT")
        if number + 1 in (CELLS // 2, CELLS):
            land(0)
            memory.append(process.memory_info().rss)

    for cell in sent:
        assert len(cell.replies) == 1
        assert cell.states[0] == "busy", "which is said again while others end beside it"
        assert cell.states.index("idle") == len(cell.states) - 1
    assert [message for message in notebook.strays if message["parent_header"]] == []
    names = notebook.run(f"print({{n: str(globals().get(n, {GONE!r})) for n in {sorted(expected.of)!r}}})")
    found = eval(names.stdout)
    assert {name for name, values in expected.of.items() if found[name] not in values} == set()
    assert notebook.run("%ps").text == "Nothing runs.\n"
    assert notebook.run("[t.name for t in threading.enumerate() if 'background' in t.name]").result == "[]"
    assert notebook.run("%%sync\nasyncio.all_tasks(asyncio.get_event_loop())").result == "set()"
    assert notebook.run("40 + 2").result == "42"
    assert (
        notebook.run("_, _ is Out[max(Out)], In[-1]").result == "(42, True, '_, _ is Out[max(Out)], In[-1]')"
    )
    assert memory[1] < memory[0] * GROWTH, memory


def test_the_output_of_thousands_of_short_threads_arrives(notebook: Notebook) -> None:
    code = "for n in range(1500):\n    t = threading.Thread(target=print, args=[n]); t.start(); t.join()"
    assert notebook.run(f"import threading\n{code}").stdout == "".join(
        f"{number}\n" for number in range(1500)
    )
    assert notebook.run("print('and on')").stdout == "and on\n"

"""`jupyter console` in a pseudo-terminal, as a person types into it."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import psutil
import pytest

pytestmark = [
    pytest.mark.console,
    pytest.mark.filterwarnings("ignore:This process .*forkpty:DeprecationWarning"),  # pexpect's
]

PATIENCE = 40.0
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x1b\][^\x07]*\x07")


class Terminal:
    """What stands on the screen, without colours and cursor movements, and a keyboard."""

    def __init__(self, kernel: str, env: dict[str, str], directory: Path) -> None:
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "jupyter", "console", "--kernel", kernel],
            env={**env, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
            cwd=str(directory),
            dimensions=(50, 120),
            encoding="utf-8",
        )
        self._raw = ""
        self._read = 0

    @property
    def new(self) -> str:
        """What came since the last `expect`."""
        return ESCAPES.sub("", self._raw)[self._read :]

    def expect(self, text: str, timeout: float = PATIENCE) -> str:
        """Reads until `text` comes; all that came up to there since the last time."""
        deadline = time.monotonic() + timeout
        while text not in self.new:
            assert time.monotonic() < deadline, f"{text!r} did not come; the terminal shows:\n{self.new}"
            try:
                self._raw += self.child.read_nonblocking(4096, timeout=0.5)
            except pexpect.TIMEOUT:
                continue
        seen = self.new.partition(text)[0]
        self._read += len(seen) + len(text)
        return seen

    def enter(self, line: str) -> None:
        self.child.send(line + "\r")

    def start(self, line: str, text: str) -> None:
        """Enters a cell that prints `text` while it runs.

        jupyter_console takes the idle of its own `is_complete_request` for the cell's, if it reads it between
        sending the cell and the cell's busy, and then shows nothing before the cell ends.
        """
        self.enter(line)
        try:
            self.expect(text, timeout=10)
        except AssertionError:
            self.child.sendintr()
            self.expect("]: ")
            self.enter(line)
            self.expect(text)


@pytest.fixture(scope="module")
def terminal(
    installed_kernelspec: str, kernel_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminal]:
    terminal = Terminal(installed_kernelspec, kernel_env, tmp_path_factory.mktemp("console"))
    terminal.expect("In [1]: ")
    yield terminal
    terminal.child.close(force=True)


def test_cells_run_and_see_one_namespace(terminal: Terminal) -> None:
    terminal.enter("import asyncio, time; x = 21")
    terminal.enter("x * 2")
    terminal.expect("Out[2]: 42")
    terminal.enter("await asyncio.sleep(0, x * 4)")
    terminal.expect("Out[3]: 84")
    terminal.enter("asyncio.run(asyncio.sleep(0, x * 6))")
    terminal.expect("Out[4]: 126")
    terminal.expect("In [5]: ")


def test_an_error_is_shown_and_the_next_cell_runs(terminal: Terminal) -> None:
    terminal.enter("1 / 0")
    terminal.expect("ZeroDivisionError: division by zero")
    terminal.expect("In [6]: ")
    terminal.enter("x + 1")
    terminal.expect("Out[6]: 22")
    terminal.expect("In [7]: ")


@pytest.mark.parametrize("sleep", ["time.sleep(60)", "await asyncio.sleep(60)"])
def test_ctrl_c_ends_a_sleeping_cell(sleep: str, terminal: Terminal) -> None:
    terminal.start(f"print('rea' + 'dy', flush=True); {sleep}", "ready")
    pressed = time.monotonic()
    terminal.child.sendintr()
    terminal.expect("KeyboardInterrupt")
    assert time.monotonic() - pressed < 20, "well under the 60 s for which the cell would sleep"
    terminal.expect("]: ")
    terminal.enter("x + 2")
    terminal.expect(": 23")
    terminal.expect("]: ")


def test_tab_completes_a_name_of_the_namespace(terminal: Terminal) -> None:
    terminal.enter("a_very_long_name_indeed = 'completed'")
    terminal.expect("]: ")
    terminal.child.send("a_very_lo\t")
    terminal.expect("a_very_long_name_indeed")
    terminal.enter("")
    terminal.expect("'completed'")
    terminal.expect("]: ")


def test_input_is_asked_in_the_terminal(terminal: Terminal) -> None:
    terminal.enter("input('who' + ' is it? ')")
    terminal.expect("who is it? ")
    terminal.enter("me")
    terminal.expect("'me'")
    terminal.expect("]: ")


@pytest.mark.parametrize("sleep", ["time.sleep(.05)", "await asyncio.sleep(.05)"])
def test_a_background_cell_gives_the_prompt_back_and_its_output_comes_later(
    sleep: str, terminal: Terminal
) -> None:
    terminal.enter("gate = []")
    terminal.expect("]: ")
    terminal.child.send(f"%%background\rwhile not gate: {sleep}\rprint('la' 'ter'); 6 * 7\r\r\r")
    terminal.expect("'ter'); 6 * 7")
    terminal.expect("]: ")
    terminal.enter("'mean' 'while'")
    terminal.expect("'meanwhile'")
    terminal.expect("]: ")
    terminal.enter("gate.append(1)")
    terminal.expect("]: ")
    terminal.enter("")
    terminal.enter("%wait")
    terminal.expect("later")
    terminal.expect("42")
    terminal.enter("'go' 'es on'")
    terminal.expect("'goes on'")
    terminal.expect("]: ")


def test_exit_ends_console_and_kernel(terminal: Terminal) -> None:
    terminal.enter("import os; print('kernel', os.getpid(), '.')")
    terminal.expect("\nkernel ")
    kernel = psutil.Process(int(terminal.expect(" .")))
    terminal.enter("exit")
    terminal.child.expect(pexpect.EOF, timeout=PATIENCE)
    terminal.child.close()
    assert terminal.child.exitstatus == 0
    _, alive = psutil.wait_procs([kernel], timeout=PATIENCE)
    assert not alive, "the kernel outlives its console"


def test_names_come_back_in_the_next_console(
    installed_kernelspec: str, kernel_env: dict[str, str], tmp_path: Path
) -> None:
    first = Terminal(installed_kernelspec, kernel_env, tmp_path)
    first.expect("In [1]: ")
    first.enter("%durable")
    first.expect("`%durable NAME` names it")
    first.enter("%durable console")
    first.expect("from now on")
    first.enter("kept = other = [42]")
    first.enter("exit")
    first.child.expect(pexpect.EOF, timeout=PATIENCE)
    second = Terminal(installed_kernelspec, kernel_env, tmp_path)
    second.expect("In [1]: ")
    second.enter("%durable console")
    second.expect("2 names of before: `%restore` brings them back")
    second.enter("%restore")
    second.expect("2 names are back")
    second.enter("kept is other and kept")
    second.expect(": [42]")
    second.child.close(force=True)

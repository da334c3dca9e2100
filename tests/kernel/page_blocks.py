"""The code blocks of a page, what the page promises of them, and whether a kernel keeps it.

All blocks of a page run in one kernel, in order, as a reader would run them. Promises are

- the comment behind a block's last line, if it is a value: `tasks[0]    # <deferred coroutine f>`.
  `about 20` is a number near it, `…` is anything. A comment that is a sentence promises nothing.
- a block of text that follows a cell: each of its lines is among what that shows. `…` is anything.

HTML comments before a block, which no reader sees, say what is special about it:

- `<!-- not run: why -->`
- `<!-- raises: NameOfError -->`: the cell fails so, and that is what it shows.
- `<!-- stop -->`: Stop is pressed when it has begun.
- `<!-- later -->`: it goes on in the background, and has ended when the page is over.
- `<!-- before`, code, `-->`: what the reader has, and the page does not show.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from namespace_kernel.__main__ import COMMANDS
from tests.kernel.cells import Cell
from tests.kernel.client import ROOT, Notebook

LANGUAGES = frozenset(("python", "text", "sh", "bash", "json", "toml"))

#: Shown values that are near enough: half of it to twice of it; machines are busy.
_NEAR = 4.0

_FENCE = re.compile(
    r"(?P<marks>(?:^ *<!--(?:(?!-->).)*-->\s*\n)*)"
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(r"<!-- *(not run|raises|stop|later|before)\b:?(.*?)-->", re.DOTALL)
_PROSE = re.compile(r"(?!about \d)[a-zäöü][a-z']*[ ,]")


@dataclass
class Block:
    """A fenced block. `marks` are the comments before it, by their first word."""

    line: int
    language: str
    code: str
    marks: dict[str, str] = field(default_factory=dict)

    @property
    def promise(self) -> str | None:
        """The value behind the last line."""
        found = (
            re.search(r"\S {2,}# (.+)$", self.code.rstrip().splitlines()[-1]) if self.code.strip() else None
        )
        text = found[1] if found else None
        return None if text is None or _PROSE.match(text) else text


def blocks_of(page: str) -> Iterator[Block]:
    """Every fenced block, in order."""
    for found in _FENCE.finditer(page):
        indent = len(found["indent"])
        code = "".join(
            line[indent:] if line.strip() else line for line in found["code"].splitlines(keepends=True)
        )
        marks = {mark[1]: mark[2].strip() for mark in _MARK.finditer(found["marks"])}
        yield Block(page.count("\n", 0, found.start("code")), found["language"], code, marks)


def is_shown(promised: str, shown: str) -> bool:
    """Whether `shown` has what is promised. `…` is anything, and white space is one blank."""
    near = re.match(r"about ([\d.]+)", promised)
    if near:
        numbers = [float(one) for one in re.findall(r"\d+(?:\.\d+)?", shown)]
        return any(float(near[1]) / _NEAR <= one <= float(near[1]) * _NEAR for one in numbers)
    words = [re.escape(" ".join(part.split())) for part in promised.split("…")]
    return re.search(".*".join(words), " ".join(shown.split())) is not None


def missing_lines(promised: str, shown: str) -> list[str]:
    """The lines of a block of text that are not shown."""
    return [line for line in promised.splitlines() if line.strip() and not is_shown(line, shown)]


def broken_command(line: str) -> str | None:
    """What is wrong with a line for the shell; it is not run."""
    words = line.partition("#")[0].split()
    while words and re.match(r"\w+=", words[0]):
        del words[0]
    if not words:
        return None
    if words[0] == "make":
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        wrong = [one for one in words[1:2] if "=" not in one and one not in targets]
        return f"make has no target {wrong[0]}" if wrong else None
    own = (
        words[1:]
        if words[0] == "namespace-kernel"
        else words[3:]
        if words[1:3] == ["-m", "namespace_kernel"]
        else []
    )
    if own and not own[0].startswith("-") and own[0] not in COMMANDS:
        return f"there is no command {own[0]}"
    known = words[0] in ("pip", "python", "namespace-kernel", "jupyter", "papermill", "git", "cd", "uv")
    return None if known or shutil.which(words[0]) else f"there is no program {words[0]}"


class Reader:
    """Runs a page's blocks in a kernel and collects what does not hold."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        self.wrong: list[str] = []
        self.ran = 0
        self._last: Cell | None = None
        self._later: list[tuple[Block, Cell]] = []

    def read(self, page: str) -> list[str]:
        """What is wrong with it: the line in the page, and why."""
        for block in blocks_of(page):
            self._read(block)
        for block, cell in self._later:
            cell.wait()
            self._judge(block, cell)
        return self.wrong

    def _read(self, block: Block) -> None:
        if block.language not in LANGUAGES:
            self._complain(block, f"its language is {block.language!r}, none of {sorted(LANGUAGES)}")
        elif "not run" in block.marks:
            if not block.marks["not run"]:
                self._complain(block, "it is not run, and nothing says why")
        elif block.language == "python":
            self._run(block)
        elif block.language == "text":
            self._compare(block)
        elif block.language in ("sh", "bash"):
            for line in block.code.splitlines():
                problem = broken_command(line)
                if problem:
                    self._complain(block, problem)

    def _run(self, block: Block) -> None:
        if "before" in block.marks:
            before = self.notebook.run(block.marks["before"])
            if before.error:
                self._complain(block, f"what comes before it fails: {before.traceback}")
        self.ran += 1
        cell = self.notebook.submit(block.code)
        if "stop" in block.marks:
            cell.wait_started()
            self.notebook.interrupt("interrupt_request")
        if "later" in block.marks:
            self._later.append((block, cell.wait_started()))
        else:
            cell.wait()
            self._judge(block, cell)
        self._last = cell

    def _judge(self, block: Block, cell: Cell) -> None:
        raised = cell.error[0] if cell.error else ""
        expected = "KeyboardInterrupt" if "stop" in block.marks else block.marks.get("raises", "")
        if raised != expected:
            self._complain(
                block, f"it raises {raised or 'nothing'}, not {expected or 'nothing'}\n{cell.traceback}"
            )
        elif block.promise is not None and not self._comes(block.promise, cell):
            self._complain(block, f"it promises {block.promise!r} and shows {cell.text!r}")

    def _compare(self, block: Block) -> None:
        if self._last is not None and not self._comes(block.code, self._last, lines=True):
            missing = missing_lines(block.code, self._last.text)
            self._complain(block, f"{missing!r} is not in {self._last.text!r}")

    def _comes(self, promised: str, cell: Cell, lines: bool = False) -> bool:
        """Whether it is shown, or is within some time: tasks, threads and receipts go on."""

        def here(cell: Cell) -> bool:
            if lines:
                return not missing_lines(promised, cell.text)
            # A traceback shows the line itself, and with it the promise.
            return is_shown(promised, cell.text.replace(f"# {promised}", ""))

        try:
            cell.wait_for(here, "what the page promises", timeout=10)
        except AssertionError:
            return False
        return True

    def _complain(self, block: Block, text: str) -> None:
        self.wrong.append(f"line {block.line}: {text}\n    {block.code.strip()[:300]}")


#: Written by the test that runs its mistakes.
_GALLERY = ROOT / "docs" / "errors.md"


def pages() -> list[Path]:
    """Every page with blocks that are to be run: all but the decisions, and the gallery of mistakes."""
    found = {*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")} - {_GALLERY}
    return sorted(page for page in found if "decisions" not in page.parts and "```" in page.read_text())

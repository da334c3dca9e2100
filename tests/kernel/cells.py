"""A request to a kernel, and all that came back for it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from tests.kernel.client import Notebook

Message = dict[str, Any]

# Longer than a loaded two-core machine ever needs, and shorter than what the demos would sleep (60 s).
PATIENCE = float(os.environ.get("NAMESPACE_KERNEL_TEST_PATIENCE", "40"))
OUTPUT_TYPES = {"stream", "display_data", "update_display_data", "execute_result", "error", "clear_output"}
DISPLAY_TYPES = ("display_data", "update_display_data")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class KernelProblem(AssertionError):
    """The kernel died, or what a test waits for did not come. The text carries what did come."""


class Request:
    """One request and all that came back for it, also what came after idle."""

    def __init__(self, notebook: Notebook, msg_id: str, what: str) -> None:
        self.notebook = notebook
        self.msg_id = msg_id
        self.what = what
        self.messages: list[Message] = []  # IOPub, in order
        self.replies: list[Message] = []
        self.input_requests: list[Message] = []

    @property
    def states(self) -> list[str]:
        return [m["content"]["execution_state"] for m in self.messages if m["msg_type"] == "status"]

    @property
    def done(self) -> bool:
        return bool(self.replies) and "idle" in self.states

    @property
    def reply(self) -> Message:
        assert self.replies, f"no reply yet to {self.what!r}"
        content: Message = self.replies[0]["content"]
        return content

    def wait(self, timeout: float = PATIENCE) -> Self:
        """Until reply and idle are both here."""
        self.notebook.pump(lambda: self.done, f"reply and idle of {self.what!r}", timeout)
        return self

    def wait_idle(self, timeout: float = PATIENCE) -> Self:
        """For messages that have no reply."""
        self.notebook.pump(lambda: "idle" in self.states, f"idle of {self.what!r}", timeout)
        return self


class Cell(Request):
    """A cell that was sent. Its properties always tell what has arrived up to now."""

    @property
    def status(self) -> str:
        return str(self.reply["status"])

    @property
    def count(self) -> int:
        return int(self.reply["execution_count"])

    @property
    def outputs(self) -> list[tuple[str, Message]]:
        return [(m["msg_type"], m["content"]) for m in self.messages if m["msg_type"] in OUTPUT_TYPES]

    def _stream(self, name: str) -> str:
        return "".join(c["text"] for t, c in self.outputs if t == "stream" and c["name"] == name)

    @property
    def stdout(self) -> str:
        return self._stream("stdout")

    @property
    def stderr(self) -> str:
        return self._stream("stderr")

    @property
    def displays(self) -> list[dict[str, Any]]:
        """What the cell displayed, its receipt aside."""
        return [c["data"] for t, c in self.outputs if t in DISPLAY_TYPES and not is_receipt(c)]

    @property
    def receipts(self) -> list[dict[str, Any]]:
        """The receipt each time it was shown or updated."""
        return [c["data"] for t, c in self.outputs if t in DISPLAY_TYPES and is_receipt(c)]

    @property
    def receipt(self) -> str:
        """What the receipt says now."""
        return str(self.receipts[-1]["text/plain"]) if self.receipts else ""

    @property
    def result(self) -> str | None:
        """What stands after `Out[n]:`, as text."""
        results = [c["data"] for t, c in self.outputs if t == "execute_result"]
        return str(results[-1]["text/plain"]) if results else None

    @property
    def error(self) -> tuple[str, str] | None:
        errors = [c for t, c in self.outputs if t == "error"]
        return (errors[-1]["ename"], errors[-1]["evalue"]) if errors else None

    @property
    def traceback(self) -> str:
        return plain("\n".join("\n".join(c["traceback"]) for t, c in self.outputs if t == "error"))

    @property
    def text(self) -> str:
        """All that a reader sees under the cell, whatever message it came in."""
        parts = []
        for kind, content in self.outputs:
            if kind == "stream":
                parts.append(content["text"])
            elif kind == "error":
                parts.append("\n".join(content["traceback"]))
            elif "data" in content:
                parts.append(content["data"].get("text/plain", "") + "\n")
        return plain("".join(parts))

    def wait_started(self) -> Cell:
        """Until the kernel has said that it begins with this cell."""
        return self.wait_for(lambda c: any(m["msg_type"] == "execute_input" for m in c.messages), "its start")

    def wait_for(self, predicate: Callable[[Cell], bool], what: str, timeout: float = PATIENCE) -> Cell:
        """Until `predicate(self)` holds, also after idle."""
        self.notebook.pump(lambda: predicate(self), f"{what} of {self.what!r}", timeout)
        return self

    def wait_for_text(self, text: str, timeout: float = PATIENCE) -> Cell:
        return self.wait_for(lambda cell: text in cell.text, f"the output {text!r}", timeout)

    def wait_for_input_request(self, number: int = 1) -> Message:
        """Until the cell has asked for input for the `number`-th time; what it asks."""
        self.wait_for(lambda c: len(c.input_requests) >= number, "an input request")
        content: Message = self.input_requests[number - 1]["content"]
        return content


def is_receipt(content: Message) -> bool:
    """Whether a display is the kernel's line about what the cell left behind."""
    return str(content.get("transient", {}).get("display_id")).startswith("receipt-")


def plain(text: str) -> str:
    """Without colours."""
    return ANSI.sub("", text)


def rows_by_name(cell: Cell) -> dict[str, list[str]]:
    """The newest table under the cell: name → the other columns, in the order of the rows."""
    found = {}
    for row in re.findall(r"<tr>(.*?)</tr>", cell.displays[-1]["text/html"]):
        name, *rest = re.findall(r"<td[^>]*>(.*?)</td>", row) or [""]
        if name:
            found[name] = rest
    return found

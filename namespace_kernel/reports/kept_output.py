"""The output of recent cells, as it was sent: a page that was closed meanwhile can ask for it.

Kept are the messages' own bytes, and nothing is looked into before somebody asks. The oldest go first when
all are larger than the limit.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

#: How the topics of the messages end that are kept.
_KEPT = (b"stdout", b"stderr", b"stream", b"display_data", b"execute_result", b"error", b"clear_output")
_INPUT, _STATUS = b"execute_input", b"status"
_DELIMITER = b"<IDS|MSG>"
#: The output of so many cells is kept, and so many cells that have shown nothing yet are known.
_CELLS, _SILENT = 50, 30
#: What a message takes besides its bytes.
_OVERHEAD = 200

#: A message's type and content.
Output: TypeAlias = tuple[str, dict[str, Any]]
Unpack: TypeAlias = Callable[[bytes], Any]


class _Kept:
    """One request's output. `lost` if some of it is not kept any more."""

    def __init__(self, shown_input: bytes = b"") -> None:
        self.input = shown_input
        self.messages: deque[tuple[bytes, bytes]] = deque()
        self.followers: list[Callable[[bytes, bytes], None]] = []
        self.lost = False


class KeptOutput:
    """`limit` is in bytes; with 0 nothing is kept.

    Thread: the one that sends; only one does at a time.
    """

    def __init__(self) -> None:
        self.limit: Callable[[], int] = lambda: 0
        self._requests: OrderedDict[bytes, _Kept] = OrderedDict()
        self._inputs: OrderedDict[bytes, bytes] = OrderedDict()
        self._size = 0
        self._followed = False

    def note(self, parts: Sequence[Any]) -> None:
        """A message is being sent."""
        topic = parts[0]
        if topic.endswith(_KEPT):
            _, _, header, parent, _, content, *_ = parts[parts.index(_DELIMITER) :]
            self._add(bytes(parent), bytes(header), bytes(content))
        elif topic.endswith(_INPUT):
            _, _, _, parent, _, content, *_ = parts[parts.index(_DELIMITER) :]
            self._inputs[bytes(parent)] = bytes(content)
            if len(self._inputs) > _SILENT:
                self._inputs.popitem(last=False)
        elif self._followed and topic.endswith(_STATUS):
            _, _, _, parent, _, content, *_ = parts[parts.index(_DELIMITER) :]
            if parent in self._requests and b"idle" in bytes(content):
                self._requests[parent].followers.clear()
                self._followed = any(kept.followers for kept in self._requests.values())

    def _add(self, parent: bytes, header: bytes, content: bytes) -> None:
        limit = self.limit()
        if limit <= 0:
            self._requests.clear()
            self._size = 0
            return
        kept = self._of_request(parent)
        kept.messages.append((header, content))
        self._size += len(header) + len(content) + _OVERHEAD
        for tell in kept.followers:
            tell(header, content)
        while self._size > limit or len(self._requests) > _CELLS:
            oldest, first = next(iter(self._requests.items()))
            if first.messages and (first is not kept or self._size > limit):
                first.lost = True
                self._size -= sum(map(len, first.messages.popleft())) + _OVERHEAD
            else:
                del self._requests[oldest]

    def _of_request(self, parent: bytes) -> _Kept:
        kept = self._requests.get(parent)
        if kept is None:
            kept = self._requests[parent] = _Kept(self._inputs.pop(parent, b""))
        return kept

    def of(self, number: int, unpack: Unpack) -> _Kept | None:
        """What is kept of the latest cell of that number."""
        for parent, content in list(self._inputs.items()) if self.limit() > 0 else ():
            if unpack(content).get("execution_count") == number:
                return self._of_request(parent)
        for kept in reversed(self._requests.values()):
            if kept.input and unpack(kept.input).get("execution_count") == number:
                return kept
        return None

    def follow(self, kept: _Kept, tell: Callable[[bytes, bytes], None]) -> None:
        """Call `tell` with what is sent from now on, until the cell is done."""
        kept.followers.append(tell)
        self._followed = True


def outputs_of(kept: _Kept, unpack: Unpack) -> list[Output]:
    """What a page would show: what was cleared is gone, and what was updated is up to date."""
    shown: list[Output] = []
    clears = False
    for header, content in kept.messages:
        kind, fields = unpack(header)["msg_type"], unpack(content)
        if kind == "clear_output":
            clears = bool(fields.get("wait"))
            shown = shown if clears else []
            continue
        if clears:
            shown, clears = [], False
        if kind == "update_display_data":
            for _, earlier in shown:
                if _display_id(earlier) is not None and _display_id(earlier) == _display_id(fields):
                    earlier.update(data=fields["data"], metadata=fields.get("metadata", {}))
        else:
            shown.extend(as_shown(kind, fields))
    return shown


def as_shown(kind: str, fields: dict[str, Any]) -> Iterator[Output]:
    """A message as another cell can show it: a result is no `Out` of that, and an error does not fail it."""
    if kind == "error":
        yield "stream", {"name": "stderr", "text": "\n".join(fields["traceback"]) + "\n"}
    elif kind == "execute_result":
        yield "display_data", {"data": fields["data"], "metadata": fields["metadata"], "transient": {}}
    else:
        yield kind, fields


def _display_id(fields: dict[str, Any]) -> object:
    return (fields.get("transient") or {}).get("display_id")

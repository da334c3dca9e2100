"""What the fields of a request must be, in one table.

Listed is what the kernel relies on. Everything else is taken as it comes, as in ipykernel: a `silent` that is
a string counts as true, tags that are no list as none. What a message's type does not need is not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from .request import Message

#: SQLite's, and what a position can be.
_LARGEST = 2**63


class Rule(NamedTuple):
    """What a field must be, in words, and a test of it; `needed` says that it must be there."""

    words: str
    allows: Callable[[object], bool]
    needed: bool = True


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and abs(value) < _LARGEST


TEXT = Rule("a string", lambda value: isinstance(value, str))
INTEGER = Rule("an integer of 64 bits", _is_integer)
ANYTHING = Rule("given", lambda value: True)
MAYBE_TEXT = Rule("a string or null", lambda value: value is None or isinstance(value, str), needed=False)
MAYBE_INTEGER = Rule(
    "an integer of 64 bits or null", lambda value: value is None or _is_integer(value), needed=False
)
MAYBE_OBJECT = Rule("an object or null", lambda value: value is None or isinstance(value, dict), needed=False)

HEADER: Mapping[str, Rule] = {
    "msg_id": Rule(
        "a string",
        lambda value: isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)),
    ),
    "msg_type": TEXT,
    "subshell_id": MAYBE_TEXT,
}

CONTENT: Mapping[str, Mapping[str, Rule]] = {
    "execute_request": {"code": TEXT, "user_expressions": MAYBE_OBJECT},
    "complete_request": {
        "code": TEXT,
        "cursor_pos": Rule(MAYBE_INTEGER.words, MAYBE_INTEGER.allows),
    },
    "inspect_request": {
        "code": TEXT,
        "cursor_pos": INTEGER,
        "detail_level": Rule("an integer of 64 bits", _is_integer, needed=False),
        "omit_sections": Rule(
            "a list of strings",
            lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
            needed=False,
        ),
    },
    "is_complete_request": {"code": TEXT},
    "history_request": {
        "hist_access_type": TEXT,
        "output": ANYTHING,
        "raw": ANYTHING,
        "session": MAYBE_INTEGER,
        "start": MAYBE_INTEGER,
        "stop": MAYBE_INTEGER,
        "n": MAYBE_INTEGER,
        "pattern": MAYBE_TEXT,
        "unique": Rule("", lambda value: True, needed=False),
    },
    "shutdown_request": {"restart": ANYTHING},
    "debug_request": {"command": TEXT, "seq": INTEGER},
    "delete_subshell_request": {"subshell_id": TEXT},
    "comm_open": {"comm_id": TEXT, "target_name": TEXT},
    "comm_msg": {"comm_id": TEXT},
    "comm_close": {"comm_id": TEXT},
}

_WORDS: Mapping[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "a list",
    tuple: "a list",
    dict: "an object",
}


def kind_of(value: object) -> str:
    """What `value` is, as JSON calls it."""
    return _WORDS.get(type(value), f"of type {type(value).__name__}")


def check_fields(message: Message) -> str:
    """Say what is wrong with `message`, "" if nothing is, and make all its parts objects, for an answer.

    A part that a message of its type does not need may be anything.
    """
    header, kind = message["header"], message["msg_type"]
    problems = [_first_wrong("header", header, HEADER)]
    for name in [name for name, rule in HEADER.items() if name in header and not rule.allows(header[name])]:
        del header[name]  # an answer must not hand it on to other clients
    for name in ("msg_id", "msg_type"):  # ipykernel's answers read them
        header.setdefault(name, "")
    for part, rules in (("metadata", {}), ("content", CONTENT.get(kind, {}))):
        value = message[part]
        if not isinstance(value, dict):
            message[part] = {}
            needed = rules or (part == "metadata" and kind == "execute_request")
            if value is not None and needed:
                problems.append(f"`{part}` must be an object, and is {kind_of(value)}")
                continue
        problems.append(_first_wrong(part, message[part], rules))
    if not isinstance(message["parent_header"], dict):
        message["parent_header"] = {}
    return next(filter(None, problems), "")


def tags_of(metadata: Message) -> list[str]:
    """A cell's tags. A notebook's file can hold anything there."""
    tags = metadata.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _first_wrong(part: str, fields: Message, rules: Mapping[str, Rule]) -> str:
    for name, rule in rules.items():
        if name not in fields:
            if rule.needed:
                return f"`{name}` is missing in its {part}"
        elif not rule.allows(fields[name]):
            return f"`{name}` in its {part} must be {rule.words}, and is {kind_of(fields[name])}"
    return ""

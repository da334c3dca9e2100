"""Values as words that can always be sent."""

from __future__ import annotations

import re


def exit_code_of(error: SystemExit) -> int:
    """The exit code that Python would end with (documentation of `SystemExit.code`)."""
    if error.code is None:
        return 0
    return int(error.code) if isinstance(error.code, int) else 1


def words_of(error: object) -> str:
    """`str(error)`, or what went wrong in it."""
    try:
        return str(error)
    except Exception as problem:
        return f"<its __str__ raised {type(problem).__name__}>"


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> str:
    """`text` with U+FFFD in place of lone surrogates."""
    return _LONE_SURROGATE.sub("\ufffd", text)

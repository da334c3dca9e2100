"""Values as words: those of the user's always become some, and numbers few."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable


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


def tell(log: logging.Logger, level: int, what: str, error: BaseException) -> None:
    """Tell in one line what failed, and where only who debugs."""
    log.log(level, "%s: %s: %s", what, type(error).__name__, words_of(error))
    log.debug("it failed here", exc_info=error)


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> str:
    """`text` with U+FFFD in place of lone surrogates."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def ranges_of(numbers: Iterable[int]) -> str:
    """Rising numbers in short, as `1 3-5 9`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return " ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)

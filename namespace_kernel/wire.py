"""What our messages may hold that JSON in UTF-8 cannot."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from jupyter_client.jsonutil import json_default
from jupyter_client.session import Session

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> str:
    """`text` with U+FFFD in place of lone surrogates."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def tolerate_surrogates(session: Session) -> None:
    """Let `session` send messages with lone surrogates, as U+FFFD.

    A single one in a cell's output would otherwise fail in the IOPub thread, which then sends nothing
    more; and a notebook that held it could not be saved.
    """
    pack: Callable[[Any], bytes] = session.pack

    def tolerant(message: Any) -> bytes:
        try:
            return pack(message)
        except (UnicodeEncodeError, TypeError):  # TypeError is orjson's
            text = json.dumps(message, default=json_default, ensure_ascii=False, allow_nan=False)
            return encodable(text).encode()

    session.pack = tolerant

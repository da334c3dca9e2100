"""jedi asks the same questions at every completion; those that have one answer are answered from memory.

`os.pa` makes it decide for hundreds of names in its description of `os` (typeshed's) whether they stand under
an `if sys.platform == …` that holds, by type inference, and from scratch each time: 75 of 107 ms.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_DESCRIPTIONS = os.path.join("jedi", "third_party", "typeshed")

#: File and position of a condition → whether it holds.
_known: dict[tuple[str, tuple[int, int]], Any] = {}


def remember_conditions() -> None:
    """Let jedi remember which conditions hold in the standard library and its descriptions. Once is enough.

    They depend on the Python that runs and on nothing else. Thread: the one that completes.
    """
    try:
        from jedi.inference import flow_analysis  # type: ignore[import-untyped]
    except ImportError:
        return
    original: Callable[[Any, Any], Any] | None = getattr(flow_analysis, "_check_if", None)
    if original is None or getattr(original, "remembers", False):
        return

    def check_if(context: Any, node: Any) -> Any:
        path = str(context.py__file__() or "") if context.is_module() else ""
        # In the midst of another question the answer may be a different one.
        if not _is_fixed(path) or context.inference_state.recursion_detector.pushed_nodes:
            return original(context, node)
        place = (path, node.start_pos)
        answer = _known.get(place)
        if answer is None:
            answer = _known[place] = original(context, node)
        return answer

    check_if.remembers = True  # type: ignore[attr-defined]
    flow_analysis._check_if = check_if


def _is_fixed(path: str) -> bool:
    """Whether a module's file stays as it is while Python runs."""
    if path.startswith(_STANDARD_LIBRARY):
        return "site-packages" not in path
    return _DESCRIPTIONS in path

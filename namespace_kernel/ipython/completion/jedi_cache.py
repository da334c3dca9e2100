"""jedi asks the same questions at every completion; those that have one answer are answered from memory.

`os.pa` makes it decide for hundreds of names in its description of `os` (typeshed's) whether they stand under
an `if sys.platform == …` that holds, by type inference, and from scratch each time: 75 of 107 ms.

It also reads a file, 0.2 ms, before it sees that it has parsed it already.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from namespace_kernel.base.patching import Patch, Patches

#: jedi's `_check_if(context, node)`, and its `_load_module(inference_state, path)`.
Check: TypeAlias = Callable[[Any, Any], object]
Load: TypeAlias = Callable[[Any, str], object]

_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_DESCRIPTIONS = os.path.join("jedi", "third_party", "typeshed")

#: File and position of a condition → whether it holds.
_known: dict[tuple[str, tuple[int, int]], object] = {}


def remember_conditions() -> None:
    """Let jedi remember which conditions hold in the standard library and its descriptions. Once is enough.

    They depend on the Python that runs and on nothing else. Thread: the one that completes.
    """
    with contextlib.suppress(ImportError):
        importlib.import_module("jedi.inference.flow_analysis")
        CONDITIONS.install()


def _remembering(original: Check) -> Check:
    def check_if(context: Any, node: Any) -> object:
        path = str(context.py__file__() or "") if context.is_module() else ""
        # In the midst of another question the answer may be a different one.
        if not _is_fixed(path) or context.inference_state.recursion_detector.pushed_nodes:
            return original(context, node)
        place = (path, node.start_pos)
        answer = _known.get(place)
        if answer is None:
            answer = _known[place] = original(context, node)
        return answer

    return check_if


def read_files_once() -> None:
    """Let jedi not read the file of a module that it has parsed and that has not changed. Once is enough.

    Thread: the one that completes.
    """
    with contextlib.suppress(ImportError):
        importlib.import_module("jedi.inference.compiled.mixed")
        FILES.install()


def _reading_once(original: Load) -> Load:
    from jedi import settings  # type: ignore[import-untyped]
    from jedi.inference.cache import inference_state_function_cache  # type: ignore[import-untyped]
    from parso.cache import load_module
    from parso.file_io import FileIO

    @inference_state_function_cache()  # type: ignore[untyped-decorator]
    def load(inference_state: Any, path: str) -> object:
        # As parso does it, after the reading. It compares the file's time with that of its tree.
        folder = settings.cache_directory
        grammar = inference_state.grammar._hashed
        known = load_module(grammar, FileIO(path), folder and Path(folder))  # type: ignore[no-untyped-call]
        return original(inference_state, path) if known is None else known.get_root_node()

    return load  # type: ignore[no-any-return]


CONDITIONS = Patches(Patch("jedi.inference.flow_analysis", "_check_if", _remembering))
FILES = Patches(Patch("jedi.inference.compiled.mixed", "_load_module", _reading_once))


def _is_fixed(path: str) -> bool:
    """Whether a module's file stays as it is while Python runs."""
    if path.startswith(_STANDARD_LIBRARY):
        return "site-packages" not in path
    return _DESCRIPTIONS in path

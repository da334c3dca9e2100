"""jedi's cache of parsed files, in the user's cache folder, is a help and nothing that names depend on.

A process that is killed while it writes leaves half a file, and whatever asks for it completes to nothing, in
every kernel, until somebody deletes it. The same where the folder cannot be written, or the disk is full.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from typing import Any

from namespace_kernel.base.patching import Patch, Patches


def do_without_damaged_files() -> None:
    """Let parso parse a file again that its cache has only in part, and write it again. Once is enough.

    Thread: the one that completes.
    """
    with contextlib.suppress(ImportError):
        importlib.import_module("parso.cache")
        PATCHES.install()


def _if_possible(original: Callable[..., object]) -> Callable[..., object]:
    def reach_files(*args: Any, **options: Any) -> object:
        # What half a pickle raises may be anything, and so may the folder's system.
        try:
            return original(*args, **options)
        except Exception:
            return None  # "not there", of the one that reads

    return reach_files


PATCHES = Patches(
    Patch("parso.cache", "_load_from_file_system", _if_possible),
    Patch("parso.cache", "_save_to_file_system", _if_possible),
    Patch("parso.cache", "_remove_cache_and_update_lock", _if_possible),
)

"""Where jedi is asked, half a file in the user's cache (of a process that was killed) does no harm."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from namespace_kernel.ipython.completion.jedi_files import PATCHES, do_without_damaged_files


@pytest.fixture(autouse=True)
def damaged_files_do_no_harm() -> Iterator[None]:
    do_without_damaged_files()
    yield
    PATCHES.undo()

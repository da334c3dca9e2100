"""Threads that the debugger never stops."""

from __future__ import annotations

import sys
from threading import get_ident
from types import SimpleNamespace

import pytest

from namespace_kernel.base.threads import HiddenThread
from tests.unit.fakes import PATIENCE


@pytest.mark.parametrize("loaded", [True, False], ids=["loaded", "being loaded"])
def test_it_says_itself_that_it_is_not_to_be_stopped(loaded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, int]] = []
    debugger = SimpleNamespace(disable_tracing=lambda: done.append(("told", get_ident())))
    pydevd = SimpleNamespace(get_global_debugger=lambda: debugger) if loaded else SimpleNamespace()
    monkeypatch.setitem(sys.modules, "pydevd", pydevd)
    thread = HiddenThread(target=lambda: done.append(("runs", get_ident())))
    thread.start()
    thread.join(PATIENCE)
    assert done == [(what, thread.ident) for what in (("told", "runs") if loaded else ("runs",))]

"""Engine names: there after every merge, and the engine's alone."""

from __future__ import annotations

import builtins
import contextlib
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from namespace_kernel import AsyncNamespaceManager, Cell, Context, ExecutionContextBridge, Outcome, Route
from namespace_kernel.base.execution import complete
from namespace_kernel.namespace.history import ResultHistory
from namespace_kernel.namespace.reserved_names import CALLABLE_NAMES, ENGINE_NAMES, is_engine_name

EMBEDDED_NAMES = ENGINE_NAMES - set(CALLABLE_NAMES)  # `get_ipython`, `exit` and `quit` are IPython's
OTHERS = [context for context in Context if context is not Context.ENGINE]
ATTACKS = [
    "for _ in range(3): pass",
    "del _",
    "del _, __, ___",
    "del _oh, _ih, _dh, _i, _ii, _iii, In, Out",
    "del _exit_code, _exception",
    "Out = In = _oh = None",
    "_exit_code = _exception = 'mine'",
    "import os as _",
    "def _(): pass",
    "globals().clear()",
    "globals().update(dict.fromkeys([name for name in globals() if name[:2] != '__'], 0))",
    "for name in list(globals()): del globals()[name]",
]


class ShellFake(ResultHistory):
    """An engine that has what IPython has."""

    def __init__(self) -> None:
        super().__init__()
        self.callables = {name: object() for name in CALLABLE_NAMES}

    def values(self) -> dict[str, Any]:
        return {**super().values(), **self.callables}


class Local:
    """Something in a failed cell's frame."""


@pytest.fixture
def translations() -> Iterator[None]:
    """What `gettext.install()` does."""
    builtins._ = lambda text: f"translated {text}"  # type: ignore[attr-defined]
    yield
    del builtins._  # type: ignore[attr-defined]


def failing_function(manager: AsyncNamespaceManager) -> list[weakref.ref[Local]]:
    """Define `fail()`; what it adds to the list lives as long as its frame."""
    seen: list[weakref.ref[Local]] = []

    def fail() -> None:
        local = Local()
        seen.append(weakref.ref(local))
        1 / 0

    manager.update_namespace({"fail": fail}, "main")
    return seen


def wrong_names(manager: AsyncNamespaceManager) -> set[str]:
    right = {
        **manager.engine.values(),
        "_exit_code": manager.exit_code,
        "_exception": manager.exception,
    }
    assert right.keys() >= EMBEDDED_NAMES
    return {name for name, value in right.items() if manager.live.get(name, "missing") is not value}


def test_every_engine_name_is_there_after_an_update(manager: AsyncNamespaceManager) -> None:
    manager.update_namespace({"result": 42}, "async")
    assert manager.namespace["result"] == 42
    assert manager.namespace.keys() >= EMBEDDED_NAMES


def test_the_names_of_a_shell_are_there_once_it_is_attached(manager: AsyncNamespaceManager) -> None:
    shell = ShellFake()
    manager.attach_engine(shell)
    manager.update_namespace({"result": 42}, "async")
    assert manager.namespace.keys() >= ENGINE_NAMES
    assert manager.namespace["get_ipython"] is shell.callables["get_ipython"]


@pytest.mark.parametrize("context", OTHERS)
@pytest.mark.parametrize("name", [*sorted(ENGINE_NAMES), "_1", "_i1", "_1234"])
def test_no_cell_updates_an_engine_name(manager: AsyncNamespaceManager, name: str, context: Context) -> None:
    before = manager.namespace.get(name, "missing")
    refused = manager.update_namespace({name: "mine", "ours": 1}, context)
    assert refused == {name}
    assert manager.namespace.get(name, "missing") is before
    assert manager.namespace["ours"] == 1


@pytest.mark.parametrize("name", ["_", "_exit_code", "_exception", "Out", "_7"])
def test_the_engine_updates_its_own_names(manager: AsyncNamespaceManager, name: str) -> None:
    value = object()
    assert manager.update_namespace({name: value}, "engine") == frozenset()
    assert manager.namespace[name] is value


@pytest.mark.parametrize(("name", "value"), [("_", 5), ("_exit_code", 3), ("_exception", ValueError())])
def test_what_the_engine_updated_survives_a_merge_that_does_not_touch_it(
    manager: AsyncNamespaceManager, name: str, value: Any
) -> None:
    manager.update_namespace({name: value}, "engine")
    manager.merge_thread_results({"unrelated": 1}, {})
    assert manager.live[name] is value


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("isolate", [False, True], ids=["live", "copy"])
def test_engine_names_are_right_after_a_cell_that_attacked_them(
    bridge: ExecutionContextBridge, attack: str, isolate: bool
) -> None:
    manager = bridge.namespace
    bridge.execute_in_thread("6 * 7", "first")
    bridge.execute_in_thread(attack, "attack", isolate=isolate)
    assert wrong_names(manager) == set()
    assert manager.live["_"] == 42
    assert manager.live["Out"] == {1: 42}
    assert bridge.execute_in_thread("_ + len(Out)", "next") == 43


@pytest.mark.parametrize("attack", ATTACKS)
async def test_engine_names_are_right_after_an_async_cell_that_attacked_them(
    bridge: ExecutionContextBridge, attack: str
) -> None:
    await bridge.execute_in_async("6 * 7", "first")
    await bridge.execute_in_async(f"import asyncio; await asyncio.sleep(0)\n{attack}", "attack")
    assert wrong_names(bridge.namespace) == set()
    assert await bridge.execute_in_async("_", "next") == 42


@pytest.mark.parametrize("isolate", [False, True], ids=["live", "copy"])
def test_a_cell_that_fails_after_the_attack_leaves_them_right_too(
    bridge: ExecutionContextBridge, isolate: bool
) -> None:
    with pytest.raises(ZeroDivisionError) as failure:
        bridge.execute_in_thread("globals().clear(); 1 / 0", "attack", isolate=isolate)
    assert wrong_names(bridge.namespace) == set()
    assert bridge.namespace.live["_exception"] is failure.value


@pytest.mark.parametrize("attack", ["del _1", "_1 = 'mine'", "globals().clear()", "del _i1", "_i1 = 'mine'"])
def test_numbered_results_and_inputs_come_back(bridge: ExecutionContextBridge, attack: str) -> None:
    manager = bridge.namespace
    bridge.execute_in_thread("6 * 7", "first")
    manager.update_namespace({"_i1": manager.history.inputs[1]}, "engine")
    bridge.execute_in_thread(attack, "attack")
    name = "_i1" if "_i1" in attack else "_1"
    assert manager.live[name] == {"_1": 42, "_i1": "6 * 7"}[name]


def test_every_input_is_there_by_number(bridge: ExecutionContextBridge) -> None:
    bridge.execute_in_thread("6 * 7", "first")
    assert bridge.execute_in_thread("_i1", "second") == "6 * 7"


def test_a_numbered_name_that_the_engine_does_not_use_is_the_users(bridge: ExecutionContextBridge) -> None:
    bridge.execute_in_thread("_99 = 'mine'", "one")
    assert bridge.execute_in_thread("_99", "two") == "mine"


@pytest.mark.parametrize("name", ["result", "_result", "_x", "_1x", "_i", "__1", "_١", "i1", "_i_1", "____"])
def test_names_that_only_look_like_numbered_ones_are_the_users(name: str) -> None:
    assert is_engine_name(name) is (name in ENGINE_NAMES)


def test_a_cell_that_clears_the_dict_leaves_a_module_behind(bridge: ExecutionContextBridge) -> None:
    before = {name: bridge.namespace.live[name] for name in ("__name__", "__builtins__", "__doc__")}
    bridge.execute_in_thread("globals().clear()", "attack")
    assert {name: bridge.namespace.live[name] for name in before} == before
    assert bridge.execute_in_thread("len(__name__)", "next") == len("__main__")


def test_results_are_shifted_and_none_is_not_a_result(bridge: ExecutionContextBridge) -> None:
    for code in ("1", "''", "0", "None", "x = 5"):
        bridge.execute_in_thread(code, code)
    live = bridge.namespace.live
    assert (live["_"], live["__"], live["___"]) == (0, "", 1)
    assert live["Out"] == {1: 1, 2: "", 3: 0}


def test_inputs_are_shifted(bridge: ExecutionContextBridge) -> None:
    for code in ("a = 1", "b = 2", "c = 3"):
        bridge.execute_in_thread(code, code)
    live = bridge.namespace.live
    assert (live["_i"], live["_ii"], live["_iii"]) == ("c = 3", "b = 2", "a = 1")
    assert live["In"][1:] == ["a = 1", "b = 2", "c = 3"]


def test_a_failed_cells_frames_are_let_go_after_a_success(bridge: ExecutionContextBridge) -> None:
    seen = failing_function(bridge.namespace)
    route = Route(Context.CALLER, "a test says so", "fail()")
    assert not complete(bridge.execute(Cell("fail()", "failing"), route)).succeeded
    assert isinstance(bridge.namespace.live["_exception"], ZeroDivisionError)
    assert seen[0]() is not None
    bridge.execute_in_thread("pass", "success")
    assert bridge.namespace.live["_exception"] is None
    gc.collect()
    assert seen[0]() is None, "the failed cell's frames are still alive"


def test_they_are_let_go_also_where_the_error_was_raised_to_the_caller(
    bridge: ExecutionContextBridge,
) -> None:
    seen = failing_function(bridge.namespace)
    with contextlib.suppress(ZeroDivisionError):
        bridge.execute_in_thread("fail()", "failing")
    assert seen[0]() is not None
    bridge.execute_in_thread("pass", "success")
    gc.collect()
    assert seen[0]() is None, "the failed cell's frames are still alive"


@pytest.mark.parametrize(
    ("call", "code"),
    [("sys.exit(3)", 3), ("sys.exit()", 0), ("sys.exit('no')", 1), ("raise SystemExit(4)", 4)],
)
def test_the_exit_code_is_kept_until_the_next_one(
    bridge: ExecutionContextBridge, call: str, code: int
) -> None:
    assert bridge.namespace.live["_exit_code"] == 0
    bridge.namespace.set_exit_code(9)
    with pytest.raises(SystemExit):
        bridge.execute_in_thread(f"import sys; {call}", "exiting")
    bridge.execute_in_thread("1 + 1", "next")
    assert bridge.namespace.live["_exit_code"] == bridge.namespace.exit_code == code


def test_a_reset_lets_go_of_the_exception(manager: AsyncNamespaceManager) -> None:
    manager.close(manager.open(Context.MAIN), "failed", Outcome(error=ValueError()))
    manager.remove_user_names()
    assert manager.live["_exception"] is manager.exception is None


def test_an_engine_name_is_not_asked_whether_it_is_equal(manager: AsyncNamespaceManager) -> None:
    class Equal(list[str]):
        def __eq__(self, other: object) -> bool:
            return True

        def __ne__(self, other: object) -> bool:
            return False

        __hash__ = None  # type: ignore[assignment]

    view = manager.open(Context.MAIN, "cell", "In = mine")
    manager.live["In"] = Equal()
    assert manager.close(view, "cell", Outcome()).overwritten == {"In"}
    assert manager.live["In"] is manager.history.inputs


@pytest.mark.usefixtures("translations")
def test_the_builtin_underscore_of_gettext_is_left_alone(bridge: ExecutionContextBridge) -> None:
    bridge.execute_in_thread("42", "a result")
    bridge.execute_in_thread("_ = 'mine'", "the user's own")
    assert bridge.namespace.live["_"] == "mine"


@pytest.mark.usefixtures("translations")
def test_gettext_is_reached_though_there_were_results_before_it() -> None:
    bridge = ExecutionContextBridge(AsyncNamespaceManager())
    bridge.execute_in_thread("42", "a result")
    assert bridge.execute_in_thread("_('text')", "translate") == "translated text"


def test_gettext_installed_in_the_midst_of_a_session_is_reached(bridge: ExecutionContextBridge) -> None:
    bridge.execute_in_thread("42", "a result")
    try:
        bridge.execute_in_thread("import builtins; builtins._ = str.upper", "install")
        assert bridge.execute_in_thread("_('text')", "translate") == "TEXT"
    finally:
        del builtins._  # type: ignore[attr-defined]

"""Events, transformers, formatters and hooks that extensions register with the shell."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

WAITING = {"plain": "", "awaiting": "await asyncio.sleep(0)\n"}
each_kind = pytest.mark.parametrize("waiting", WAITING.values(), ids=WAITING)


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    assert notebook.run("import asyncio, sys, threading\nip = get_ipython()").status == "ok"
    return notebook


# --- events

EVENTS = """\
seen = []
def pre_execute(): seen.append("pre_execute")
def pre_run_cell(info): seen.append(("pre_run_cell", info.raw_cell, info.store_history, info.silent))
def post_execute(): seen.append("post_execute")
def post_run_cell(result):
    seen.append(("post_run_cell", result.result, type(result.error_in_exec).__name__, result.info.raw_cell))
callbacks = [pre_execute, pre_run_cell, post_execute, post_run_cell]
for callback in callbacks: ip.events.register(callback.__name__, callback)"""
NO_EVENTS = "for callback in callbacks: ip.events.unregister(callback.__name__, callback)"


@each_kind
def test_events_come_once_per_cell_in_order_with_info_and_result(waiting: str, prepared: Notebook) -> None:
    prepared.run(EVENTS)
    prepared.run("seen.clear()")
    code = f"{waiting}in_cell = len(seen); 6 * 7"
    prepared.run(code)
    prepared.run(NO_EVENTS)
    # the clearing cell's own post events come first, the last cell's pre events last
    told = prepared.run("print(seen[2:6])")
    expected = [
        "pre_execute",
        ("pre_run_cell", code, True, False),
        "post_execute",
        ("post_run_cell", 42, "NoneType", code),
    ]
    assert told.stdout == f"{expected}\n"
    assert prepared.run("in_cell").result == "4", "the pre events come before the code"


@each_kind
def test_the_post_events_know_the_error(waiting: str, prepared: Notebook) -> None:
    prepared.run(EVENTS)
    prepared.run("seen.clear()")
    code = f"{waiting}1 / 0"
    prepared.run(code)
    prepared.run(NO_EVENTS)
    told = prepared.run("seen[5]")
    assert told.result == f"('post_run_cell', None, 'ZeroDivisionError', {code!r})"


@each_kind
def test_the_post_events_come_for_a_cell_that_does_not_compile(waiting: str, prepared: Notebook) -> None:
    prepared.run(EVENTS)
    prepared.run("seen.clear()")
    prepared.run(f"{waiting}x = = 1")
    prepared.run(NO_EVENTS)
    told = prepared.run("[e if isinstance(e, str) else e[0] for e in seen[2:6]]")
    assert told.result == "['pre_execute', 'pre_run_cell', 'post_execute', 'post_run_cell']"


@each_kind
def test_a_silent_cell_has_only_the_execute_events(waiting: str, prepared: Notebook) -> None:
    prepared.run(EVENTS)
    prepared.run("seen.clear()")
    prepared.run(f"{waiting}6 * 7", silent=True, store_history=False)
    prepared.run(NO_EVENTS)
    told = prepared.run("[e if isinstance(e, str) else e[0] for e in seen[2:6]]")
    assert told.result == "['pre_execute', 'post_execute', 'pre_execute', 'pre_run_cell']"


@each_kind
def test_events_run_on_the_main_thread_and_print_under_their_cell(waiting: str, prepared: Notebook) -> None:
    prepared.run("""\
def told(*args): print("event on", threading.current_thread().name, end=" ")
for name in ("pre_run_cell", "post_run_cell"): ip.events.register(name, told)""")
    cell = prepared.run(f"{waiting}print('cell', end=' ')")
    prepared.run('for name in ("pre_run_cell", "post_run_cell"): ip.events.unregister(name, told)')
    assert cell.stdout == "event on MainThread cell event on MainThread "


@each_kind
def test_an_event_callback_that_raises_does_not_stop_the_cell(waiting: str, prepared: Notebook) -> None:
    prepared.run(
        "def bad(*args): raise ValueError('in the callback')\nip.events.register('pre_run_cell', bad)"
    )
    cell = prepared.run(f"{waiting}6 * 7")
    prepared.run("ip.events.unregister('pre_run_cell', bad)")
    assert cell.result == "42"
    assert "in the callback" in cell.text


@each_kind
@pytest.mark.parametrize("event", ["pre_execute", "pre_run_cell"])
def test_a_stop_that_comes_in_a_hook_before_a_cell_ends_the_cell(
    event: str, waiting: str, prepared: Notebook
) -> None:
    prepared.run(
        "called, never, blocks, ran = [], threading.Event(), [], False\n"
        "def hook(*info):\n    if blocks: blocks.clear(); print('in the hook', flush=True); never.wait()\n"
        "def after(*info): called.append(1)\n"
        f"for one in (hook, after): ip.events.register('{event}', one)"
    )
    prepared.run("called.clear(); blocks.append(1)")
    cell = prepared.submit(f"{waiting}ran = True").wait_for_text("in the hook")
    prepared.interrupt("SIGINT")
    assert cell.wait().reply["ename"] == "KeyboardInterrupt" and "Error in callback" not in cell.text
    assert prepared.run("called, ran").result == "([1, 1], False)"
    prepared.run(f"for one in (hook, after): ip.events.unregister('{event}', one)")


# --- transformers


@each_kind
def test_input_transformers_change_what_is_entered(waiting: str, prepared: Notebook) -> None:
    prepared.run("""\
def greet(lines): return [line.replace("HELLO", "'hello'") for line in lines]
ip.input_transformers_cleanup.append(greet)""")
    cell = prepared.run(f"{waiting}HELLO")
    later = prepared.run("In[-2], ip.input_transformers_cleanup.remove(greet)")
    assert cell.result == "'hello'"
    assert later.result is not None and "'hello'" in later.result
    assert prepared.run("HELLO").error is not None


def test_an_input_transformer_may_make_a_cell_await(prepared: Notebook) -> None:
    prepared.run("""\
async def fetch(): await asyncio.sleep(0); return threading.current_thread().name
def sugar(lines): return [line.replace("FETCH", "await fetch()") for line in lines]
ip.input_transformers_post.append(sugar)""")
    cell = prepared.run("FETCH")
    prepared.run("ip.input_transformers_post.remove(sugar)")
    assert cell.result == "'MainThread'", cell.text


def test_input_transformers_run_on_the_main_thread(prepared: Notebook) -> None:
    prepared.run("""\
threads = set()
def note(lines): threads.add(threading.current_thread().name); return lines
ip.input_transformers_post.append(note)""")
    for waiting in WAITING.values():
        prepared.run(f"{waiting}1")
    assert prepared.run("ip.input_transformers_post.remove(note); threads").result == "{'MainThread'}"


@each_kind
def test_an_input_transformer_that_raises_is_told_under_the_cell(waiting: str, prepared: Notebook) -> None:
    prepared.run("""\
def refuse(lines):
    if any("FORBIDDEN" in line for line in lines): raise SyntaxError("not in this house")
    return lines
ip.input_transformers_post.append(refuse)""")
    cell = prepared.run(f"{waiting}FORBIDDEN")
    prepared.run("ip.input_transformers_post.remove(refuse)")
    assert cell.error is not None and cell.error[0] == "SyntaxError"
    assert "not in this house" in cell.error[1]
    assert prepared.run("6 * 7").result == "42"


@each_kind
def test_ast_transformers_change_the_tree(waiting: str, prepared: Notebook) -> None:
    prepared.run("""\
import ast
class Bigger(ast.NodeTransformer):
    def visit_Constant(self, node):
        return ast.copy_location(ast.Constant(node.value + 1), node) if node.value == 41 else node
bigger = Bigger(); ip.ast_transformers.append(bigger)""")
    cell = prepared.run(f"{waiting}[41, 1]")
    prepared.run("ip.ast_transformers.remove(bigger)")
    assert cell.result == "[42, 1]"


@each_kind
def test_an_ast_transformer_that_raises_is_dropped_with_a_warning(waiting: str, prepared: Notebook) -> None:
    # Python shows a warning of the same words once, and IPython's has the object's address.
    prepared.run(f"""\
import ast
class Broken(ast.NodeTransformer):
    def __repr__(self): return {waiting!r}
    def visit_Constant(self, node): raise RuntimeError("broken transformer")
ip.ast_transformers.append(Broken())""")
    cell = prepared.run(f"{waiting}6 * 7")
    assert cell.result == "42"
    assert "will be unregistered" in cell.text
    assert prepared.run("len(ip.ast_transformers)").result == "0"


@each_kind
def test_code_wrap_surrounds_each_cell(waiting: str, prepared: Notebook) -> None:
    prepared.run("%%code_wrap around\nprint('before')\n__code__\nprint('after')\n__ret__")
    cell = prepared.run(f"{waiting}6 * 7")
    prepared.run("%code_wrap --remove around")
    assert cell.text == "before\nafter\n42\n"


# --- which nodes are shown


@each_kind
@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ("all", "1\n2\n3\n"),
        ("last", "3\n"),
        ("last_expr", "3\n"),
        ("none", ""),
        ("last_expr_or_assign", "3\n"),
    ],
)
def test_node_interactivity_decides_what_is_shown(
    setting: str, shown: str, waiting: str, prepared: Notebook
) -> None:
    prepared.run(f"ip.ast_node_interactivity = {setting!r}")
    cell = prepared.run(f"{waiting}1\n2\nx = 3\n{'' if setting.endswith('assign') else 'x'}")
    prepared.run("ip.ast_node_interactivity = 'last_expr'")
    assert cell.text == shown


# --- nested cells


@pytest.mark.parametrize("inner", ["6 * 7", "await asyncio.sleep(0, 42)"])
def test_a_plain_cell_may_run_another_of_either_kind(inner: str, prepared: Notebook) -> None:
    cell = prepared.run(f"result = ip.run_cell({inner!r})\nprint('done', result.success, result.result)")
    assert cell.error is None, cell.text
    assert (cell.result, cell.stdout) == ("42", "done True 42\n")
    failed = prepared.run(f"result = ip.run_cell('{inner} / 0')\nresult.success, type(result.error_in_exec)")
    assert failed.result == "(False, ZeroDivisionError)"


def test_an_awaiting_cell_may_run_a_plain_one(prepared: Notebook) -> None:
    cell = prepared.run("await asyncio.sleep(0)\nresult = ip.run_cell('x = 6 * 7; x')\nresult.result, x")
    assert cell.text == "42\n(42, 42)\n"


def test_an_awaiting_cell_may_await_another(prepared: Notebook) -> None:
    cell = prepared.run("""\
inner = "await asyncio.sleep(0); 42"
result = await ip.run_cell_async(inner, transformed_cell=ip.transform_cell(inner))
result.result""")
    assert cell.text == "42\n42\n", cell.text


def test_nested_cells_do_not_count_and_names_are_shared(prepared: Notebook) -> None:
    first = prepared.run("ip.run_cell('nested = 1')\nnested")
    assert first.result == "1"
    assert prepared.run("nested + 1").count == first.count + 1
    assert prepared.run("In[-2]").result == "'nested + 1'"


@each_kind
def test_run_line_magic_and_run_cell_magic_work_from_code(waiting: str, prepared: Notebook) -> None:
    cell = prepared.run(f"{waiting}ip.run_line_magic('time', '6 * 7')")
    assert cell.result == "42"
    cell = prepared.run(f"{waiting}ip.run_cell_magic('capture', 'taken', 'print(1)')\ntaken.stdout")
    assert cell.result == "'1\\n'"
    assert prepared.run(f"{waiting}ip.ev('6 * 7')").result == "42"
    assert prepared.run(f"{waiting}ip.ex('by_ex = 1'); by_ex").result == "1"
    assert prepared.run(f"{waiting}ip.push({{'pushed': 2}}); pushed").result == "2"

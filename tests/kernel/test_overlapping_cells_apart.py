"""D7: what IPython keeps once per process stays each cell's own, where cells run side by side."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook
from tests.kernel.side_by_side import IN_JUPYTERLAB, WAITS, close_gate, in_background, open_gate

each_kind = pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)


@pytest.fixture
def prepared(notebook: Notebook) -> Notebook:
    notebook.run("import getpass, sys, warnings; ip = get_ipython()")
    return close_gate(notebook)


@each_kind
def test_payloads_and_user_expressions(wait: str, prepared: Notebook) -> None:
    code = f"ip.set_next_input('of the background')\n{wait}\nip.set_next_input('later', replace=True)"
    cell = in_background(prepared, code, user_expressions={"late": "len(gate)"})
    foreground = prepared.run(
        "ip.set_next_input('of the foreground')", user_expressions={"early": "len(gate)"}
    )
    open_gate(prepared)
    cell.wait()
    assert [payload["text"] for payload in foreground.reply["payload"]] == ["of the foreground"]
    assert [payload["text"] for payload in cell.reply["payload"]] == ["later"], "IPython's replace the first"
    assert foreground.reply["user_expressions"]["early"]["data"]["text/plain"] == "0"
    assert cell.reply["user_expressions"]["late"]["data"]["text/plain"] == "1"


@each_kind
def test_a_semicolon_silences_its_own_cell_only(wait: str, prepared: Notebook) -> None:
    silent, loud = in_background(prepared, f"{wait}\n'silent';"), in_background(prepared, f"{wait}\n'loud'")
    assert prepared.run("'also silent';").result is None
    assert prepared.run("'also loud'").result == "'also loud'"
    open_gate(prepared)
    assert (silent.wait().result, loud.wait().result) == (None, "'loud'")


@each_kind
def test_capture_takes_its_own_cell_s_output_only(wait: str, prepared: Notebook) -> None:
    body = f"print('printed'); display('displayed')\n{wait}\nprint('late', file=sys.stderr); 'result'"
    cell = in_background(prepared, f"%%capture captured\n{body}")
    foreground = prepared.run("print('front'); display('shown'); print('err', file=sys.stderr); 'value'")
    assert (foreground.stdout, foreground.stderr, foreground.result) == ("front\n", "err\n", "'value'")
    assert foreground.displays == [{"text/plain": "'shown'"}]
    open_gate(prepared)
    assert cell.wait().outputs == []
    read = prepared.run("captured.stdout, captured.stderr, [o.data['text/plain'] for o in captured.outputs]")
    assert read.result == "('printed\\n', 'late\\n', [\"'displayed'\", \"'result'\"])"


@each_kind
def test_redirects_and_the_foreground_s_capture_leave_the_background_cell_alone(
    wait: str, prepared: Notebook
) -> None:
    cell = in_background(prepared, f"{wait}\nprint('of the background'); display('b'); gate.append(2)")
    foreground = prepared.run(
        "%%capture own\ngate.append(1); print('own')\nwhile len(gate) < 2: time.sleep(.01)\ndisplay('o')"
    )
    assert foreground.outputs == []
    assert cell.wait().stdout == "of the background\n"
    assert cell.displays == [{"text/plain": "'b'"}]
    assert prepared.run("own.stdout, len(own.outputs)").result == "('own\\n', 1)"


@each_kind
def test_errors_and_their_replies(wait: str, prepared: Notebook) -> None:
    first = in_background(prepared, f"{wait}\n{{}}['of the first']")
    second = in_background(prepared, f"{wait}\nint('of the second')")
    third = prepared.run("gate.append(1); 'of the foreground' / 0")
    for cell, name, words in (
        (first, "KeyError", "of the first"),
        (second, "ValueError", "of the second"),
        (third, "TypeError", "unsupported operand"),
    ):
        cell.wait()
        assert cell.error is not None
        assert cell.error[0] == cell.reply["ename"] == name
        assert words in cell.error[1]
        assert any(words in line for line in cell.reply["traceback"])
        assert len([kind for kind, _ in cell.outputs if kind == "error"]) == 1


@each_kind
def test_excepthook_and_displayhook_are_what_they_were(wait: str, prepared: Notebook) -> None:
    prepared.run("hooks = lambda: (sys.excepthook, sys.displayhook, ip.display_trap.old_hook and 1, input)")
    prepared.run("before = hooks()[0], hooks()[3]")
    cell = in_background(prepared, f"{wait}\n1 / 0")
    prepared.run("1 / 0")
    prepared.run("'displayed'")
    open_gate(prepared)
    cell.wait()
    assert prepared.run("(hooks()[0], hooks()[3]) == before").result == "True"
    assert prepared.run("6 * 7").result == "42"
    assert prepared.run("sys.displayhook is ip.displayhook").result == "True"


@pytest.mark.parametrize("asks", ["input", "getpass.getpass"])
def test_both_may_ask_at_once_and_each_gets_its_answer(asks: str, prepared: Notebook) -> None:
    options = {"allow_stdin": True, "metadata": IN_JUPYTERLAB}
    cell = in_background(prepared, f"{asks}('background? ')", **options)
    assert cell.wait_for_input_request()["prompt"] == "background? "
    foreground = prepared.submit("input('foreground? ')", **options).wait_started()
    prepared.answer("to the background")
    assert foreground.wait_for_input_request()["prompt"] == "foreground? "
    prepared.answer("to the foreground")
    assert cell.wait().result == "'to the background'"
    assert foreground.wait().result == "'to the foreground'"


def test_stop_takes_the_foreground_s_question_back_and_not_the_other(prepared: Notebook) -> None:
    options = {"allow_stdin": True, "metadata": IN_JUPYTERLAB}
    cell = in_background(prepared, "input('background? ')", **options)
    cell.wait_for_input_request()
    foreground = prepared.submit("print('asks', flush=True); input('never shown')", **options)
    foreground.wait_for_text("asks")
    prepared.interrupt("SIGINT")
    assert foreground.wait().error is not None
    assert foreground.input_requests == []
    prepared.answer("there it is")
    assert cell.wait().result == "'there it is'"


def test_one_that_may_ask_beside_one_that_may_not(prepared: Notebook) -> None:
    may = in_background(prepared, "input('yes? ')", allow_stdin=True, metadata=IN_JUPYTERLAB)
    may.wait_for_input_request()
    may_not = prepared.run("input('no?')", allow_stdin=False)
    assert may_not.error is not None and may_not.error[0] == "StdinNotImplementedError"
    prepared.answer("yes")
    assert may.wait().result == "'yes'"


@each_kind
def test_the_count_that_code_sees_is_its_own_cell_s(wait: str, prepared: Notebook) -> None:
    cell = in_background(prepared, f"first = ip.execution_count\n{wait}\nfirst, ip.execution_count")
    prepared.run("pass")
    seen = prepared.run("ip.execution_count")
    assert seen.result == str(seen.count + 1), "in a cell it is the next one's, as in ipykernel"
    open_gate(prepared)
    assert cell.wait().result == f"({cell.count + 1}, {cell.count + 1})"


def test_leaks_are_reported_under_the_cell_that_leaks(prepared: Notebook) -> None:
    prepared.run("async def f(): pass\nasync def g(): pass")
    cell = in_background(prepared, f"{WAITS['plain']}\nf();")
    foreground = prepared.run("g();")
    open_gate(prepared)
    assert "`g()` was called without `await`" in foreground.receipt
    assert "`f()`" not in foreground.receipt
    assert "`f()` was called without `await`" in cell.wait().receipt
    assert "`g()`" not in cell.receipt


@each_kind
def test_tasks_and_threads_belong_to_the_cell_that_starts_them(wait: str, prepared: Notebook) -> None:
    cell = in_background(
        prepared,
        f"{wait}\nasync def late(): await asyncio.sleep(.1); print('of a task')\n"
        "task = asyncio.create_task(late())\nthreading.Timer(.1, print, ['of a thread']).start()",
    )
    foreground = prepared.run("gate.append(1); time.sleep(.4)")
    cell.wait().wait_for_text("of a task").wait_for_text("of a thread")
    assert foreground.stdout == ""

"""Requests of every kind in random order, held against a model: a failure is shrunk to few requests.

The model is a dict of names. Cells of the foreground change it in the order in which they were sent; what a
background cell assigns is its own name. Whether a cell that was stopped has assigned its name is open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.kernel.cells import Cell, Request
from tests.kernel.client import INTERRUPTS, Notebook
from tests.kernel.test_debugger import CLIENT, attached
from tests.kernel.test_wrong_requests import CONTROL, SHELL
from tests.trust.conftest import SOON, Kernels, paired
from tests.trust.figures import Trial
from tests.trust.machines import remembered, run_machine

STEPS = 25
#: Each violation is shrunk, which takes a minute.
MOST_KINDS = 5
NAMES = st.sampled_from([f"n_{number}" for number in range(6)])
VALUES = st.integers(0, 99)
WAYS = st.sampled_from(["", "import asyncio\nawait asyncio.sleep(0)\n", "%%sync\n", "%%async\n"])
DEBUGGING: dict[str, dict[str, Any]] = {
    "initialize": CLIENT,
    "attach": {},
    "debugInfo": {},
    "dumpCell": {"code": "x = 1"},
    "inspectVariables": {},
    "richInspectVariables": {"variableName": "n_0"},
    "modules": {},
    "configurationDone": {},
    "disconnect": {"restart": False, "terminateDebuggee": False},
}
#: Sent by themselves, with contents that are right. What runs code or asks for a stop has rules of its own.
OWN_RULES = {"execute_request", "interrupt_request", "debug_request"}
REQUESTS = [("shell", kind) for kind in sorted(SHELL.keys() - OWN_RULES)]
REQUESTS += [("control", kind) for kind in sorted(CONTROL.keys() - OWN_RULES)]
REQUESTS += [("control", "create_subshell_request")]

LIST = "{k: v for k, v in sorted(globals().items()) if k.startswith(('n_', 'b_'))}"
Effect: TypeAlias = "Callable[[dict[str, Any]], str]"


class Session(RuleBasedStateMachine):
    """A frontend that sends what comes into its mind, and does not wait."""

    kernels: Kernels
    trial: Trial
    ours: bool

    def __init__(self) -> None:
        super().__init__()
        self.notebook: Notebook = self.kernels.get()
        self.model: dict[str, Any] = {}
        self.sent: list[tuple[Request, str]] = []
        self.cells: list[tuple[Cell, Effect]] = []
        self.interrupts = self.aborting = self.background = 0
        self.notebook.run(
            "for _name in [k for k in globals() if k[:2] in ('n_', 'b_')]: del globals()[_name]"
        )

    # --- what is sent

    def note(self, request: Request, kind: str) -> None:
        self.trial.count_tries(1)
        self.sent.append((request, kind))

    def cell(self, code: str, effect: Effect, **options: Any) -> Cell:
        cell = self.notebook.submit(code, stop_on_error=False, **options)
        self.note(cell, "execute_request")
        self.cells.append((cell, effect))
        return cell

    def _possible(self, way: str) -> str:
        return way if self.ours or not way.startswith("%%") else ""

    @staticmethod
    def _assigned(name: str, value: object) -> Effect:
        def effect(model: dict[str, Any]) -> str:
            model[name] = value
            return ""

        return effect

    @rule(name=NAMES, value=VALUES, way=WAYS)
    def assign(self, name: str, value: int, way: str) -> None:
        self.cell(f"{self._possible(way)}{name} = {value}", self._assigned(name, value))

    @rule(name=NAMES, other=NAMES)
    def copy(self, name: str, other: str) -> None:
        def effect(model: dict[str, Any]) -> str:
            if other not in model:
                return "NameError"
            model[name] = model[other]
            return ""

        self.cell(f"{name} = {other}", effect)

    @rule(name=NAMES, way=WAYS)
    def delete(self, name: str, way: str) -> None:
        self.cell(
            f"{self._possible(way)}del {name}",
            lambda model: "" if model.pop(name, None) is not None else "NameError",
        )

    @rule(aborts=st.booleans())
    def fail(self, aborts: bool) -> None:
        cell = self.notebook.submit("1 / 0", stop_on_error=aborts)
        self.note(cell, "execute_request")
        self.cells.append((cell, lambda _: "ZeroDivisionError"))
        self.aborting += aborts

    @rule(value=VALUES)
    def run_in_background(self, value: int) -> None:
        name = f"b_{self.background}"
        self.background += 1
        way = self._possible("%%background\n")
        code = f"{way}import asyncio\nawait asyncio.sleep(0.01)\n{name} = {value}"
        self.cell(code, self._assigned(name, value))

    @rule(request=st.sampled_from(REQUESTS))
    def ask(self, request: tuple[str, str]) -> None:
        channel, kind = request
        content = {"shell": SHELL, "control": CONTROL}[channel].get(kind, {})
        self.note(self.notebook.request(kind, content, channel), kind)

    @rule(command=st.sampled_from(sorted(DEBUGGING)))
    def debug(self, command: str) -> None:
        """Any command at any time: it may be refused, but is answered."""
        content = {"type": "request", "seq": 1, "command": command, "arguments": DEBUGGING[command]}
        self.note(self.notebook.request("debug_request", content, "control"), "debug_request")

    @rule(how=st.sampled_from(INTERRUPTS))
    def interrupt(self, how: str) -> None:
        self.interrupts += 1
        if how == "SIGINT":
            self.notebook.interrupt(how)
        else:
            self.note(self.notebook.request("interrupt_request", channel="control"), "interrupt_request")

    @rule(how=st.sampled_from(INTERRUPTS), waits=st.sampled_from(["time.sleep(60)", "while True: pass"]))
    @remembered
    def stop(self, how: str, waits: str) -> None:
        self.settle()
        cell = self.cell(f"import time\nprint('begun', flush=True)\n{waits}", lambda _: "KeyboardInterrupt")
        cell.wait_for_text("begun", SOON)
        self.interrupt(how)

    @rule(name=NAMES, text=st.sampled_from(["a", "", "é"]))
    @remembered
    def answer_a_question(self, name: str, text: str) -> None:
        self.settle()
        cell = self.cell(f"{name} = input('? ')", self._assigned(name, text), allow_stdin=True)
        cell.wait_for_input_request()
        self.notebook.answer(text)

    @rule(name=NAMES, value=VALUES)
    @remembered
    def stop_at_a_breakpoint(self, name: str, value: int) -> None:
        self.settle()
        code = f"value = {value}\n{name} = value"
        self.debug("disconnect")  # a session that has begun cannot begin again
        self.settle()
        with attached(self.notebook, "") as debugger:
            debugger.break_at(code, 2)
            cell = self.cell(code, self._assigned(name, value))
            stop = debugger.wait_stopped()
            self.ask(("control", "kernel_info_request"))
            assert stop.top == ("<module>", 2)
            stop.go()
            cell.wait(SOON)
        self.settle()

    # --- what came back

    @precondition(lambda self: len(self.sent) > 3)
    @rule()
    @remembered
    def settle(self) -> None:
        """Everything that was sent has one right answer, and the names are the model's."""
        for request, kind in self.sent:
            has_reply = kind.endswith("_request")
            request.wait(SOON) if has_reply else request.wait_idle(SOON)
            wanted = [kind.replace("_request", "_reply")] if has_reply else []
            assert [one["msg_type"] for one in request.replies] == wanted, request.what
            assert paired(request.states), (request.what, request.states)
        open_names = self._apply()
        self.sent, self.cells, self.interrupts, self.aborting = [], [], 0, 0
        told = self.notebook.run(LIST, timeout=SOON)
        names = eval(told.result or "None")
        assert isinstance(names, dict), told.text
        for name in open_names & {*names, *self.model}:
            self.model.pop(name, None)
            if name in names:
                self.model[name] = names[name]
        assert names == self.model
        asked = {"code": "n_", "cursor_pos": 2}
        completed = self.notebook.request("complete_request", asked).wait(SOON).reply["matches"]
        # (For a moment after an attach, jedi is not asked.)
        assert {one for one in completed if one[:2] == "n_"} == {one for one in names if one[:2] == "n_"}

    def _apply(self) -> set[str]:
        """Let the cells change the model in their order; the names about which nothing is known."""
        open_names: set[str] = set()
        last = 0
        for cell, effect in self.cells:
            status, error = cell.status, cell.reply.get("ename", "")
            if any(one["msg_type"] == "execute_input" for one in cell.messages):
                assert cell.count > last, (cell.what, cell.count, last)
                last = cell.count
            if status == "aborted":
                assert self.aborting or self.interrupts, f"{cell.what!r} was aborted by nothing"
            elif error == "KeyboardInterrupt":
                assert self.interrupts, f"{cell.what!r} was stopped by nobody"
                after = dict(self.model)
                effect(after)
                changed = {name for name in {*after, *self.model} if after.get(name) != self.model.get(name)}
                open_names |= changed
            else:
                before = dict(self.model)
                wanted = effect(self.model)
                reads = {name for name in open_names if name in cell.what}
                if reads:
                    open_names |= {
                        name for name in self.model if self.model[name] != before.get(name)
                    } | reads
                else:
                    assert error == wanted, f"{cell.what!r}: {error or 'ok'} and not {wanted or 'ok'}"
                    open_names -= {n for n in self.model if self.model[n] != before.get(n)}
        return open_names

    def teardown(self) -> None:
        self.settle()


@pytest.mark.trust(
    "chaos",
    "Requests of every kind in any order, with interrupts, questions and breakpoints: one reply each, of the"
    " right type; busy and idle in pairs; numbers ascend; the names are a sequential model's",
    tries=3_000,
    short=150,
    unit="requests",
)
def test_requests_in_any_order(spec: str, trial: Trial, kernels: Kernels) -> None:
    Session.kernels, Session.trial, Session.ours = kernels, trial, spec == "namespace"
    run_machine(
        Session,
        trial,
        steps=STEPS,
        examples=20,
        most_violations=MOST_KINDS,
        # What another kernel does wrong is only counted: each step of a shrinking may cost a wait.
        shrinks=trial.long and spec == "namespace",
        after_violation=kernels.drop,
    )

"""A Stop that comes while a capture begins or ends: when the cell is over, nothing takes output any more."""

from __future__ import annotations

import pytest

from tests.kernel.client import SPEC, Notebook

pytestmark = pytest.mark.skipif(SPEC != "namespace", reason="Python's own have no end but the `with`")

#: Stops its thread when it comes to the line `number` of the files that begin and end captures.
PREPARE = """\
import asyncio, contextlib, io, sys
from IPython.display import display
from IPython.utils.capture import capture_output
FILES = "/contextlib.py", "/captures.py", "/redirects.py"
def stop_at(number):
    left = [number]
    def trace(frame, event, arg):
        if frame.f_code.co_filename.endswith(FILES):
            frame.f_trace_lines = True
            left[0] -= 1
            if left[0] == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
            return trace
    sys.settrace(trace)
class Tee:
    def __init__(self, to): self.to = to
    def write(self, text): return self.to.write(text)
    def flush(self): self.to.flush()
async def later(): await asyncio.sleep(0)
get_ipython().run_cell_magic("capture", "", "pass")  # it is imported"""
BODY = "print('hidden'); display('hidden')"
KINDS = {
    "redirect_stdout": f"with contextlib.redirect_stdout(io.StringIO()):\n    {BODY}",
    "both": "with contextlib.redirect_stdout(io.StringIO()) as f, contextlib.redirect_stderr(f):\n"
    f"    {BODY}\n    await later()",
    "an ExitStack": "with contextlib.ExitStack() as stack:\n"
    f"    stack.enter_context(contextlib.redirect_stdout(None))\n    {BODY}",
    "capture_output": f"with capture_output() as taken:\n    {BODY}",
    "%%capture": f"get_ipython().run_cell_magic('capture', 'taken', {BODY!r})",
    "%%capture that awaits": "await get_ipython().awaiting_magics.capture("
    f"'taken', {BODY + chr(10) + 'await later()'!r})",
    "a stream of the user's": "sys.stdout = ours = Tee(sys.stdout)\n"
    f"with contextlib.redirect_stdout(io.StringIO()):\n    {BODY}",
}


AFTER = "print('seen'); display('shown'); print('heard', file=sys.stderr); "


@pytest.mark.parametrize("first_line", ["", "%%background\n"], ids=["foreground", "background"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_at_any_line_of_a_capture_frees_the_output(
    kind: str, first_line: str, notebook: Notebook
) -> None:
    assert notebook.run(PREPARE).status == "ok"
    body = "\n".join(f"    {line}" for line in KINDS[kind].splitlines())
    number, stopped = 0, True
    while stopped:
        number += 6 if first_line else 1
        code = f"{first_line}stop_at({number})\ntry:\n{body}\nfinally:\n    sys.settrace(None)"
        stopped = notebook.run(code).status == "error"
        after = notebook.run(AFTER + "assert 'StringIO' not in str(sys.stdout)")
        assert (after.stdout, after.stderr) == ("seen\n", "heard\n"), (number, after.text)
        assert [data["text/plain"] for data in after.displays] == ["'shown'"], number
        assert after.status == "ok", (number, after.text)
        notebook.run("if 'ours' in globals(): sys.stdout = ours.to; del ours")
    assert number > 10


#: Each is in a module of its own, which is imported when it is used first.
FIRST_USES = {
    "osm": ("pwd", ""),
    "logging": ("logstate", ""),
    "history": ("history", "-l 1"),
    "namespace": ("who", ""),
}
STOP_IN_MODULE = """\
import sys
def trace(frame, event, arg):
    if frame.f_code.co_filename.endswith("/magics/{0}.py") and frame.f_code.co_name == "<module>":
        sys.settrace(None)
        raise KeyboardInterrupt
sys.settrace(trace)
"""


@pytest.mark.parametrize("module", FIRST_USES)
def test_a_magic_whose_import_was_stopped_works_the_next_time(module: str, notebook: Notebook) -> None:
    # Not as `%time`: what a cell spells out is imported before it begins.
    code = "name, line = {!r}, {!r}\nx = get_ipython().run_line_magic(name, line)".format(*FIRST_USES[module])
    stopped = notebook.run(f"{STOP_IN_MODULE.format(module)}{code}")
    assert stopped.error is not None and stopped.error[0] == "KeyboardInterrupt", stopped.text
    cell = notebook.run(code)
    assert cell.status == "ok", cell.text

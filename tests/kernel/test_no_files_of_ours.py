"""Whatever goes wrong in a function that the kernel stands in front of: no file of the kernel is shown."""

from __future__ import annotations

import pytest

from tests.kernel.client import Notebook

PRELUDE = """\
import asyncio, concurrent.futures, contextlib, getpass, io, logging, multiprocessing, multiprocessing.pool
import signal, subprocess, sys, threading, traceback, unittest, warnings
from IPython.display import display, clear_output
def fail(*args): raise ValueError("of the user")
async def f(): pass
async def failing(): raise ValueError("of the user")
async def once():
    global deferred; deferred = f()
class Closed(io.StringIO):
    def write(self, text): raise ValueError("a target that fails")
    flush = fileno = isatty = write
    def __getattr__(self, name): raise RuntimeError("a target that fails")
started = threading.Thread(target=int); started.start(); started.join()
closed = asyncio.new_event_loop(); closed.close()
def inside(*args):
    with contextlib.redirect_stdout(Closed()): eval(args[0])"""

MISTAKES = {
    "a buffer": "sys.stdout.buffer",
    "an encoding that is set": "sys.stdout.reconfigure(encoding='utf-8')",
    "no text": "sys.stdout.write(5)",
    "no text for the other": "sys.stderr.write(b'x')",
    "a target that cannot be written to": "inside('print(1)')",
    "a target that cannot be flushed": "inside('sys.stdout.flush()')",
    "a target without a descriptor": "inside('sys.stdout.fileno()')",
    "a target that is no terminal": "inside('sys.stdout.isatty(1)')",
    "a target without a value": "inside('sys.stdout.no_such_thing')",
    "a redirection that fails": "with contextlib.redirect_stdout(io.StringIO()): fail()",
    "a question": "input('?')",
    "a password": "getpass.getpass()",
    "a thread that is started twice": "started.start()",
    "a thread without a beginning": "class T(threading.Thread):\n    def __init__(self): pass\nT().start()",
    "a thread that fails": "t = threading.Thread(target=fail); t.start(); t.join(); fail()",
    "a job that fails": "with concurrent.futures.ThreadPoolExecutor() as p: p.submit(fail).result()",
    "a pool that is shut": "p = concurrent.futures.ThreadPoolExecutor(); p.shutdown(); p.submit(fail)",
    "a pool's job that fails": "with multiprocessing.pool.ThreadPool(1) as p: p.map(fail, [1])",
    "a pool's job without arguments": "with multiprocessing.pool.ThreadPool(1) as p: p.apply_async()",
    "a pool's callback that fails": "with multiprocessing.pool.ThreadPool(1) as p: p.imap(fail, [1]).next()",
    "a program that is missing": "subprocess.run(['no-such-program'])",
    "a program that fails": "subprocess.run(['false'], check=True)",
    "a process that is started twice": "p = multiprocessing.Process(target=int); p.start(); p.join()\n"
    "p.start()",
    "a start method that is none": "multiprocessing.get_context('spawn').get_context('no')",
    "a signal that is none": "signal.signal(-5, fail)",
    "no coroutine": "asyncio.create_task(5)",
    "no coroutine for the loop": "asyncio.get_event_loop().create_task(5)",
    "nothing to gather": "asyncio.gather(5)",
    "nothing to shield": "asyncio.shield(5)",
    "nothing to complete": "asyncio.get_event_loop().run_until_complete(5)",
    "a coroutine that fails": "asyncio.get_event_loop().run_until_complete(failing())",
    "a coroutine that fails in a loop of its own": "asyncio.run(failing())",
    "a runner": "with asyncio.Runner() as runner: runner.run(failing())",
    "no coroutine to run": "asyncio.run(5)",
    "a callback that cannot be called": "asyncio.get_event_loop().set_debug(1)\n"
    "try: asyncio.get_event_loop().call_soon(f)\nfinally: asyncio.get_event_loop().set_debug(0)",
    "a loop that runs": "await asyncio.sleep(0)\nasyncio.get_event_loop().run_forever()",
    "a loop that runs, another way": "await asyncio.sleep(0)\nasyncio.run(f())",
    "a task that fails": "await asyncio.create_task(failing())",
    "a wait that fails": "await asyncio.gather(failing(), f())",
    "a policy that is none": "asyncio.set_event_loop_policy(5)",
    "a policy's word": "asyncio.get_event_loop_policy().no_such_thing",
    "a coroutine that is awaited twice": "await once(); None\nx = f(); await x; await x",
    "a cell that is unknown": "cell(12345)",
    "a wait for a cell that is unknown": "get_ipython().run_line_magic('wait', '12345')",
    "a magic that is unknown": "get_ipython().run_line_magic('no_such_magic', '')",
    "a magic's option": "get_ipython().run_line_magic('namespace', '--no-such-option')",
    "a magic's word": "get_ipython().run_line_magic('stop', 'everything')",
    "a magic that awaits": "%time await failing()",
    "a command that raises": "get_ipython().system_raise_on_error = True\n"
    "try: get_ipython().system('exit 3')\nfinally: get_ipython().system_raise_on_error = False",
    "a command whose output is wanted and that raises": "get_ipython().system_raise_on_error = True\n"
    "try: x = get_ipython().getoutput('exit 3')\nfinally: get_ipython().system_raise_on_error = False",
    "a command that goes on": "get_ipython().getoutput('sleep 1 &')",
    "an await where there is none": "%%sync\nawait f()",
    "a directive that is none": "%%async --no-such-option\n1",
}


@pytest.mark.parametrize("code", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_shows_no_file_of_ours(code: str, notebook: Notebook) -> None:
    notebook.run(PRELUDE)
    after = [notebook.run(code), notebook.run("1"), notebook.run("import gc; gc.collect()")]
    for cell in after:
        assert "namespace_kernel/" not in cell.text, cell.text
    assert after[0].status == "error" or after[0].outputs, "it was a mistake"


@pytest.mark.parametrize(
    "code",
    [code for code in MISTAKES.values() if not code.startswith("%")],
    ids=lambda code: code[:40],
)
def test_nor_does_a_traceback_that_the_user_prints(code: str, notebook: Notebook) -> None:
    notebook.run(PRELUDE)
    lines = "\n".join(f"    {line}" for line in code.splitlines())
    cell = notebook.run(f"try:\n{lines}\nexcept BaseException: traceback.print_exc(); logging.exception('')")
    assert "namespace_kernel/" not in cell.text, cell.text


SHOWN = {
    "the stack": "traceback.print_stack()",
    "the stack as lines": "print(*traceback.format_stack())",
    "a stack that is kept": "print(*traceback.StackSummary.extract(traceback.walk_stack(sys._getframe())))",
    "the stack in a log": "logging.warning('logged', stack_info=True)",
    "who called a function that logs": "for n in range(1, 12): log.error('logged', stacklevel=n)",
    "who called the cell that warns": "for n in range(1, 12): warnings.warn(f'{n}', stacklevel=n)",
    "warnings that are caught": "with warnings.catch_warnings(record=True) as caught:\n"
    "    for n in range(1, 12): warnings.warn(f'{n}', stacklevel=n)\n"
    "print(*(w.filename for w in caught))",
    "a loop's own task": "print(asyncio.all_tasks(), asyncio.current_task() if awaits else '')",
    "a task's stack": "for task in tasks(): task.print_stack()",
    "a task's coroutine": "for task in tasks(): print(task.get_coro(), task.get_stack())",
    "a task that is over": "print(*kept)\nkept.append(asyncio.current_task() if awaits else None)",
    "a loop that debugs": "asyncio.get_event_loop().set_debug(1)\ntry: late = asyncio.ensure_future(f())\n"
    "finally: asyncio.get_event_loop().set_debug(0)\nprint(late, late._source_traceback)\nawait_it()",
    "a stream": "print(sys.stdout.no_such_attribute) if 0 else print(hasattr(sys.stdout, 'buffer'))",
}
PLACES = {
    "a plain cell": "{code}",
    "an awaiting cell": "await asyncio.sleep(0); awaits = True\n{code}",
    "a background cell": "%%background\nawait asyncio.sleep(0); awaits = True\n{code}",
    "a function": "def function():\n{indented}\nfunction()",
    "a thread": "def function():\n{indented}\nt = threading.Thread(target=function); t.start(); t.join()",
    "a job": "def function():\n{indented}\n"
    "with concurrent.futures.ThreadPoolExecutor() as p: p.submit(function).result()",
    "a task": "awaits = True\nasync def function():\n{indented}\nawait asyncio.create_task(function())",
    "a callback": "def function():\n{indented}\n"
    "asyncio.get_running_loop().call_soon(function); await asyncio.sleep(0)",
}
MORE = """\
log = logging.getLogger('mine'); log.propagate = False; log.handlers = [logging.StreamHandler(sys.stdout)]
log.handlers[0].setFormatter(logging.Formatter('%(pathname)s %(funcName)s %(message)s'))
warnings.simplefilter('always')
awaits, kept = False, []
def await_it(): pass
def tasks():  # of one that runs and is not a cell's, asyncio tells the thread's stack
    running = asyncio.current_task() if awaits else None
    return [t for t in asyncio.all_tasks() if t is not running or t.get_name().startswith('In ')]"""


@pytest.mark.parametrize("place", PLACES)
def test_what_shows_where_code_runs_shows_no_file_of_ours(place: str, notebook: Notebook) -> None:
    notebook.run(f"{PRELUDE}\n{MORE}")
    for what, code in SHOWN.items():
        if ("tasks" in code or "_loop" in code) and place in ("a thread", "a job"):
            continue  # no loop is theirs
        indented = "\n".join(f"    {line}" for line in code.splitlines())
        notebook.run("awaits = False")
        cell = notebook.run(PLACES[place].format(code=code, indented=indented))
        assert cell.status == "ok", cell.text
        assert "namespace_kernel/" not in cell.text, (what, cell.text)


def test_a_cells_task_is_called_as_the_cell(notebook: Notebook) -> None:
    waiting = "%%background\nimport asyncio\nevent = asyncio.Event()\nawait event.wait()"
    cell = notebook.submit(waiting).wait_started()
    number = next(m["content"]["execution_count"] for m in cell.messages if m["msg_type"] == "execute_input")
    notebook.run("import asyncio, linecache\nawait asyncio.sleep(0)")
    look = f"[task] = [t for t in asyncio.all_tasks() if t.get_name() == 'In [{number}]']\n"
    shown = notebook.run(look + "print(task, task.get_coro())\ntask.print_stack()\nawait asyncio.sleep(0)")
    assert f"coro=<In [{number}]() running at " in shown.stdout
    assert f"<coroutine object In [{number}] at 0x" in shown.stdout
    assert ", line 4, in <module>\n    await event.wait()" in shown.stderr
    here = notebook.run(
        "await asyncio.sleep(0)\nprint(asyncio.current_task())\nasyncio.current_task().print_stack()"
    )
    assert ".py:2>" in here.stdout and here.stderr.endswith(
        "in <module>\n    asyncio.current_task().print_stack()\n"
    )
    assert here.stderr.count("File ") == 1
    notebook.run("event.set()")


def test_a_warning_and_a_record_about_the_caller_are_about_the_cells_line(notebook: Notebook) -> None:
    notebook.run("import logging, sys, warnings")
    cell = notebook.run("1\nwarnings.warn('mine', stacklevel=4)")
    assert ":2: UserWarning: mine\n  warnings.warn('mine', stacklevel=4)" in cell.stderr
    code = (
        "logging.basicConfig(format='%(lineno)d %(funcName)s %(message)s', force=True, stream=sys.stdout)\n"
    )
    code += "def tell(level): logging.error(level, stacklevel=level)\nfor level in (1, 2, 3, 9): tell(level)"
    assert notebook.run(code).stdout.splitlines() == ["2 tell 1", *(f"3 <module> {n}" for n in (2, 3, 9))]


REPRS = {
    "a task": "import asyncio\nasync def f(): await asyncio.sleep(60)\nt = asyncio.create_task(f()); repr(t)",
    "a task in an async cell": "await asyncio.sleep(0)\nt = asyncio.create_task(f()); repr(t)",
    "a gathering": "t = asyncio.gather(f(), f()); await asyncio.sleep(0); repr((t, asyncio.all_tasks()))",
    "a task that a user waits for": (
        "def mine(task): pass\nt = asyncio.create_task(f()); t.add_done_callback(mine); repr(t)"
    ),
    "an awaited task": "repr(asyncio.current_task())\nawait asyncio.sleep(0)\nrepr(asyncio.current_task())",
    "a future": "t = asyncio.get_event_loop().create_future(); repr(t)",
}


def test_the_repr_of_a_task_shows_no_callback_of_ours(notebook: Notebook) -> None:
    assert notebook.run(REPRS["a task"]).status == "ok"
    for what, code in REPRS.items():
        shown = str(notebook.run(code).result)
        assert "pending" in shown, (what, shown)
        for ours in ("LoopTasks", "_look_for_failure", "_Delivery", "Visit", "cb=[]"):
            assert ours not in shown, (what, shown)
        assert ("mine()" in shown) == (what == "a task that a user waits for"), shown
    notebook.run("for task in asyncio.all_tasks(): task.cancel()")

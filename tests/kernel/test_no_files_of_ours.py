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
    [code for code in MISTAKES.values() if not code.startswith("%") and "system_raise" not in code],
    ids=lambda code: code[:40],
)
def test_nor_does_a_traceback_that_the_user_prints(code: str, notebook: Notebook) -> None:
    notebook.run(PRELUDE)
    lines = "\n".join(f"    {line}" for line in code.splitlines())
    cell = notebook.run(f"try:\n{lines}\nexcept BaseException: traceback.print_exc(); logging.exception('')")
    assert "namespace_kernel/" not in cell.text, cell.text

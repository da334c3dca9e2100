"""The inventory of what this package changes in others: where, which names, and why.

`assembly` installs what is changed while a kernel serves; the rest is changed by who needs it.

`tests/test_seams.py` compares this list with what the parts patch, and with what the owners have: there a new
release of theirs fails, by name. What is only read or called, though private, stands in `tests/seams.py`.
"""

from __future__ import annotations

import sys

#: While the kernel serves: a module or class, its names, and what is different. Undone at the end, and in a
#: forked child.
WHILE_SERVING: tuple[tuple[str, str, str], ...] = (
    ("warnings", "_warn_unawaited_coroutine", "the cell whose coroutine is never awaited tells of it"),
    ("asyncio.events", "set_event_loop", "it is known which loops cells set"),
    ("asyncio.runners", "run", "it works beside a running loop that Playwright has left behind"),
    ("asyncio.Runner", "run close", "as `run`"),
    ("asyncio.tasks", "create_task all_tasks", "where no loop runs the user loop is meant"),
    ("asyncio.tasks", "gather shield", "the user loop stands still; failures that they take are told of"),
    ("asyncio.tasks", "as_completed ensure_future", "the user loop stands still, as for all that follows"),
    ("asyncio.base_futures", "_future_repr_info", "a task's repr does not show the kernel's callbacks"),
    ("asyncio.futures", "wrap_future", "called by a cell's thread"),
    ("asyncio.Queue", "put_nowait get_nowait task_done shutdown", "called by a cell's thread"),
    ("asyncio.Event", "set clear", "called by a cell's thread"),
    ("asyncio.Lock", "release", "called by a cell's thread"),
    ("asyncio.Semaphore", "release", "called by a cell's thread"),
    ("asyncio.BoundedSemaphore", "release", "called by a cell's thread"),
    ("asyncio.Condition", "notify notify_all", "called by a cell's thread"),
    ("asyncio.TaskGroup", "create_task", "called by a cell's thread"),
    ("asyncio.Timeout", "reschedule", "called by a cell's thread"),
    ("asyncio.StreamReader", "feed_data feed_eof set_exception", "called by a cell's thread"),
    ("asyncio.StreamWriter", "write writelines write_eof close", "called by a cell's thread"),
    ("asyncio.Server", "close close_clients abort_clients", "called by a cell's thread"),
    (
        "asyncio",
        "set_event_loop run create_task all_tasks gather shield as_completed ensure_future wrap_future",
        "the same functions as above",
    ),
    ("signal", "signal", "a task on the loop's own thread may set a handler"),
    ("os", "system", "a Stop ends the command; what it has written comes before what follows"),
    ("sys", "unraisablehook", "a Stop that is ignored where an object ends comes again"),
    ("inspect", "getfile", "the source of a cell's class is found"),
    ("traceback", "walk_stack", "a stack that is shown ends at the cell"),
    ("warnings", "_showwarnmsg", "a warning about who called the cell names the cell"),
    ("logging.Logger", "findCaller", "a record about who called the cell names the cell"),
    ("threading", "excepthook", "below the error of a thread a line says what to do"),
    ("threading.Thread", "start", "a thread's output goes to the cell that started it"),
    ("concurrent.futures.thread", "_WorkItem", "a job's output goes to the cell that submitted it"),
    ("contextlib._RedirectStream", "__enter__ __exit__", "a redirection is that of one cell"),
    ("subprocess.Popen", "__init__", "which cell started a process; a Stop leaves none behind"),
    ("subprocess.Popen", "wait", "what the child has written comes before what follows"),
    ("os", "waitpid", "as `subprocess.Popen.wait`"),
    ("multiprocessing.process.BaseProcess", "start", "it is known which cell started a process"),
    ("multiprocessing.reduction.ForkingPickler", "reducer_override", "what cells define travels by value"),
    ("multiprocessing.context.SpawnContext", "get_context", "it is known that names will not do"),
    ("multiprocessing.context.ForkServerContext", "get_context", "it is known that names will not do"),
    ("multiprocessing.util", "_args_from_interpreter_flags", "processes begin without the notebook's folder"),
)

#: Who answers `get_event_loop` where no loop runs: until Python 3.13 a policy, then loops that are set.
WHILE_SERVING += (
    (
        ("asyncio.events", "get_event_loop _set_event_loop_policy", "the user loop is set where none is"),
        ("asyncio.tasks", "current_task", "it knows tasks that are written in Python, too"),
        ("asyncio", "get_event_loop current_task", "the same functions"),
    )
    if sys.version_info >= (3, 14)
    else (
        ("asyncio.events", "set_event_loop_policy", "a policy has the user loop where it has none"),
        ("asyncio", "set_event_loop_policy", "the same function"),
    )
)

#: From when a pool of threads is made, or a process that begins empty.
WHEN_USED: tuple[tuple[str, str, str], ...] = (
    (
        "multiprocessing.pool.ThreadPool",
        "apply_async _map_async imap imap_unordered",
        "a job's output goes to the cell that submitted it",
    ),
    ("multiprocessing.spawn", "get_preparation_data", "a process does not run the notebook's `__file__`"),
)

#: For good. In `sys` and `builtins` that is what they are for.
FOR_GOOD: tuple[tuple[str, str, str], ...] = (
    ("IPython.utils.capture.capture_output", "__enter__ __exit__", "it captures of one cell alone"),
    ("builtins", "input", "it asks the frontend, from any thread; a worker refuses"),
    ("builtins", "cell", "the handle of a cell that runs in the background"),
    ("getpass", "getpass", "as `input`"),
    ("sys", "breakpointhook", "IPython's pdb, unless a debugger is attached; a worker refuses"),
    ("sys", "stdout stderr", "streams whose output goes to a cell"),
    ("sys", "displayhook", "the program's own again when a kernel in it has ended"),
    ("sys", "modules", "put back where a cell has emptied it"),
    ("warnings", "filters", "one more, while a cell is compiled ahead: it warns once"),
    ("matplotlib._pylab_helpers.Gcf", "figs", "a figure belongs to the cell that makes it"),
    ("matplotlib_inline.backend_inline", "show", "a cell's end shows that cell's figures"),
    ("ipympl.backend_nbagg", "_Backend_ipympl", "a cell's end shows that cell's figures"),
    ("jedi.inference.flow_analysis", "_check_if", "it remembers what cannot change: 75 of 107 ms"),
    ("jedi.inference.compiled.mixed", "_load_module", "it reads no file that it has parsed: 0.2 ms each"),
    ("jedi.api.completion.Completion", "_complete_python", "what was typed is known below"),
    ("jedi.inference.compiled.value.CompiledValueFilter", "values", "no name that is dropped: 3 of 4.5 ms"),
    (
        "parso.cache",
        "_load_from_file_system _save_to_file_system _remove_cache_and_update_lock",
        "half a file in the user's cache folder, or a folder that cannot be written, does no harm",
    ),
    ("stack_data.core", "_pygmented_with_ranges", "one class of lexer for all frames: 5 ms each"),
    ("distributed.Future", "_bind_late", "a worker's future gets a client when it arrives"),
    ("ipykernel.kernelapp", "IOPubThread ZMQStream", "our publishing thread and shell stream are made"),
    ("ipykernel.kernelapp", "Heartbeat", "a port that is taken ends the start"),
)

PATCHES = WHILE_SERVING + WHEN_USED + FOR_GOOD

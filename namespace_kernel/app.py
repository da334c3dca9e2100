"""`NamespaceKernelApp`: the composition root. It builds every part and wires them."""

from __future__ import annotations

import contextlib
import contextvars
import faulthandler
import gc
import logging
import os
import signal
import sys
import threading
from functools import partial
from typing import Any

import zmq
from ipykernel import kernelapp
from ipykernel.kernelapp import IPKernelApp
from jupyter_client.session import Session
from traitlets import Type, default
from traitlets.config import Config
from traitlets.config.application import IS_PYTHONW

from namespace_kernel.attribution.child_processes import ChildProcesses
from namespace_kernel.attribution.inheritance import Inheritance
from namespace_kernel.attribution.redirects import Redirects
from namespace_kernel.base.execution import Execution, current_execution
from namespace_kernel.base.lines import Leak
from namespace_kernel.base.originals import make_unending, watch_originals
from namespace_kernel.base.own_libraries import OwnLibraries
from namespace_kernel.coroutines.never_awaited import NeverAwaitedHook
from namespace_kernel.coroutines.origins import Origins, OriginTracking
from namespace_kernel.execution.bridge import ExecutionContextBridge
from namespace_kernel.execution.hooks import close_coroutines
from namespace_kernel.execution.stop.interrupts import InterruptController
from namespace_kernel.execution.stop.registry import SideCells
from namespace_kernel.execution.stop.system_patch import SystemFront
from namespace_kernel.execution.stop.wakeup import SignalWakeup
from namespace_kernel.execution.user_loop.asyncio_patch import AsyncioFront
from namespace_kernel.execution.user_loop.signal_patch import SignalFront
from namespace_kernel.execution.user_loop.user_loop import UserLoop
from namespace_kernel.ipython.captures import install_captures
from namespace_kernel.ipython.engine import LetGoOfError, ShellEngine, UserLoopRunner
from namespace_kernel.ipython.shell import NamespaceShell
from namespace_kernel.ipython.tracebacks.class_sources import ClassSources
from namespace_kernel.kernel.debugging.breakpoints import install_breakpoint_hook
from namespace_kernel.kernel.kernel import NamespaceKernel, Parts
from namespace_kernel.kernel.lanes.executors import Bridges, Sites
from namespace_kernel.kernel.lanes.lanes import Lane
from namespace_kernel.kernel.wire.passages import open_passages
from namespace_kernel.kernel.wire.protocol_thread import ProtocolThread
from namespace_kernel.kernel.wire.publishing import LONGEST_SUBSCRIPTION, WAITING_MESSAGES, PublishingThread
from namespace_kernel.kernel.wire.session import KernelSession
from namespace_kernel.kernel.wire.shell_stream import SharedStream
from namespace_kernel.kernel.wire.stdout import CellStream
from namespace_kernel.namespace.manager import AsyncNamespaceManager
from namespace_kernel.remote.sites.dask import DaskSite
from namespace_kernel.remote.sites.isolated import IsolatedSite
from namespace_kernel.remote.spawning.multiprocessing_patch import MultiprocessingFront
from namespace_kernel.reports.activities import Activities
from namespace_kernel.reports.hooks import CollectLeaks, ReportFailedTasks, ShowReceipt
from namespace_kernel.reports.idle_loops import TellOfIdleLoops
from namespace_kernel.reports.remarks import CellReceipts
from namespace_kernel.reports.watchdog import LoopWatchdog
from namespace_kernel.routing.router import Router


class NamespaceKernelApp(IPKernelApp):
    """ipykernel's application, with our kernel, protocol thread and signal handling.

    Options of ipykernel's and IPython's classes are valid here. Read are `ipython_config.py`, then
    `ipython_kernel_config.py`, then `namespace_kernel_config.py`.
    """

    name = "namespace-kernel"
    description = "A Jupyter kernel for Python for people whose code mixes sync and async."
    kernel_class = Type(
        "namespace_kernel.kernel.kernel.NamespaceKernel",
        klass="ipykernel.kernelbase.Kernel",
        help="The kernel class, as an importable name; a subclass of NamespaceKernel.",
    ).tag(config=True)
    classes = [NamespaceKernel, NamespaceShell, *IPKernelApp.classes[2:]]
    subcommands: dict[str, Any] = {}
    _logging_configured = False
    _has_room = False

    @default("config_files")
    def _default_config_files(self) -> list[str]:
        return ["ipython_kernel_config.py", "namespace_kernel_config.py"]

    @default("outstream_class")
    def _default_outstream_class(self) -> str:
        return "namespace_kernel.kernel.wire.stdout.CellStream"

    @default("ip")
    def _ip_default(self) -> str:
        """Overridden not to look for it at all interfaces of the machine."""
        return "127.0.0.1" if self.transport == "tcp" else str(super()._ip_default())

    def parse_command_line(self, argv: Any = None) -> None:
        """Overridden for what frontends give, `-f FILE`: the parser of all options takes 2 ms to make."""
        given = sys.argv[1:] if argv is None else argv
        if len(given) == 2 and given[0] == "-f" and not given[1].startswith("-"):
            self.argv, self.extra_args = list(given), []
            self.cli_config = Config({"IPKernelApp": {"connection_file": given[1]}})
            self.update_config(self.cli_config)
        else:
            super().parse_command_line(argv)
        if argv is None:
            sys.argv[:] = [""]  # as in Python's own prompt: cells parse it. `sys.orig_argv` has all

    def _configure_logging(self) -> None:
        """Overridden for the rule, one handler for stderr: `logging.config` is 3 ms of a start."""
        if self.logging_config or self._logging_configured or IS_PYTHONW:
            super()._configure_logging()
            return
        handler = logging.StreamHandler(sys.stderr)
        handler.name = "console"
        handler.setLevel(self.log_level)  # type: ignore[arg-type]
        handler.setFormatter(self._log_formatter_cls(self.log_format, self.log_datefmt))
        logger = logging.getLogger(type(self).__name__)
        logger.setLevel(logging.DEBUG)
        logger.handlers = [handler]
        self._logging_configured = True

    def init_path(self) -> None:
        """Overridden: the kernelspec's `-P` is for the start, and does not keep the folder from cells.

        `PYTHONSAFEPATH`, `-I` and `ignore_cwd` do. The folder comes after the standard library, whatever
        stands before that.
        """
        environment = {} if sys.flags.ignore_environment else os.environ
        if self.ignore_cwd or sys.flags.isolated or environment.get("PYTHONSAFEPATH") or "" in sys.path:
            return
        library = os.path.dirname(os.__file__)
        start = sys.path.index(library) if library in sys.path else 0
        packages = (
            at
            for at, entry in enumerate(sys.path)
            if at > start and os.path.basename(entry) in ("site-packages", "dist-packages")
        )
        OwnLibraries.install()
        sys.path.insert(next(packages, len(sys.path)), "")

    def init_control(self, context: Any) -> None:
        """Overridden: our protocol thread in place of ipykernel's shell channel thread."""
        super().init_control(context)
        self.shell_channel_thread.io_loop.close()
        self.shell_channel_thread = ProtocolThread()
        for thread in (self.control_thread, self.shell_channel_thread):
            make_unending(thread.io_loop, self.log)

    @default("session")
    def _default_session(self) -> Session:
        return KernelSession(parent=self)

    def init_iopub(self, context: Any) -> None:
        """Overridden for our publishing thread, which takes the place of ipykernel's."""
        module: Any = kernelapp
        original, module.IOPubThread = module.IOPubThread, PublishingThread
        context.sockopts[zmq.SNDHWM] = WAITING_MESSAGES  # must be known before the socket is bound
        try:
            super().init_iopub(context)
        finally:
            module.IOPubThread = original
            del context.sockopts[zmq.SNDHWM]

    def _bind_socket(self, s: Any, port: int) -> Any:
        """Overridden: nobody can make the kernel keep large messages where only subscriptions are read."""
        if s.type == zmq.XPUB:
            s.maxmsgsize = LONGEST_SUBSCRIPTION
        return super()._bind_socket(s, port)

    def patch_io(self) -> None:
        """Overridden: what `faulthandler.enable` says of a crash goes where it outlives the process."""
        super().patch_io()
        outside = getattr(sys.stderr, "descriptor_outside", None)
        enable: Any = faulthandler.enable
        if outside is not None:
            enable.__defaults__ = (outside, *enable.__defaults__[1:])

    def init_signal(self) -> None:
        """Overridden: SIGINT has an owner from the start, which drops it until a cell runs."""
        self.interrupts = InterruptController(
            self._notice, self._describe, self.shell_channel_thread.call_later
        )
        self.interrupts.install()
        self.wakeup = SignalWakeup(self.shell_channel_thread.call_later)
        self.wakeup.install()
        self.shell_channel_thread.watch(self.wakeup.fileno(), self.wakeup.signalled)

    def init_kernel(self) -> None:
        """Overridden to build the parts: the store before the shell, the rest after it."""
        self.namespace = AsyncNamespaceManager()
        self._init_kernel_with_shared_stream()
        install_breakpoint_hook()
        kernel, shell = self.kernel, self.kernel.shell
        self.user_loop = UserLoop(
            shell.notice,
            shell.describe_frame,
            self._report_task,
            shell.is_users_file,
            self.interrupts.step_of,
        )
        self.receipts = CellReceipts(
            self._publish_receipt,
            kernel.reports,
            self.shell_channel_thread.call_later,
            place_of=shell.place_of,
            describe_frame=shell.describe_frame,
            is_users_file=shell.is_users_file,
        )
        self.user_loop.task_ended = self.receipts.refresh
        loop = self.user_loop.loop
        tracking = OriginTracking(lambda: loop.call_soon_threadsafe(tracking.apply))
        self.user_loop.comes_home = tracking.apply
        kernel.origins = Origins(tracking, self.namespace.look_up, shell.is_cell_file, shell.cell_files)
        self.never_awaited = NeverAwaitedHook(kernel.origins.leak_of, self._take_leak)
        self.inheritance = Inheritance(
            kernel.variables_of_output(),
            kernel.threads_inherit,
            shell.is_users_file,
            self._thread_ended,
            tracking.apply,
        )
        self.children = ChildProcesses()
        self.multiprocessing_front = MultiprocessingFront(self.namespace.live)
        self.redirects = Redirects(lambda stream: issubclass(type(stream), CellStream), CellStream.direct)
        self.asyncio_front = AsyncioFront(self.user_loop.loop, self._runs_cells)
        self.signal_front = SignalFront(lambda: self.user_loop.home_ident, self.wakeup.wake_main)
        self.wakeup.woken = self.signal_front.apply
        self.system_front = SystemFront()
        self.class_sources = ClassSources(shell.cell_files)
        #: What stands in front of functions of Python while the kernel serves.
        self._fronts = (
            self.never_awaited,
            self.asyncio_front,
            self.signal_front,
            self.system_front,
            self.class_sources,
            self.inheritance,
            self.redirects,
            self.children,
            self.multiprocessing_front,
        )
        self.namespace.keeps_current = lambda: kernel.conflicts_keep == "current"
        self.isolated = IsolatedSite(lambda: int(kernel.isolated_processes), self.children.note)
        self.dask = DaskSite(self.namespace.look_up, lambda: int(kernel.dask_result_limit) * 2**20)
        side_cells = SideCells()
        running: set[Execution] = shell.events.cells
        engine = ShellEngine(shell, UserLoopRunner(self.user_loop))
        router = Router(
            shell.transform_cell,
            self.namespace.look_up,
            lambda: engine.awaits_on_user_loop,
            lambda: kernel.plain_cells == "loop",
        )
        build = partial(
            ExecutionContextBridge,
            self.namespace,
            router=router,
            engine=engine,
            running=running,
            hooks=(
                # What is within reach first: closing it may drop the last reference to others.
                close_coroutines,
                # The last error's frames may hold others.
                LetGoOfError(shell),
                CollectLeaks(self.never_awaited, kernel.origins),
                ReportFailedTasks(self.user_loop),
                # The receipt tells what the hooks before it found.
                TellOfIdleLoops(self.receipts, self.asyncio_front.take_set_loops),
                ShowReceipt(self.receipts),
                # Last: the tables show what the namespace is when the cell is done.
                shell.live_tables.after_cell,
            ),
        )
        sites = Sites(self.isolated, self.dask)
        bridges = Bridges(build, sites, self.user_loop, self.interrupts, side_cells, kernel.cell_has_left)
        activities = Activities(
            running,
            self.user_loop,
            self.children,
            shell.describe_line,
            shell.is_users_file,
            self.inheritance.jobs,
        )
        watchdog = LoopWatchdog(
            self.user_loop,
            self.receipts,
            running,
            shell.describe_frame,
            lambda: float(kernel.blocking_time),
            self.shell_channel_thread.call_later,
        )
        self.user_loop.task_began = watchdog.arm
        context = contextvars.copy_context()
        foreground = Lane(None, context, bridges.of_foreground(context))
        kernel.attach(
            Parts(self.user_loop, self.interrupts, side_cells, activities, foreground, bridges.beside_it)
        )
        kernel.before_cell = self._before_cell
        if hasattr(kernel, "debugger"):  # not without debugpy
            self.wakeup.handled = lambda: self.interrupts.handled
            self.wakeup.interrupted = kernel.debugger.resume_main
            self.wakeup.was_handled = kernel.debugger.resume
            kernel.debugger.imported = install_breakpoint_hook
        if not gc.isenabled():  # `__main__`
            gc.freeze()
            gc.enable()

    def _init_kernel_with_shared_stream(self) -> None:
        """`super().init_kernel`, with our stream for the shell socket."""
        module: Any = kernelapp
        original, shell_loop = module.ZMQStream, self.shell_channel_thread.io_loop

        def stream(socket: Any, io_loop: Any) -> Any:
            return (SharedStream if io_loop is shell_loop else original)(socket, io_loop)

        module.ZMQStream = stream
        try:
            super().init_kernel()
        finally:
            module.ZMQStream = original

    def start(self) -> None:
        """Overridden: the main thread serves cells, not a tornado loop."""
        if self.poller is not None:
            self.poller.start()
        self._own_ident = threading.get_ident()
        for front in self._fronts:
            front.install()
        install_captures()
        self.kernel.install_input()
        self.kernel.originals = watch_originals()  # with our fronts in it
        self.user_loop.start()
        self.iopub_thread.before_stop = self._flush
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._become_plain_python)
        self.kernel.start()
        try:
            self.kernel.serve()
        finally:
            self._end()

    def _end(self) -> None:
        """Let the control thread finish its reply and the user's tasks end; `atexit` does the rest."""
        ending = self.kernel.ending
        ending.served()
        ending.linger()
        self.kernel.end_beside(self.kernel.tasks_time)
        self.isolated.close(self.kernel.tasks_time)
        self.dask.close()
        self.user_loop.close(self.kernel.tasks_time)
        ending.replied.wait()
        self._uninstall()

    def _flush(self) -> None:
        for stream in (self.kernel._stdout, self.kernel._stderr):
            stream.flush()

    def _become_plain_python(self) -> None:
        """In a forked child neither the user loop nor the protocol thread exists: let go of both."""
        self._uninstall()
        for stream in (self.kernel._stdout, self.kernel._stderr):
            if isinstance(stream, CellStream):
                stream.forget()
        self.kernel.become_child()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _uninstall(self) -> None:
        for front in self._fronts:
            front.uninstall()

    def _make_room(self) -> None:
        """Start the process that makes room for what C code writes: before the first cell, for it takes time.

        Without it there is room as in ipykernel.
        """
        streams = [one for one in (self.kernel._stdout, self.kernel._stderr) if isinstance(one, CellStream)]
        pipes = [one.watched_pipe for one in streams if one.watched_pipe is not None]
        outputs = [one.descriptor_outside for one in streams if one.descriptor_outside is not None]
        if len(pipes) == len(outputs) == 2:
            with contextlib.suppress(OSError):
                for stream, passage in zip(streams, open_passages(pipes, outputs), strict=True):
                    stream.use_passage(passage)

    def _thread_ended(self, execution: Execution) -> None:
        """A thread or a job that a cell started is over. Thread: it."""
        self.kernel.end_if_child()
        self.receipts.refresh(execution)

    def _before_cell(self) -> None:
        self.kernel.originals.note_modules()
        if not self._has_room:
            self._has_room = True
            self._make_room()
        self.signal_front.apply()
        self.wakeup.take_descriptor()
        self.asyncio_front.note_leftover()

    def _report_task(self, error: BaseException) -> None:
        if self.kernel.report_failed_tasks:
            self.kernel.shell.show_task_error(error)

    def _publish_receipt(self, display_id: str, data: dict[str, str], update: bool) -> None:
        if not self.kernel.ending.requested:
            transient = {"display_id": display_id}
            self.kernel.shell.display_pub.publish(data, transient=transient, update=update)

    def _take_leak(self, leak: Leak) -> bool:
        """A coroutine went away in the calling context."""
        execution = current_execution.get()
        if execution is None:
            return False
        self.receipts.leaked(execution.owner or execution, leak)
        return True

    def _notice(self, line: str) -> None:
        """Show a line under the foreground's cell, whatever thread or task it comes from."""
        self.kernel.lanes.foreground.copy_context().run(self.kernel.shell.notice, line)

    def _describe(self, frame: Any) -> str:
        description: str = self.kernel.shell.describe_frame(frame)
        return description

    def _runs_cells(self) -> bool:
        """Whether the calling thread is one where cells run: main, or a subshell's."""
        thread = threading.current_thread()
        return thread.ident == self._own_ident or thread.name.startswith("lane-")


launch_new_instance = NamespaceKernelApp.launch_instance

"""`NamespaceKernelApp`: the process. Its options, its sockets, its start and its end."""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import zmq
from ipykernel import kernelapp
from ipykernel.heartbeat import Heartbeat
from ipykernel.kernelapp import IPKernelApp
from jupyter_client.session import Session
from traitlets import Type, Unicode, default
from traitlets.config.application import IS_PYTHONW

from namespace_kernel import __version__
from namespace_kernel.assembly.assemble import assemble
from namespace_kernel.base.originals import make_unending
from namespace_kernel.base.patching import Patch, Patches
from namespace_kernel.ipython.captures import CAPTURES
from namespace_kernel.ipython.shell import NamespaceShell
from namespace_kernel.ipython.tracebacks.own_libraries import OwnLibraries
from namespace_kernel.kernel.debugging.breakpoints import install_breakpoint_hook
from namespace_kernel.kernel.kernel import NamespaceKernel
from namespace_kernel.kernel.wire.passages import Outside
from namespace_kernel.kernel.wire.protocol_thread import ProtocolThread
from namespace_kernel.kernel.wire.publishing import PublishingThread
from namespace_kernel.kernel.wire.session import KernelSession
from namespace_kernel.kernel.wire.shell_stream import SharedStream
from namespace_kernel.kernel.wire.subscriptions import LONGEST_SUBSCRIPTION

#: What to do about errors at the start.
_REMEDIES = {
    errno.EADDRINUSE: "; another program has one of the ports, so start the kernel once more",
    errno.EMFILE: "; a kernel needs about a hundred, so raise the limit (`ulimit -n`)",
    errno.ENOMEM: "; a kernel needs some 30 threads and, with their stacks, 2 GB of address space, "
    "so raise the limits (`ulimit -u`, `ulimit -v`)",
    errno.ENOSPC: "; the disk is full, so make room",
    errno.EFBIG: "; no file may be written here, so raise the limit (`ulimit -f`)",
}
#: How many messages may wait for a client that reads slowly, before ZeroMQ drops the next ones. By default
#: these are 1,000, as many as a cell displays in 50 ms.
_WAITING_MESSAGES = 100_000
#: What Python says where the system has no room for a further thread.
_NO_THREAD = "can't start new thread"


class NamespaceKernelApp(IPKernelApp):
    """ipykernel's application, with our kernel, protocol thread and signal handling.

    Options of ipykernel's and IPython's classes are valid here. Read are `ipython_config.py`, then
    `ipython_kernel_config.py`, then `namespace_kernel_config.py`.
    """

    name = "namespace-kernel"
    version = Unicode(__version__)
    description = "A Jupyter kernel for Python in which await, asyncio.run() and blocking code all work."
    kernel_class = Type(
        "namespace_kernel.kernel.kernel.NamespaceKernel",
        klass="ipykernel.kernelbase.Kernel",
        help="The kernel class, as an importable name; a subclass of NamespaceKernel.",
    ).tag(config=True)
    classes = [NamespaceKernel, NamespaceShell, *IPKernelApp.classes[2:]]
    subcommands: dict[str, Any] = {}
    _logging_configured = False

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
        """Overridden: a word that is no option is an error. Cells do not see the kernel's arguments."""
        super().parse_command_line(argv)
        if self.extra_args:
            self.exit_unknown(self.extra_args[0])
        if argv is None:
            sys.argv[:] = [""]  # as in Python's own prompt: cells parse it. `sys.orig_argv` has all

    def exit_unknown(self, word: str) -> NoReturn:
        """A word that is no option would otherwise be ignored, and the kernel would wait for a client."""
        print(f"{self.name}: {word!r} is no option. See: {self.name} --help", file=sys.stderr)
        sys.exit(2)

    @classmethod
    def launch_instance(cls, argv: Any = None, **kwargs: Any) -> None:
        """Overridden for `begin_instance`."""
        cls.begin_instance(argv, **kwargs).serve()

    @classmethod
    def begin_instance(cls, argv: Any = None, **kwargs: Any) -> NamespaceKernelApp:
        """The application, begun. If it cannot start it says why in one line and ends, though threads run."""
        app = cls.instance(**kwargs)
        try:
            app.initialize(argv)
            app.begin()
        except (OSError, zmq.ZMQError, MemoryError) as error:
            app._end_before_start(error)
        except RuntimeError as error:
            if str(error) != _NO_THREAD:
                raise
            app._end_before_start(error)
        return app

    def _end_before_start(self, error: Exception) -> NoReturn:
        number = getattr(error, "errno", None) or (0 if isinstance(error, OSError) else errno.ENOMEM)
        line = f"namespace_kernel cannot start: {str(error) or 'out of memory'}{_REMEDIES.get(number, '')}\n"
        outside = getattr(sys.stderr, "descriptor_outside", None)
        with contextlib.suppress(OSError):
            os.write(2 if outside is None else outside, line.encode())
        os._exit(1)

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

    def init_heartbeat(self) -> None:
        """Overridden: its thread takes the port, and nobody would hear that it is taken."""
        app = self

        class Pulse(Heartbeat):
            def run(self) -> None:
                """Overridden: without it the frontend takes the kernel for dead."""
                try:
                    super().run()
                except zmq.ZMQError as error:
                    if error.errno != errno.EADDRINUSE:
                        raise
                    app._end_before_start(error)

        with Patches(Patch(kernelapp, "Heartbeat", lambda _: Pulse)):
            super().init_heartbeat()

    def init_iopub(self, context: Any) -> None:
        """Overridden for our publishing thread, which takes the place of ipykernel's."""
        context.sockopts[zmq.SNDHWM] = _WAITING_MESSAGES  # must be known before the socket is bound
        with Patches(Patch(kernelapp, "IOPubThread", lambda _: PublishingThread)):
            super().init_iopub(context)
        del context.sockopts[zmq.SNDHWM]

    def _bind_socket(self, s: Any, port: int) -> Any:
        """Overridden: nobody can make the kernel keep large messages where only subscriptions are read."""
        if s.type == zmq.XPUB:
            s.maxmsgsize = LONGEST_SUBSCRIPTION
        return super()._bind_socket(s, port)

    def init_io(self) -> None:
        """Overridden: the log does not wait for whoever should read it either."""
        super().init_io()
        outside = getattr(sys.stderr, "descriptor_outside", None)
        for handler in self.log.handlers if outside is not None else ():
            if isinstance(handler, logging.StreamHandler) and handler.stream.fileno() == outside:
                # When ipykernel's file ends, it closes the descriptor, whose number a connection would get.
                self._log_file = handler.setStream(Outside(outside))

    def patch_io(self) -> None:
        """Overridden: what `faulthandler.enable` says of a crash goes where it outlives the process."""
        super().patch_io()
        outside = getattr(sys.stderr, "descriptor_outside", None)
        enable: Any = faulthandler.enable
        if outside is not None:
            enable.__defaults__ = (outside, *enable.__defaults__[1:])

    def init_signal(self) -> None:
        """Overridden: SIGINT is dropped until the parts are built. No program inherits that."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, lambda number, frame: None)

    def init_kernel(self) -> None:
        """Overridden to build the parts."""
        if not gc.isenabled():  # `__main__`
            gc.freeze()  # what has been imported; the namespace comes now, and `gc.get_referrers` finds it
        self._init_kernel_with_shared_stream()
        install_breakpoint_hook()
        self.house = assemble(self.kernel, self.shell_channel_thread, Path(self.abs_connection_file))
        gc.enable()

    def _init_kernel_with_shared_stream(self) -> None:
        """`super().init_kernel`, with our stream for the shell socket."""
        shell_loop = self.shell_channel_thread.io_loop

        def sharing(original: type) -> Callable[[Any, Any], Any]:
            def stream(socket: Any, io_loop: Any) -> Any:
                return (SharedStream if io_loop is shell_loop else original)(socket, io_loop)

            return stream

        with Patches(Patch(kernelapp, "ZMQStream", sharing)):
            super().init_kernel()

    def start(self) -> None:
        """Overridden: the main thread serves cells, not a tornado loop."""
        self.begin()
        self.serve()

    def begin(self) -> None:
        """Start all that runs beside the main thread. Thread: main."""
        if self.poller is not None:
            self.poller.start()
        self.house.patches.install()
        Patches(*CAPTURES).install()  # for good
        self.house.user_loop.start()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._become_plain_python)
        self.kernel.start()

    def serve(self) -> None:
        """Run cells until the kernel is asked to end. Thread: main."""
        try:
            self.kernel.serve()
        finally:
            self._end()

    def _end(self) -> None:
        """Let the control thread finish its reply and the user's tasks end; `atexit` does the rest."""
        ending = self.kernel.ending
        ending.served()
        ending.linger()
        self.kernel.beside.end(self.kernel.tasks_time)
        self.house.sites.isolated.close(self.kernel.tasks_time)
        self.house.sites.dask.close()
        self.house.user_loop.close(self.kernel.tasks_time)
        self.house.keeping.durability.stop()
        ending.replied.wait()
        self.house.patches.undo()
        self.house.keeping.black_box.close()

    def _become_plain_python(self) -> None:
        """In a forked child neither the user loop nor the protocol thread exists: let go of both."""
        self.house.patches.undo()
        self.session.pid = os.getpid()  # or what a child displays would not be sent
        self.iopub_thread.children.become_child()
        self.kernel.streams.forget()
        self.kernel.forked.become(self.house.user_loop, self.kernel.lanes.foreground)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)


launch_new_instance = NamespaceKernelApp.launch_instance

"""`embed_kernel`: a kernel in somebody's program, with the names of the place that starts it."""

from __future__ import annotations

import signal
import sys
from types import ModuleType
from typing import Any

from IPython.utils.frame import extract_module_locals
from traitlets.config import Config

from namespace_kernel.app import NamespaceKernelApp
from namespace_kernel.base.cell import Names, Namespace
from namespace_kernel.ipython.shell import NamespaceShell
from namespace_kernel.namespace.reserved_names import MODULE_NAMES


def embed_kernel(
    module: ModuleType | None = None, local_ns: dict[str, Any] | None = None, **options: Any
) -> None:
    """Start a kernel in this program, with the names of the place that calls it; returns when it ends.

    Connect by `jupyter console --existing`. Cells see the names of `module`, and over them those of
    `local_ns`: by default the caller's module and its local variables. They are copied, so what cells bind
    stays in the kernel; a `local_ns` that is given has it afterwards. `options` go to `NamespaceKernelApp`.
    One kernel serves a process, once.

    Thread: main.
    """
    caller, names = extract_module_locals(1)
    visible = {**vars(module or caller), **(names if local_ns is None else local_ns)}
    program = sys.modules["__main__"], sys.stdout, sys.stderr, sys.displayhook
    handler = signal.getsignal(signal.SIGINT)
    app = NamespaceKernelApp.instance(**options)
    app.update_config(Config(NamespaceKernel={"ends_process": False}))
    app.initialize([])
    sys.modules["__main__"] = program[0]
    shell: NamespaceShell = app.kernel.shell
    shell.user_ns = _without_module_names(visible)
    app.start()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, handler)
    sys.stdout.flush()
    sys.stderr.flush()
    sys.modules["__main__"], sys.stdout, sys.stderr, sys.displayhook = program
    if local_ns is not None:
        bound = _without_module_names(shell.namespace.namespace)
        local_ns.update(
            {
                name: value
                for name, value in bound.items()
                if shell.namespace.provenance(name) and visible.get(name, visible) is not value
            }
        )


def _without_module_names(names: Names) -> Namespace:
    own = MODULE_NAMES | {"__file__", "__cached__", "__annotations__"}
    return {name: value for name, value in names.items() if name not in own}

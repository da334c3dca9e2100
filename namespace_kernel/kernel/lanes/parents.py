"""Which request the calling code belongs to: there its output goes, and there its questions are asked."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ipykernel.ipkernel import IPythonKernel

from namespace_kernel.attribution.redirects import redirects
from namespace_kernel.ipython.captures import display_capture
from namespace_kernel.ipython.shell import NamespaceShell
from namespace_kernel.kernel.options import KernelOptions
from namespace_kernel.kernel.wire.request import Replies, Request


class Parents:
    """The context variables of ipykernel's that say it.

    Thread: any.
    """

    def __init__(
        self, kernel: IPythonKernel, options: KernelOptions, shell: NamespaceShell, replies: Replies
    ) -> None:
        self._kernel = kernel
        self._shell = shell
        self._replies = replies
        self._message: ContextVar[Any] = kernel._shell_parent
        self._idents: ContextVar[Any] = kernel._shell_parent_ident
        self._options = options

    def current(self) -> Request:
        """The request that the calling code belongs to."""
        idents = self._kernel._get_shell_context_var(self._idents)
        return Request(idents, self._kernel.get_parent("shell"), self._replies)

    def adopt(self, request: Request) -> None:
        """Let output in the calling context go to `request`, and nowhere else."""
        self._message.set(request.message)
        self._idents.set(request.idents)
        self._shell.set_thread_parent(request.message)

    def may_ask(self) -> bool:
        """Whether the calling code may ask the user."""
        content = (self._kernel.get_parent("shell") or {}).get("content") or {}
        return bool(content.get("allow_stdin", False))

    def threads_inherit(self) -> bool:
        """Whether what a thread prints is to go to the cell that is calling.

        nbclient (nbconvert, papermill) drops what comes for a cell after its end. It is known by what it
        does not send, an id of the cell and leave to ask for input; for it, threads print as in ipykernel.
        """
        metadata = (self._kernel.get_parent("shell") or {}).get("metadata") or {}
        return self._options.thread_output == "starter" and (self.may_ask() or "cellId" in metadata)

    def variables(self) -> list[ContextVar[Any]]:
        """The context variables that say to which cell output goes."""
        kernel, shell = self._kernel, self._shell
        owners = [shell, shell.displayhook, shell.display_pub, kernel._stdout, kernel._stderr]
        return [
            self._message,
            self._idents,
            *(owner._parent_header for owner in owners if hasattr(owner, "_parent_header")),
            redirects,
            display_capture,
        ]

"""Where a cell's coroutine is driven: on the main thread, on the user loop, or by the embedder."""

from .async_loop import UserLoopExecutor
from .base import Execution, Executor, Interrupts, complete, current_execution
from .children import ChildProcesses
from .dask import DaskSite
from .elsewhere import ElsewhereCall, ElsewhereExecutor, RemoteRun, Site, beside, in_foreground
from .isolated import IsolatedSite
from .main_thread import AwaitingExecutor, CallingThreadExecutor, MainThreadExecutor
from .started import Place, Started, is_nobodys, note_start, started_of
from .steps import ThreadStop
from .user_loop import UserLoop
from .workers import SideCells, WorkerExecutor, WorkerLoopExecutor

__all__ = [
    "AwaitingExecutor",
    "CallingThreadExecutor",
    "ChildProcesses",
    "DaskSite",
    "ElsewhereCall",
    "ElsewhereExecutor",
    "Execution",
    "Executor",
    "Interrupts",
    "IsolatedSite",
    "MainThreadExecutor",
    "Place",
    "RemoteRun",
    "SideCells",
    "Site",
    "Started",
    "ThreadStop",
    "UserLoop",
    "UserLoopExecutor",
    "WorkerExecutor",
    "WorkerLoopExecutor",
    "beside",
    "complete",
    "current_execution",
    "in_foreground",
    "is_nobodys",
    "note_start",
    "started_of",
]

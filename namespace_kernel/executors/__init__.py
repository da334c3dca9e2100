"""Where a cell's coroutine is driven: on the main thread, on the user loop, or by the embedder."""

from .async_loop import UserLoopExecutor
from .base import Execution, Executor, Interrupts, complete
from .main_thread import AwaitingExecutor, CallingThreadExecutor, MainThreadExecutor
from .user_loop import UserLoop
from .workers import SideCells, ThreadStop, WorkerExecutor, WorkerLoopExecutor

__all__ = [
    "AwaitingExecutor",
    "CallingThreadExecutor",
    "Execution",
    "Executor",
    "Interrupts",
    "MainThreadExecutor",
    "SideCells",
    "ThreadStop",
    "UserLoop",
    "UserLoopExecutor",
    "WorkerExecutor",
    "WorkerLoopExecutor",
    "complete",
]

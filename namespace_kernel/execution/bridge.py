"""`ExecutionContextBridge`: the way of one cell, in six stages.

    1 route    the Router turns the cell into a Route          (routing/)
    2 open     the store gives a view: live dict, or a copy    (namespace/)
    3 execute  the executor of that route runs it → Outcome    (execution/)
    4 merge    what changed is merged; engine names are set right
    5 settle   the ordered post-cell hooks: close leaked coroutines, report, let go
    6 reply    the Outcome, for whoever asked

The kernel and the embedding API both go through `ExecutionContextBridge.execute`, the only place
where the stages are written. It is a coroutine, yet suspends only where an embedder's loop drives
the code; the kernel runs it to its end with `complete`.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping
from typing import Any

from namespace_kernel.base.cell import Cell, Context, Outcome, Route
from namespace_kernel.base.errors import ElsewhereError
from namespace_kernel.base.execution import Execution, complete
from namespace_kernel.namespace.manager import AsyncNamespaceManager
from namespace_kernel.routing.router import Router

from .engine import Engine, PythonEngine
from .executor import Executor
from .hooks import EMBEDDED_HOOKS, Hook, Settling, settle
from .plain_cells import AwaitingExecutor, CallingThreadExecutor


class ExecutionContextBridge:
    """Executes code against one namespace, in an async or a threaded context.

    `executors` maps contexts to executors; by default those for embedding, which need no kernel.
    `hooks` are the post-cell hooks, in order. Routing and hooks may run user code and print; they do so
    in `context`, if one is given, and so does `begins`, which is told of each cell just before its code.
    """

    def __init__(
        self,
        manager: AsyncNamespaceManager,
        *,
        router: Router | None = None,
        engine: Engine | None = None,
        executors: Mapping[Context, Executor] | None = None,
        hooks: tuple[Hook, ...] = EMBEDDED_HOOKS,
        context: contextvars.Context | None = None,
        running: set[Execution] | None = None,
        begins: Callable[[Execution], object] = lambda execution: None,
    ) -> None:
        self.namespace = manager
        self.router = Router(lookup=manager.look_up) if router is None else router
        self.engine: Engine = PythonEngine(manager) if engine is None else engine
        self.executors: Mapping[Context, Executor] = executors or {
            Context.ASYNC: AwaitingExecutor(),
            Context.MAIN: CallingThreadExecutor(),
            Context.CALLER: CallingThreadExecutor(),
            Context.THREAD: CallingThreadExecutor(),
        }
        self.hooks = hooks
        #: The executions that have begun and not ended; may be shared with other bridges.
        self.running: set[Execution] = set() if running is None else running
        self._begins = begins
        self._in_context: Callable[..., Any] = _directly if context is None else context.run

    async def execute(self, cell: Cell, route: Route | None = None) -> Outcome:
        """Take `cell` through the six stages. `route` is given by callers that ask for a context.

        Thread: main in the kernel; in a program, the one that asks.
        """
        route = route or self._in_context(self.router.route, cell)  # 1 route
        view = self.namespace.open(  # 2 open
            route.context, cell.execution_id, route.source, aside=cell.background
        )
        execution = Execution(cell, route)
        self.running.add(execution)
        try:
            executor = self._executor_of(route)
            self._in_context(self._begins, execution)
            body = self.engine.run(cell, route, view.namespace)
            outcome = await executor.run(execution, body)  # 3 execute
        except BaseException as error:
            outcome = self._shown(cell, route, error)
        # In the cell's context: values that the cell let go of end here, and may say so.
        changes = self._in_context(self.namespace.close, view, cell.execution_id, outcome)  # 4 merge
        settling = Settling(self.namespace, execution, outcome, changes)
        del outcome, changes  # whatever settling replaces must not live on here
        try:
            self._in_context(settle, settling, self.hooks)  # 5 settle
        finally:
            self.running.discard(execution)
        return settling.outcome  # 6 reply

    def _executor_of(self, route: Route) -> Executor:
        if route.context not in self.executors:
            raise ElsewhereError(f"no code can run as {str(route.context)!r} here; that takes the kernel")
        return self.executors[route.context]

    def _shown(self, cell: Cell, route: Route, error: BaseException) -> Outcome:
        """The outcome of an error that escaped the engine; not even showing it may fail the stages."""
        try:
            outcome: Outcome = self._in_context(self.engine.show, cell, route, error)
            return outcome
        except Exception:
            return Outcome(error=error)

    # Embedding

    async def execute_in_async(self, code: str, execution_id: str) -> Any:
        """Run `code`, which may await at its top level, on the caller's loop.

        Returns the value of the last expression, or of `_result` if the code binds it. Raises what the
        code raised; it is `_exception` then, and what was bound before stays bound.

        Thread: one whose loop runs.
        """
        route = Route(Context.ASYNC, "asked for by the caller", code)
        return (await self.execute(Cell(code, execution_id), route)).unwrap()

    def execute_in_thread(self, code: str, execution_id: str, *, isolate: bool = False) -> Any:
        """Run `code`, which must not await at its top level, in the calling thread.

        With `isolate` it runs on a copy of the namespace: what it added, rebound and deleted is merged
        when it has succeeded, and nothing if it fails. Returns and raises as `execute_in_async`; raises
        `AwaitInThreadError` for code that awaits.

        Thread: any.
        """
        context = Context.THREAD if isolate else Context.CALLER
        route = Route(context, "asked for by the caller", code)
        return complete(self.execute(Cell(code, execution_id), route)).unwrap()


def _directly(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)

"""An error, and the code that it came from."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from dataclasses import dataclass, field
from traceback import walk_tb
from types import CoroutineType, FunctionType, TracebackType
from typing import TypeAlias

from namespace_kernel.base.cell import Context, Route
from namespace_kernel.base.lines import Leak, Lines, Place, ToldCalls
from namespace_kernel.coroutines.deferred import DeferredCoroutine

from .code import Code
from .step import Step, last_name

Assignment: TypeAlias = ast.Assign | ast.AnnAssign | ast.NamedExpr


@dataclass(frozen=True)
class Mistake:
    """An error, with the steps of its traceback that are the user's, outermost first.

    `route` is that of the cell to which it belongs, if it belongs to one. `loop` is the kernel's. `told` are
    the calls that its line is about.
    """

    error: BaseException
    words: str
    lines: Lines
    route: Route | None = None
    loop: object = None
    steps: tuple[Step, ...] = ()
    told: ToldCalls = field(default_factory=ToldCalls)

    def tell(self, code: Code, node: ast.AST, step: Step | None = None) -> None:
        """Note the calls in `node`: what they made is no news any more. Nor is what plain functions return,
        which a `step` calls.
        """
        for call in ast.walk(node):
            function = step.computed_by(call) if step else None
            names = {last_name(call)} if isinstance(call, ast.Call | ast.Attribute) else set[str]()
            names |= {function.__qualname__.rpartition(".")[2]} if function else set()
            lines = range(getattr(call, "lineno", 1), (getattr(call, "end_lineno", 0) or 0) + 1)
            self.told.update(Leak(name, code.filename, line) for name in names for line in lines)
            if function is not None and self.lines.is_users_file(function.__code__.co_filename):
                self.told.update(_returned_by(function))

    @property
    def step(self) -> Step | None:
        """The innermost one."""
        return self.steps[-1] if self.steps else None

    @property
    def on_loop(self) -> bool:
        """Whether the cell's code runs on the kernel's loop."""
        return self.route is not None and self.route.context is Context.ASYNC

    @property
    def is_the_steps_own(self) -> bool:
        """Whether the innermost step raised the error, and nothing that it called."""
        frames = [frame for frame, _ in walk_tb(self.error.__traceback__)]
        return self.step is not None and frames[-1] is self.step.frame

    def where(self, code: Code, node: ast.AST) -> str:
        """The line of `node`, in words."""
        return self.lines.place_of(Place(code.filename, getattr(node, "lineno", 0)))

    def all_code(self, word: str) -> Iterator[Code]:
        """The files in which to look for something: those of the traceback, innermost first, then the
        cells', latest first; of these, those in which `word` stands.
        """
        files = dict.fromkeys(step.code.filename for step in reversed(self.steps))
        files |= dict.fromkeys(reversed(list(self.lines.cell_files())))
        for filename in files:
            if word in "".join(linecache.getlines(filename)):
                yield Code(filename)

    def assignment(self, step: Step, name: str, called: str | None = None) -> tuple[Code, Assignment] | None:
        """The latest `name = ...` that `step` can see; `None` if its value is not a call of `called`."""
        comes, local = step.binds(name)
        for code in [] if comes else [step.code] if local else self.all_code(name):
            found = [
                node
                for node in ast.walk(code.tree)
                if isinstance(node, Assignment)
                and node.value is not None
                and any(isinstance(target, ast.Name) and target.id == name for target in targets_of(node))
                and step.is_in_scope(code, node, local)
            ]
            if found:
                before = [node for node in found if code is not step.code or node.lineno <= step.line]
                latest = max(before or found, key=lambda node: node.lineno)
                is_it = called is None or (latest.value is not None and step.calls(latest.value, called))
                return (code, latest) if is_it else None
        return None


def targets_of(node: Assignment) -> list[ast.expr]:
    """What an assignment binds."""
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def _returned_by(function: FunctionType) -> Iterator[Leak]:
    """What a plain function returns of the calls in it."""
    code = Code(function.__code__.co_filename)
    for node in ast.walk(code.tree):
        body = node.value if isinstance(node, ast.Return) else None
        if isinstance(body, ast.Call) and isinstance(scope := code.scope(node), ast.FunctionDef):
            first = min([scope.lineno, *(one.lineno for one in scope.decorator_list)])
            if function.__code__.co_firstlineno in (first, scope.lineno):
                yield Leak(last_name(body), code.filename, body.lineno)


def is_coroutine(value: object) -> bool:
    """Whether it is what an `async def` function returns."""
    return type(value) in (CoroutineType, DeferredCoroutine)


def ran_in_thread(trace: TracebackType | None) -> bool:
    """Whether the error comes from a thread other than that of cells."""
    return any(
        (frame.f_globals.get("__name__"), frame.f_code.co_name)
        in (("concurrent.futures.thread", "run"), ("threading", "run"), ("threading", "_bootstrap_inner"))
        for frame, _ in walk_tb(trace)
    )

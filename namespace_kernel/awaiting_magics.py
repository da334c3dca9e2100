"""`%time`, `%timeit`, `%prun` and `%%capture` over code that awaits, and magics that are `async def`.

IPython's versions call `eval` in a plain function, where `await` is a syntax error. A cell's magic calls
are Python by the time the cell is routed, so those that await are rewritten to awaited calls of the
versions here; the cell then compiles to a coroutine and goes where awaiting cells go.
"""

from __future__ import annotations

import ast
import cProfile
import inspect
import io
import pstats
import sys
import time
from collections.abc import Callable
from pathlib import Path
from timeit import default_timer
from types import CodeType
from typing import Any

from IPython.core import page
from IPython.core.displayhook import DisplayHook
from IPython.core.magics.execution import TimeitResult, TimeitTemplateFiller, _format_time
from IPython.utils.capture import capture_output
from IPython.utils.timing import clock2

from .routing.analysis import awaits, top_level

_CALLS = {"run_line_magic": 2, "run_cell_magic": 3}
#: Options of IPython's own magics, in the notation of `Magics.parse_options`.
_OPTIONS = {"time": "", "timeit": "n:r:tcp:qov:", "prun": "D:l:rs:T:q", "capture": ""}
_MARK = "get_ipython().run_"
_TEMPLATE = """def inner(_it, _timer):
    setup
    _t0 = _timer()
    for _i in _it:
        stmt
    _t1 = _timer()
    return _t1 - _t0
"""


def await_magics(source: str, shell: Any) -> str:
    """Return `source` with its awaiting magic calls rewritten; line numbers stay."""
    if _MARK not in source:
        return source
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source
    lines = source.encode().splitlines(keepends=True)
    calls = [node for node in top_level(tree) if isinstance(node, ast.Call)]
    for node in sorted(calls, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        replacement = _awaited(node, shell)
        if replacement is not None and node.lineno == node.end_lineno:
            line = lines[node.lineno - 1]
            lines[node.lineno - 1] = (
                line[: node.col_offset] + replacement.encode() + line[node.end_col_offset :]
            )
    return b"".join(lines).decode()


def _awaited(node: ast.Call, shell: Any) -> str | None:
    """What to write in place of a magic call, or `None` if it is not one, or does not await."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in _CALLS:
        return None
    if ast.unparse(node.func.value) != "get_ipython()" or len(node.args) != _CALLS[node.func.attr]:
        return None
    if not all(isinstance(arg, ast.Constant) and isinstance(arg.value, str) for arg in node.args):
        return None
    name, *args = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
    kind = "line" if node.func.attr == "run_line_magic" else "cell"
    if inspect.iscoroutinefunction(shell.find_magic(name, kind)):
        return f"(await {ast.unparse(node)})"
    if name in _OPTIONS and awaits(shell.transform_cell(_body(shell, name, args))):
        return f"(await get_ipython().awaiting_magics.{name}({', '.join(map(repr, args))}))"
    return None


def _body(shell: Any, name: str, args: list[Any]) -> str:
    """The code that a magic of `_OPTIONS` runs."""
    if name == "capture":
        return str(args[1])
    code = shell.awaiting_magics.options(name, args[0])[1]
    return code if len(args) == 1 else f"{code}\n{args[1]}"


class AwaitingMagics:
    """The awaiting versions. Options and what is printed are IPython's.

    Thread: the one whose loop runs the cell.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def options(self, name: str, line: str) -> tuple[Any, str]:
        """Split a magic's line into its options and the code."""
        magics = self._shell.magics_manager.registry["ExecutionMagics"]
        options, code = magics.parse_options(
            line, _OPTIONS[name], posix=False, strict=False, preserve_non_opts=True
        )
        return options, code

    async def time(self, line: str, cell: str | None = None) -> Any:
        """`%time` and `%%time`."""
        run = self._compile(line if cell is None else cell, "<timed>")
        wall, cpu = time.time(), clock2()
        try:
            return await run()
        finally:
            wall = time.time() - wall
            user, system = (after - before for after, before in zip(clock2(), cpu, strict=True))
            each = f"user {_format_time(user)}, sys: {_format_time(system)}, "
            print(f"CPU times: {'' if sys.platform == 'win32' else each}total: {_format_time(user + system)}")
            print(f"Wall time: {_format_time(wall)}")

    async def timeit(self, line: str, cell: str | None = None) -> TimeitResult | None:
        """`%timeit` and `%%timeit`. The loop around the statement is awaited, not each statement."""
        options, code = self.options("timeit", line)
        setup, statement = ("pass", code) if cell is None else (code, cell)
        inner = self._timed_function(setup, statement)
        number, repeat = int(options.get("n", 0)), int(options.get("r", 7))
        timer = time.time if "t" in options else default_timer

        async def run(number: int) -> float:
            seconds: float = await inner(range(number), timer)
            return seconds

        if number == 0:  # so many that a run takes between 0.2 and 2 seconds
            number = 1
            while await run(number) < 0.2 and number < 10**9:
                number *= 10
        runs = [await run(number) for _ in range(repeat)]
        best, worst = min(runs) / number, max(runs) / number
        result = TimeitResult(number, repeat, best, worst, runs, 0.0, int(options.get("p", 3)))
        if "q" not in options:
            print(result)
        if "v" in options:
            self._shell.user_ns[options.v] = result
        return result if "o" in options else None

    async def prun(self, line: str, cell: str | None = None) -> pstats.Stats | None:
        """`%prun` and `%%prun`. What other tasks do meanwhile on the same thread is in the profile, too."""
        magics = self._shell.magics_manager.registry["ExecutionMagics"]
        options, code = magics.parse_options(line, _OPTIONS["prun"], list_all=True, posix=False)
        run = self._compile(code if cell is None else f"{code}\n{cell}", "<profiled>")
        profile = cProfile.Profile()
        profile.enable()
        try:
            await run()
        finally:
            profile.disable()
        text = io.StringIO()
        stats = pstats.Stats(profile, stream=text).strip_dirs().sort_stats(*options.get("s", ["time"]))
        stats.print_stats(*map(_limit, options.get("l", [])))
        if "q" not in options:
            page.page(text.getvalue().rstrip())
        if "D" in options:
            profile.dump_stats(options.D[0])
        if "T" in options:
            Path(options.T[0]).write_text(text.getvalue(), encoding="utf-8")
        return stats if "r" in options else None

    async def capture(self, line: str, cell: str) -> None:
        """`%%capture`."""
        shell = self._shell
        parser = shell.find_cell_magic("capture").parser
        args = parser.parse_argstring(line)
        with capture_output(not args.no_stdout, not args.no_stderr, not args.no_display) as captured:
            source = shell.transform_cell(cell)
            await shell.run_cell_async(cell, store_history=False, transformed_cell=source)
        if args.output and not DisplayHook.semicolon_at_end_of_expression(cell):
            shell.user_ns[args.output] = captured

    def _compile(self, code: str, filename: str) -> Callable[[], Any]:
        """A coroutine function that runs `code` in the namespace and returns its last expression's value."""
        tree = self._parse(code)
        last: Any = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        statements = self._code(tree, filename, "exec")
        expression = self._code(ast.Expression(last.value), filename, "eval") if last else None

        async def run() -> Any:
            value = None
            for part in (statements, expression):
                if part is not None:
                    value = eval(part, self._shell.user_ns)
                    if part.co_flags & inspect.CO_COROUTINE:
                        value = await value
            return value

        return run

    def _timed_function(self, setup: str, statement: str) -> Callable[..., Any]:
        filler = TimeitTemplateFiller(self._parse(setup), self._parse(statement))
        template: ast.Module = filler.visit(ast.parse(_TEMPLATE))
        inner: Any = template.body[0]
        template.body[0] = ast.AsyncFunctionDef(**{name: value for name, value in ast.iter_fields(inner)})
        names: dict[str, Any] = {}
        code = self._code(ast.fix_missing_locations(template), "<magic-timeit>", "exec")
        exec(code, self._shell.user_ns, names)
        function: Callable[..., Any] = names["inner"]
        return function

    def _parse(self, code: str) -> ast.Module:
        shell = self._shell
        tree: ast.Module = shell.transform_ast(shell.compile.ast_parse(shell.transform_cell(code)))
        return tree

    def _code(self, tree: ast.AST, filename: str, mode: str) -> CodeType:
        compiler = self._shell.compile
        with compiler.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT):
            code: CodeType = compiler(ast.fix_missing_locations(tree), filename, mode)
        return code


def _limit(text: str) -> int | float | str:
    """A limit of `pstats.Stats.print_stats`: a count, a fraction, or a pattern."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text

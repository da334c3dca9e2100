"""`%time`, `%timeit`, `%prun` and `%%capture` over code that awaits, and magics that are `async def`.

IPython's versions call `eval` in a plain function, where `await` is a syntax error. A cell's magic calls
are Python by the time the cell is routed, so those that await are rewritten to awaited calls of the
versions here; the cell then compiles to a coroutine and goes where awaiting cells go.
"""

from __future__ import annotations

import ast
import inspect
import io
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from timeit import default_timer
from types import CodeType
from typing import TYPE_CHECKING, Any

from IPython.core.displayhook import DisplayHook
from IPython.core.error import UsageError
from IPython.core.magic import MagicAlias
from IPython.core.magic_arguments import parse_argstring
from IPython.utils.capture import capture_output
from IPython.utils.timing import clock2

from namespace_kernel.base.cell import Names, Namespace
from namespace_kernel.base.syntax import parse, tree_of
from namespace_kernel.routing.analysis import awaits

# Profilers and timers are imported by the magic that needs them, not by the start of every kernel.
if TYPE_CHECKING:
    import pstats

    from IPython.core.magics.execution import TimeitResult

_CALLS = {"run_line_magic": 2, "run_cell_magic": 3}
#: Options of IPython's own magics, in the notation of `Magics.parse_options`.
_OPTIONS = {"time": "--no-raise-error", "timeit": "n:r:tcp:qov:", "prun": "D:l:rs:T:q", "capture": ""}
#: The variables of the coroutine function that the magic is in, if it is in one.
Local = Names | None

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
    tree = tree_of(source)
    lines = source.encode().splitlines(keepends=True)
    calls = sorted(_calls(tree), key=lambda call: (call[0].lineno, call[0].col_offset), reverse=True)
    for node, in_function in calls:
        replacement = _awaited(node, in_function, shell)
        if replacement is not None and node.lineno == node.end_lineno:
            line = lines[node.lineno - 1]
            lines[node.lineno - 1] = (
                line[: node.col_offset] + replacement.encode() + line[node.end_col_offset :]
            )
    return b"".join(lines).decode()


def _calls(tree: ast.AST) -> Iterator[tuple[ast.Call, bool]]:
    """The calls where `await` is allowed, and whether they are in a coroutine function."""
    waiting = [(tree, False)]
    while waiting:
        node, in_function = waiting.pop()
        if isinstance(node, ast.Call):
            yield node, in_function
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            continue
        in_function = in_function or isinstance(node, ast.AsyncFunctionDef)
        waiting += [(child, in_function) for child in ast.iter_child_nodes(node)]


def _awaited(node: ast.Call, in_function: bool, shell: Any) -> str | None:
    """What to write in place of a magic call, or `None` if it is not one, or does not await."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in _CALLS:
        return None
    if ast.unparse(node.func.value) != "get_ipython()" or len(node.args) != _CALLS[node.func.attr]:
        return None
    if not all(isinstance(arg, ast.Constant) and isinstance(arg.value, str) for arg in node.args):
        return None
    name, *args = [str(arg.value) for arg in node.args if isinstance(arg, ast.Constant)]
    magic = shell.find_magic(name, "line" if node.func.attr == "run_line_magic" else "cell")
    if isinstance(magic, MagicAlias):
        name, args[0] = magic.magic_name, f"{magic.magic_params or ''} {args[0]}".lstrip()
    if inspect.iscoroutinefunction(magic):
        return f"(await {ast.unparse(node)})"
    if name in _OPTIONS and _body_awaits(shell, name, args):
        arguments = ", ".join([*map(repr, args), *(["local_ns=locals()"] if in_function else [])])
        return f"(await get_ipython().awaiting_magics.{name}({arguments}))"
    return None


def _body_awaits(shell: Any, name: str, args: list[str]) -> bool:
    """Whether the code that a magic of `_OPTIONS` runs awaits."""
    try:
        code = "" if name == "capture" else shell.awaiting_magics.options(name, args[0])[1]
        return awaits(shell.transform_cell("\n".join([code, *args[1:]]).lstrip("\n")))
    except Exception:  # wrong options, a failing transformer: IPython's own version will say so
        return False


class AwaitingMagics:
    """The awaiting versions. Options and what is printed are IPython's.

    Thread: the one whose loop runs the cell.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def options(self, name: str, line: str) -> tuple[Any, str]:
        """Split a magic's line into its options and the code, as IPython does."""
        if name == "time":
            options, words = parse_argstring(self._shell.find_line_magic("time"), line, partial=True)
            return options, " ".join(words)
        magics = self._shell.magics_manager.registry["ExecutionMagics"]
        special = {"list_all": True} if name == "prun" else {"strict": False, "preserve_non_opts": True}
        options, code = magics.parse_options(line, _OPTIONS[name], posix=False, **special)
        return options, code

    async def time(self, line: str, cell: str | None = None, local_ns: Local = None) -> object:
        """`%time` and `%%time`."""
        from IPython.core.magics.execution import _format_time

        options, code = self.options("time", line)
        if code and cell:
            raise UsageError("Can't use statement directly after '%%time'!")
        code = cell or code
        run = self._compile(code, "timed", local_ns)
        wall, cpu = time.time(), clock2()
        try:
            value = await run()
        except Exception:
            if not options.no_raise_error:
                raise
            value = None
        finally:
            wall = time.time() - wall
            user, system = (after - before for after, before in zip(clock2(), cpu, strict=True))
            each = f"user {_format_time(user)}, sys: {_format_time(system)}, "
            print(f"CPU times: {'' if sys.platform == 'win32' else each}total: {_format_time(user + system)}")
            print(f"Wall time: {_format_time(wall)}")
        return None if DisplayHook.semicolon_at_end_of_expression(code) else value

    async def timeit(self, line: str, cell: str | None = None, local_ns: Local = None) -> TimeitResult | None:
        """`%timeit` and `%%timeit`. The loop around the statement is awaited, not each statement."""
        from IPython.core.magics.execution import TimeitResult

        options, code = self.options("timeit", line)
        setup, statement = ("pass", code) if cell is None else (code, cell)
        inner = self._timed_function(setup, statement, local_ns)
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

    async def prun(self, line: str, cell: str | None = None, local_ns: Local = None) -> pstats.Stats | None:
        """`%prun` and `%%prun`. What other tasks do meanwhile on the same thread is in the profile, too."""
        import cProfile
        import pstats

        from IPython.core import page

        options, code = self.options("prun", line)
        run = self._compile(code if cell is None else f"{code}\n{cell}", "profiled", local_ns)
        profile = cProfile.Profile()
        note = ""
        profile.enable()
        try:
            await run()
        except SystemExit:
            note = "*** SystemExit exception caught in code being profiled."
        finally:
            profile.disable()
        text = io.StringIO()
        stats = pstats.Stats(profile, stream=text).strip_dirs().sort_stats(*options.get("s", ["time"]))
        stats.print_stats(*map(_limit, options.get("l", [])))
        if "q" not in options:
            page.page(text.getvalue().rstrip())
        print(note, end=" ")
        if "D" in options:
            profile.dump_stats(options.D[0])
            print(f"\n*** Profile stats marshalled to file {options.D[0]!r}.{note}")
        if "T" in options:
            Path(options.T[0]).write_text(text.getvalue().rstrip(), encoding="utf-8")
            print(f"\n*** Profile printout saved to text file {options.T[0]!r}.{note}")
        return stats if "r" in options else None

    async def capture(self, line: str, cell: str, local_ns: Local = None) -> None:
        """`%%capture`."""
        shell = self._shell
        parser = shell.find_cell_magic("capture").parser
        args = parser.parse_argstring(line)
        with capture_output(not args.no_stdout, not args.no_stderr, not args.no_display) as captured:
            source = shell.transform_cell(cell)
            await shell.run_cell_async(cell, store_history=False, transformed_cell=source)
        if DisplayHook.semicolon_at_end_of_expression(cell):
            shell.user_ns.pop(args.output, None)
        elif args.output:
            shell.user_ns[args.output] = captured

    def _compile(self, code: str, what: str, local_ns: Local) -> Callable[[], Awaitable[object]]:
        """A coroutine function that runs `code` in the namespace and returns its last expression's value."""
        tree = self._parse(code)
        last: Any = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        filename = f"<{what} {'exec' if tree.body else 'eval'}>"  # as IPython calls them
        statements = self._code(tree, filename, "exec") if tree.body else None
        expression = self._code(ast.Expression(last.value), filename, "eval") if last else None

        async def run() -> object:
            value: Any = None
            for part in (statements, expression):
                if part is not None:
                    value = eval(part, self._shell.user_ns, local_ns)
                    if part.co_flags & inspect.CO_COROUTINE:
                        value = await value
            return value

        return run

    def _timed_function(self, setup: str, statement: str, local_ns: Local) -> Callable[..., Awaitable[float]]:
        from IPython.core.magics.execution import TimeitTemplateFiller

        filler = TimeitTemplateFiller(self._parse(setup), self._parse(statement))
        template: ast.Module = filler.visit(parse(_TEMPLATE))
        inner: Any = template.body[0]
        template.body[0] = ast.AsyncFunctionDef(**{name: value for name, value in ast.iter_fields(inner)})
        names: Namespace = {}
        code = self._code(ast.fix_missing_locations(template), "<magic-timeit>", "exec")
        exec(code, {**self._shell.user_ns, **local_ns} if local_ns else self._shell.user_ns, names)
        function: Callable[..., Awaitable[float]] = names["inner"]
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

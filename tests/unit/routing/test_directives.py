"""`%%async`, `%%sync` and the cell tags of these names."""

from __future__ import annotations

import pytest

from namespace_kernel import Cell, Context
from namespace_kernel.base.errors import DirectiveError
from namespace_kernel.routing.directives import Asked, is_background, take_directive
from namespace_kernel.routing.router import Router

CONTEXTS = {"async": Context.ASYNC, "sync": Context.MAIN, "isolated": Context.ISOLATED}
CODE = {"sync code": "x = 1", "awaiting code": "await f()", "code with a task": "asyncio.create_task(f())"}


@pytest.mark.parametrize("name", CONTEXTS)
@pytest.mark.parametrize("code", CODE.values(), ids=CODE)
def test_a_directive_decides_whatever_the_code_needs(name: str, code: str) -> None:
    route = Router().route(Cell(f"%%{name}\n{code}", "cell"))
    assert (route.context, route.error) == (CONTEXTS[name], None)
    assert "directive" in route.reason


@pytest.mark.parametrize("name", CONTEXTS)
@pytest.mark.parametrize("code", CODE.values(), ids=CODE)
def test_so_does_a_tag(name: str, code: str) -> None:
    route = Router().route(Cell(code, "cell", tags=frozenset({name, "parameters"})))
    assert (route.context, route.source) == (CONTEXTS[name], code)


@pytest.mark.parametrize("tag", ["async", "sync"])
def test_a_directive_wins_over_a_tag(tag: str) -> None:
    for name, context in CONTEXTS.items():
        assert Router().route(Cell(f"%%{name}\nx", "cell", tags=frozenset({tag}))).context is context


@pytest.mark.parametrize("before", ["", "\n", "\n\n  \n"])
def test_lines_keep_their_numbers(before: str) -> None:
    cell = f"{before}%%async\n\nx = 1\ny = 2"
    source = Router().route(Cell(cell, "cell")).source
    assert source.splitlines()[cell.splitlines().index("x = 1") :] == ["x = 1", "y = 2"]
    compile(source, "cell", "exec")


def test_a_cell_magic_below_a_directive_is_still_one() -> None:
    asked = take_directive("%%sync\n%%time\nx = 1")
    assert asked.context is Context.MAIN
    assert asked.code.lstrip("\n") == "%%time\nx = 1"


@pytest.mark.parametrize("cell", ["%%async", "%%async\n", "%%sync  \n", "  %%sync\n"])
def test_a_directive_alone_is_an_empty_cell(cell: str) -> None:
    route = Router().route(Cell(cell, "cell"))
    assert route.error is None
    assert compile(route.source, "cell", "exec").co_names == ()


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_ends_a_directive(line_end: str) -> None:
    route = Router().route(Cell(f"%%async{line_end}x = 1{line_end}", "cell"))
    assert (route.context, route.error) == (Context.ASYNC, None)


@pytest.mark.parametrize(
    "cell",
    [
        "%%time\nx",
        "x = 1\n%%async",
        "# %%async\nx",
        "'%%async'",
        "%async\nx",
        "%% async\nx",
        "%%asyncio\nx",
        "%%ASYNC\nx",
        "",
        " \n",
    ],
)
def test_what_is_no_directive_is_left_as_it_is(cell: str) -> None:
    assert take_directive(cell) == Asked(None, cell)
    assert take_directive(cell, ["parameters", "hide-input"]) == Asked(None, cell)


WRONG = {
    "arguments": ("%%async now\nx", r"%%async.*takes no arguments.*now.*below"),
    "code on the line": ("%%sync x = 1", r"%%sync.*x = 1"),
    "the other one too": ("%%async\n%%sync\nx", r"%%async.*%%sync.*keep one"),
    "twice": ("%%async\n%%async\nx", r"%%async.*keep one"),
    "arguments of the second": ("%%async\n%%sync now\nx", r"%%sync"),
    "an unknown option": ("%%isolated --snd a\nx", r"%%isolated.*--snd.*--send names, --not names"),
    "a word that is no option": ("%%isolated a\nx", r"%%isolated.*'a'.*--send names"),
    "an option without its value": ("%%isolated --send\nx", r"--send.*needs a value: names"),
    "an option instead of a value": ("%%isolated --send --not a\nx", r"--send.*needs a value: names"),
    "what is no name": ("%%isolated --send a,b.c\nx", r"--send.*not 'b\.c'"),
    "an open quote": ("%%isolated --send 'a\nx", r"%%isolated --send 'a.*cannot be read"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_directive_is_an_error_that_says_what_to_do(wrong: str) -> None:
    cell, message = WRONG[wrong]
    with pytest.raises(DirectiveError, match=message):
        take_directive(cell)
    route = Router().route(Cell(cell, "cell"))
    assert isinstance(route.error, SyntaxError)
    assert (route.context, route.source) == (Context.MAIN, cell)


def test_two_tags_that_contradict_each_other_are_an_error_that_names_them() -> None:
    route = Router().route(Cell("x", "cell", tags=frozenset({"sync", "async"})))
    assert isinstance(route.error, DirectiveError)
    assert "'async' and 'sync'" in str(route.error)
    assert Router().route(Cell("%%sync\nx", "cell", tags=frozenset({"sync", "async"}))).error is None


def test_a_directive_is_taken_before_the_code_is_transformed() -> None:
    seen: list[str] = []

    def transform(code: str) -> str:
        seen.append(code)
        return "transformed = 1"

    route = Router(transform).route(Cell("%%async\n!ls", "cell"))
    assert route.source == "transformed = 1"
    assert seen == ["\n!ls"]


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("%%isolated", {}),
        ("%%isolated --send a,b", {"send": "a,b"}),
        ("%%isolated --send=a --not c,d", {"send": "a", "not": "c,d"}),
        ("%%isolated --send 'a, b' --send c", {"send": "a,b,c"}),
        ("%%isolated\t--not  x ", {"not": "x"}),
    ],
)
@pytest.mark.parametrize("above", ["", "%%background\n"])
def test_options_of_a_directive(above: str, line: str, options: dict[str, str]) -> None:
    cell = f"{above}{line}\nx = 1"
    route = Router().route(Cell(cell, "cell"))
    assert (route.context, route.error, route.options) == (Context.ISOLATED, None, options)
    assert is_background(cell) is bool(above)
    assert route.source.splitlines()[-1] == "x = 1"


def test_a_cell_with_a_wrong_directive_holds_up_the_next_one() -> None:
    assert not is_background("%%background\n%%isolated --nonsense\nx")
    assert not is_background("%%background now\nx")

"""The quick input transformers do what IPython's do."""

from __future__ import annotations

import random

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from namespace_kernel.transformers import QuickTransformers

CELLS = [
    "x = 1",
    "%time x",
    "  %time x",
    "a = %time x",
    "a = \\\n%time x",
    "!ls",
    "a = !ls",
    "a, b = !ls",
    "x?",
    "x?? ",
    "?x",
    "x.y?\n",
    "/f 1",
    ",f a b",
    ";f a b",
    "%%bash\nls",
    "if x:\n    %ls\n    !ls",
    "a % 3 != 4\nprint('%s?' % 3)",
    "'''\n%time\n!ls\nx?\n'''",
    "f(a\n% b)",
    ">>> x = 1\n>>> %time x",
    "In [1]: !ls",
    "x = 1\r\n%ls\r\n",
    "x = 1\r!ls",
    "x = (1 +\n  2)  # why?",
    "f'{x!r}' if a else b == !ls",
]

_PIECES = ["x", "=", " = ", "%", "!", "?", "\n", "\n", "  ", "/", ",", ";", "a.b", "(", ")", "'", '"""']
_PIECES += ["\\\n", "#", "ls", "%time", "\r", "\u2028", "\x0c", "if x:\n    ", "1", "==", "f'{x", "}", "\t"]


def result(manager: TransformerManager, cell: str) -> str:
    try:
        return str(manager.transform_cell(cell))
    except (IndentationError, SystemError):  # the tokenizer of Python 3.13 fails on some texts
        return "left to the compiler"
    except Exception as error:
        return repr(error)


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_becomes_what_ipython_makes_of_it(cell: str) -> None:
    assert result(QuickTransformers(), cell) == result(TransformerManager(), cell)


@pytest.mark.filterwarnings("ignore:`make_tokens_by_line`")
def test_random_text_becomes_what_ipython_makes_of_it() -> None:
    quick, standard, chance = QuickTransformers(), TransformerManager(), random.Random(7)
    for _ in range(5000):
        cell = "".join(chance.choice(_PIECES) for _ in range(chance.randrange(1, 12)))
        wanted = result(standard, cell)
        if wanted != "left to the compiler":
            assert result(quick, cell) == wanted, repr(cell)


def test_the_user_s_own_transformer_is_asked_about_plain_python_too() -> None:
    asked = []

    class Own:
        @classmethod
        def find(cls, tokens_by_line: object) -> None:
            asked.append(tokens_by_line)

    manager = QuickTransformers()
    manager.token_transformers.append(Own)  # type: ignore[arg-type]
    manager.transform_cell("x = 1")
    assert asked

"""Every code block of the README and of the documentation does what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.client import ROOT, Notebook
from tests.kernel.page_blocks import Block, Reader, blocks_of, broken_command, is_shown, missing_lines, pages

#: Of all Python blocks of all pages: more would be pages that nobody tries.
MOST_NOT_RUN = 12


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_each_block_of_the_page_does_what_it_promises(page: Path, fresh_notebook: Notebook) -> None:
    assert "\n".join(Reader(fresh_notebook).read(page.read_text())) == ""


def test_few_blocks_are_not_run() -> None:
    blocks = [
        block for page in pages() for block in blocks_of(page.read_text()) if block.language == "python"
    ]
    left = [block for block in blocks if "not run" in block.marks]
    assert len(blocks) > 60
    assert len(left) <= MOST_NOT_RUN, [block.code for block in left]


# The reader itself

PAGE = """
```python
x = 40 + 2
x               # {}
```

<!-- raises: {} -->
```python
1 / 0
```

```text
{}: division…
```

<!-- before
def given(): return 'value'
-->

```python
print(given())  # {}
```
"""


@pytest.mark.parametrize(
    ("filled", "complaints"),
    [
        (("42", "ZeroDivisionError", "ZeroDivisionError", "value"), 0),
        (("4…", "ZeroDivisionError", "…", "value"), 0),
        (("about 30", "ZeroDivisionError", "ZeroDivisionError", "and then it is used"), 0),
        (("43", "ZeroDivisionError", "ZeroDivisionError", "value"), 1),
        (("42", "ValueError", "ZeroDivisionError", "value"), 1),
        (("42", "ZeroDivisionError", "TypeError", "'other'"), 2),
    ],
)
def test_what_a_page_promises_is_compared(
    filled: tuple[str, ...], complaints: int, notebook: Notebook
) -> None:
    reader = Reader(notebook)
    assert len(reader.read(PAGE.format(*filled))) == complaints
    assert reader.ran == 3


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("```python\nnowhere\n```", "raises NameError"),
        ("```\nx\n```", "language"),
        ("```python\n'y'\n```\n```text\nx\n```", "['x'] is not in"),
        ("<!-- not run: -->\n```python\nx\n```", "nothing says why"),
        ("```sh\nmake nothing\n```", "no target nothing"),
        ("```sh\npython -m namespace_kernel instal\n```", "no command instal"),
        ("```sh\nno-such-program\n```", "no program no-such-program"),
        ("<!-- before\n1/0\n-->\n```python\n1\n```", "ZeroDivisionError"),
    ],
)
def test_what_is_wrong_is_found(page: str, complaint: str, notebook: Notebook) -> None:
    (found,) = Reader(notebook).read(page)
    assert complaint in found


def test_a_promise_is_not_kept_by_the_traceback_that_shows_it(notebook: Notebook) -> None:
    page = "<!-- raises: ZeroDivisionError -->\n```python\n1 / 0      # {}\n```"
    assert Reader(notebook).read(page.format("ZeroDivisionError")) == []
    (found,) = Reader(notebook).read(page.format("42"))
    assert "promises '42'" in found


def test_a_block_that_runs_for_ever_is_stopped(notebook: Notebook) -> None:
    assert Reader(notebook).read("<!-- stop -->\n```python\nimport time\ntime.sleep(600)\n```") == []


@pytest.mark.parametrize(
    ("last_line", "promise"),
    [
        ("x   # 42", "42"),
        ("x   # 'text'", "'text'"),
        ("x   # about 20", "about 20"),
        ("x   # `f()` was called", "`f()` was called"),
        ("x   # <deferred coroutine f>", "<deferred coroutine f>"),
        ("x   # while it trains", None),
        ("x   # True", "True"),
        ("x # 42", None),
        ("x", None),
    ],
)
def test_a_promise_is_a_value(last_line: str, promise: str | None) -> None:
    assert Block(1, "python", f"y = 1   # 1\n{last_line}\n").promise == promise


def test_shown_is_what_is_promised() -> None:
    assert is_shown("a … c", "xx a b\n c yy") and not is_shown("a … d", "a b c")
    assert (
        is_shown("about 20", "19")
        and is_shown("about 20", "after 31 ticks")
        and not is_shown("about 20", "2")
    )
    assert missing_lines("one\n\ntwo…\n", "zero\none\nthree") == ["two…"]
    assert broken_command("make test ARGS='x'   # why") is None
    assert broken_command("DEBUG=1 python -m namespace_kernel install --user") is None

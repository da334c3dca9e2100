"""The pages beside the code: each is reachable, each link leads somewhere, each decision has its number.

The lists of magics and options are those of the code. What they promise: `tests/kernel/test_pages_run.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from namespace_kernel.ipython.magics.activity import ActivityMagics
from namespace_kernel.ipython.magics.cells import NamespaceMagics
from namespace_kernel.ipython.magics.durable import DurableMagics
from namespace_kernel.ipython.magics.output import OutputMagic
from namespace_kernel.ipython.magics.variables import NamespaceTableMagic
from namespace_kernel.kernel.options import KernelOptions
from namespace_kernel.routing.directives import BACKGROUND, DIRECTIVES, OPTIONS

TOP = Path(__file__).parent.parent
DOCS = TOP / "docs"
DECISIONS = DOCS / "decisions"
CONFIGURATION = DOCS / "mkdocs" / "mkdocs.yml"

#: Outside of `docs`, whose links MkDocs checks when it builds.
TOP_PAGES = sorted(TOP.glob("*.md"))


def local_links(text: str) -> Iterator[str]:
    """Targets of Markdown links that are files of ours, without the anchor."""
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target and not target.startswith("#"):
            yield target.partition("#")[0]


def broken_links(page: Path, text: str) -> list[str]:
    return [target for target in local_links(text) if not (page.parent / target).exists()]


def repeated_numbers(names: list[str]) -> list[str]:
    numbers = [name.partition("-")[0] for name in names]
    return sorted({number for number in numbers if numbers.count(number) > 1})


def decisions() -> list[str]:
    return sorted(page.name for page in DECISIONS.glob("*.md") if page.name != "index.md")


@pytest.mark.parametrize("page", TOP_PAGES, ids=lambda page: page.name)
def test_each_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page, page.read_text()) == []


def test_each_decision_has_a_number_of_its_own() -> None:
    assert repeated_numbers(decisions()) == []


def test_the_index_lists_each_decision_once() -> None:
    assert sorted(local_links((DECISIONS / "index.md").read_text())) == decisions()


def test_each_page_is_in_the_navigation() -> None:
    navigation = CONFIGURATION.read_text().partition("\nnav:")[2]
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {
        f"decisions/{one}" for one in decisions()
    }
    assert sorted(re.findall(r": ([\w/]+\.md)$", navigation, re.MULTILINE)) == sorted(pages)


def test_the_site_needs_no_network() -> None:
    """Colours, fonts and search come with it. `.ci/run` looks at the pages when they are built."""
    text = CONFIGURATION.read_text()
    assert "\n  font: false\n" in text and "polyfills: [javascripts/iframe-worker.js]" in text
    assert (DOCS / "javascripts" / "iframe-worker.js").exists()


# Magics and options

MAGICS = (DOCS / "magics.md").read_text()


def names_of_magics() -> set[str]:
    """Each magic and directive of the kernel's own, as it is written."""
    found = {f"%%{one}" for one in (*DIRECTIVES, BACKGROUND)}
    for holder in (NamespaceMagics, NamespaceTableMagic, ActivityMagics, OutputMagic, DurableMagics):
        # Those of cells are help for the directives.
        found |= {f"%{name}" for name in holder.magics["line"]}
        found |= {f"%%{name}" for name in holder.magics["cell"]}
    return found


def listed_in(page: str) -> set[str]:
    """The magics in the first columns of the page's tables."""
    rows = re.findall(r"^\| (`%[^|]*)\|", page, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(%%?\w+)", row)}


def test_the_page_of_magics_lists_each_and_no_other() -> None:
    assert listed_in(MAGICS) == names_of_magics()


@pytest.mark.parametrize("directive", sorted(OPTIONS))
def test_the_page_of_magics_lists_each_option_of_a_directive(directive: str) -> None:
    rows = re.findall(r"^\| `--([\w]+)[^|]*\|([^|]*)\|", MAGICS, re.MULTILINE)
    assert {option for option, owners in rows if f"`%%{directive}`" in owners} == set(OPTIONS[directive])


def test_the_page_of_options_lists_each_with_its_default() -> None:
    rows = re.findall(
        r"^\| `NamespaceKernel\.(\w+)` \| ([^|]*) \|", (DOCS / "configuration.md").read_text(), re.MULTILINE
    )
    options = KernelOptions.class_own_traits(config=True)
    assert {name for name, _ in rows} == set(options)
    # That of the number of processes depends on the machine.
    told = {name: default.strip("`").replace('"', "'") for name, default in rows if default.startswith("`")}
    assert told == {name: repr(options[name].default_value) for name in told}
    assert options.keys() - told.keys() == {"isolated_processes"}


def test_what_is_missing_on_the_page_of_magics_would_be_found() -> None:
    page = "| `%ps`, `%ps -v` | lists |\n| `%%async` | runs |\nand `%other`\n"
    assert listed_in(page) == {"%ps", "%%async"}
    assert {"%ps", "%namespace", "%%dask", "%%background"} <= names_of_magics()


def test_what_is_broken_would_be_found() -> None:
    text = "[a](pyproject.toml#x) [b](nowhere.md) [c](https://example.org) ![d](docs/none.png) [e](#e)"
    assert broken_links(TOP / "README.md", text) == ["nowhere.md", "docs/none.png"]
    assert repeated_numbers(["001-a.md", "002-b.md", "002-c.md", "003-d.md"]) == ["002"]

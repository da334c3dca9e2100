"""The pages beside the code: each is reachable, each link leads somewhere, each decision has its number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
DOCS = TOP / "docs"
DECISIONS = DOCS / "decisions"

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
    navigation = (DOCS / "mkdocs" / "mkdocs.yml").read_text().partition("\nnav:")[2]
    pages = {page.name for page in DOCS.glob("*.md")} | {"decisions/index.md"}
    assert set(re.findall(r": ([\w/]+\.md)$", navigation, re.MULTILINE)) == pages


def test_what_is_broken_would_be_found() -> None:
    text = "[a](pyproject.toml#x) [b](nowhere.md) [c](https://example.org) ![d](docs/none.png) [e](#e)"
    assert broken_links(TOP / "README.md", text) == ["nowhere.md", "docs/none.png"]
    assert repeated_numbers(["001-a.md", "002-b.md", "002-c.md", "003-d.md"]) == ["002"]

"""Where the kernel's own log goes, and how it looks: as traitlets' applications have it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from ipykernel.kernelapp import IPKernelApp

from namespace_kernel.app import NamespaceKernelApp

APPS = [NamespaceKernelApp, IPKernelApp]


@pytest.fixture(autouse=True)
def no_handlers_are_left() -> Iterator[None]:
    yield
    for app in APPS:
        logging.getLogger(app.__name__).handlers = []


def written(app_class: type[IPKernelApp], capsys: pytest.CaptureFixture[str], **options: Any) -> str:
    """What two messages look like, and one that comes when the level has been raised."""
    app = app_class(**options)
    app.log.info("in %s", "formation")
    app.log.warning("a warning")
    app.log_level = logging.ERROR
    app.log.warning("another")
    return capsys.readouterr().err.replace(app_class.__name__, "App")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"log_level": "INFO"},
        {"log_level": logging.INFO, "log_format": "%(levelname)s: %(message)s"},
        {"log_format": "%(asctime)s %(message)s", "log_datefmt": "no time"},
        {"logging_config": {"formatters": {"console": {"format": "mine: %(message)s"}}}},
    ],
    ids=str,
)
def test_it_is_as_in_any_application_of_traitlets(
    options: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = [written(app, capsys, **options) for app in APPS]
    assert ours == theirs
    assert "a warning" in ours and "another" not in ours


def test_an_application_that_is_made_again_writes_once(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        app = NamespaceKernelApp()
        app.log.warning("once")
    assert capsys.readouterr().err.count("once") == 2

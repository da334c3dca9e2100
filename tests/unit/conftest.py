"""A namespace and a bridge without a kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from namespace_kernel import AsyncNamespaceManager, ExecutionContextBridge
from tests.unit.fakes import LoopUnderTest, user_loop_running


@pytest.fixture
def manager() -> AsyncNamespaceManager:
    return AsyncNamespaceManager()


@pytest.fixture
def bridge(manager: AsyncNamespaceManager) -> ExecutionContextBridge:
    return ExecutionContextBridge(manager)


@pytest.fixture
def home() -> Iterator[LoopUnderTest]:
    """A user loop on its home thread."""
    with user_loop_running() as one:
        yield one

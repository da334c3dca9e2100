"""asyncio's policies, which are deprecated since Python 3.14: here nobody is told."""

from __future__ import annotations

import asyncio
import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    DefaultEventLoopPolicy = asyncio.DefaultEventLoopPolicy

#: For modules whose tests set policies.
may_set_policies = pytest.mark.filterwarnings("ignore:'asyncio.*policy' is deprecated:DeprecationWarning")

"""Jupyter's own test suite for kernels, with every capability switched on."""

from __future__ import annotations

from typing import ClassVar

import jupyter_kernel_test as suite
import pytest

from tests.kernel.client import KERNEL_NAME

pytestmark = pytest.mark.usefixtures("jupyter_environment")


class TestKernel(suite.KernelTests):
    kernel_name = KERNEL_NAME
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('error', file=sys.stderr)"
    completion_samples: ClassVar = [
        {"text": "zi", "matches": {"zip"}},
        {"text": "await zi", "matches": {"zip"}},
        {"text": "import asyncio; asyncio.get_running_l", "matches": {"get_running_loop"}},
    ]
    complete_code_samples: ClassVar = [
        "1",
        "print('hello')",
        "def f(x):\n  return x\n\n",
        "await f()",
        "%time 1",
    ]
    incomplete_code_samples: ClassVar = ["def f(x):", "print('hello'", "async with f() as x:", '"""']
    invalid_code_samples: ClassVar = ["import = 7q", "x = = 1"]
    code_page_something = "zip?"
    code_generate_error = "raise ValueError('wanted')"
    code_execute_result: ClassVar = [
        {"code": "1+2+3", "result": "6"},
        {"code": "[n * n for n in range(1, 4)]", "result": "[1, 4, 9]"},
        {"code": "import asyncio; await asyncio.sleep(0, 'awaited')", "result": "'awaited'"},
    ]
    code_display_data: ClassVar = [
        {
            "code": "from IPython.display import HTML, display; display(HTML('<b>test</b>'))",
            "mime": "text/html",
        },
        {"code": "from IPython.display import Math, display; display(Math('x'))", "mime": "text/latex"},
        {"code": "import asyncio; await asyncio.sleep(0); display('text')", "mime": "text/plain"},
    ]
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"


class TestAwaitingKernel(TestKernel):
    """The same, where the cells await."""

    code_hello_world = "import asyncio; await asyncio.sleep(0); print('hello, world')"
    code_stderr = "import asyncio, sys; await asyncio.sleep(0); print('error', file=sys.stderr)"
    code_page_something = "import asyncio; await asyncio.sleep(0)\nzip?"
    code_generate_error = "import asyncio; await asyncio.sleep(0); raise ValueError('wanted')"
    code_clear_output = (
        "import asyncio; from IPython.display import clear_output; await asyncio.sleep(0); clear_output()"
    )


class TestIopubWelcome(suite.IopubWelcomeTests):
    kernel_name = KERNEL_NAME
    support_iopub_welcome = True

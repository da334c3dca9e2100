"""`breakpoint()` asks at the input prompt, unless a debugger is attached."""

from __future__ import annotations

import os
import sys
from typing import Any


def install_breakpoint_hook() -> None:
    """Let `breakpoint()` start IPython's pdb.

    Importing debugpy, which ipykernel does, has replaced the hook by one that does nothing while no
    client is attached. `PYTHONBREAKPOINT` is obeyed (PEP 553).
    """
    attached_hook = sys.breakpointhook

    def breakpoint_hook(*args: Any, **kwargs: Any) -> Any:
        if "PYTHONBREAKPOINT" in os.environ:
            return sys.__breakpointhook__(*args, **kwargs)
        debugpy = sys.modules.get("debugpy")
        if debugpy is not None and debugpy.is_client_connected():
            return attached_hook(*args, **kwargs)
        from IPython.core.debugger import set_trace

        return set_trace(sys._getframe(1))

    sys.breakpointhook = breakpoint_hook

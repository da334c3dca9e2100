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

    def breakpoint_hook(*args: Any, **kwargs: Any) -> Any:
        if "PYTHONBREAKPOINT" in os.environ:
            return sys.__breakpointhook__(*args, **kwargs)
        debugpy = sys.modules.get("debugpy")
        if debugpy is not None and debugpy.is_client_connected():
            # As debugpy's own hook, which would stop in this frame instead of the caller's.
            import pydevd  # type: ignore[import-not-found]

            return pydevd.settrace(
                suspend=True,
                trace_only_current_thread=True,
                patch_multiprocessing=False,
                stop_at_frame=sys._getframe(1),
            )
        from IPython.core.debugger import set_trace

        return set_trace(sys._getframe(1))

    sys.breakpointhook = breakpoint_hook

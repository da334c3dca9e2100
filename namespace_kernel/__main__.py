"""`python -m namespace_kernel`: `install`, `remove`, or start a kernel."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Dispatch the command line."""
    if sys.argv[1:2] in (["install"], ["remove"]):
        from .install import main as install

        sys.exit(install(sys.argv[1:]))
    # Nearly all that a start makes, modules and their functions, stays: looking for garbage among it takes a
    # tenth of the time. The app turns the collector on, before it runs anything of the user's.
    gc.disable()
    from .lent_modules import import_packages

    import_packages()
    from .app import launch_new_instance

    launch_new_instance()


if __name__ == "__main__":
    main()

"""`python -m namespace_kernel`: `install`, `remove`, or start a kernel."""

from __future__ import annotations

import sys


def main() -> None:
    """Dispatch the command line."""
    if sys.argv[1:2] in (["install"], ["remove"]):
        from .install import main as install

        sys.exit(install(sys.argv[1:]))
    from .app import launch_new_instance

    launch_new_instance()


if __name__ == "__main__":
    main()

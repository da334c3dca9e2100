"""`python -m namespace_kernel`: `install`, `remove`, or start a kernel."""

# Only what the interpreter has loaded already: see `leave_folder_out`.
import gc
import os
import sys


def leave_folder_out() -> None:
    """Take the working directory off `sys.path`, where `python -m` puts it before the standard library.

    It is the notebook's folder, and its files are the user's: a `queue.py` must neither run nor hide the
    module of that name. The app puts the folder back, behind the standard library. With `-P`, which our
    kernelspec has, Python itself leaves it out, before it looks for this package.

    Thread: main, before all else.
    """
    try:
        folder = os.getcwd()
    except OSError:  # it is gone, and Python has not added it
        return
    if not sys.flags.safe_path and sys.path[0] in ("", folder):
        del sys.path[0]


def main() -> None:
    """Dispatch the command line."""
    leave_folder_out()
    if sys.argv[1:2] in (["install"], ["remove"]):
        from namespace_kernel.install import main as install

        sys.exit(install(sys.argv[1:]))
    # Nearly all that a start makes, modules and their functions, stays: looking for garbage among it takes a
    # tenth of the time. The app turns the collector on, before it runs anything of the user's.
    gc.disable()
    from namespace_kernel.kernel.lent_modules import import_packages

    import_packages()
    from namespace_kernel.app import launch_new_instance

    launch_new_instance()


if __name__ == "__main__":
    main()

"""`namespace-kernel`, or `python -m namespace_kernel`: a command, or the start of a kernel."""

# Only what the interpreter has loaded already: see `leave_folder_out`.
import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

COMMANDS = {
    "install": "put the kernelspec where Jupyter finds it",
    "remove": "take it away",
    "doctor": "check the installation, and say what to mend",
}

#: So many threads has a kernel whose first cells have run, and so large a stack where the system sets none.
_THREADS, _STACK = 30, 2 * 2**20
#: Bytes of address space beside their stacks.
_ADDRESS_SPACE = 160 * 10**6
#: Descriptors that a kernel has, beside those that it was started with, when it answers to its first cell.
_FILES = 70
#: `M_ARENA_MAX` of `<malloc.h>`.
_ARENA_MAX = -8


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


def open_standard_streams() -> None:
    """Let descriptors 0 to 2 lead nowhere where the parent has closed them.

    Otherwise a socket of the kernel's gets such a number, and whatever writes to its output writes into that.

    Thread: main, before all else.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None and sys.platform != "win32":
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, number)
            if nowhere != number:
                os.close(nowhere)
            os.set_inheritable(number, True)
            stream = open(number, "w" if number else "r", closefd=False)  # noqa: SIM115, for good
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def leave_missing_folder() -> None:
    """Go home where the working directory is gone: IPython's application would end."""
    try:
        os.getcwd()
    except OSError:
        home = os.path.expanduser("~")
        folder = home if os.path.isdir(home) else os.sep
        os.chdir(folder)
        print(f"namespace_kernel: the working directory is gone, so cells begin in {folder}", file=sys.stderr)


def main() -> None:
    """Dispatch the command line."""
    open_standard_streams()
    leave_folder_out()
    words = sys.argv[1:]
    if words in (["--help"], ["-h"]):
        print(help_text())
        return
    if words == ["--version"]:
        from namespace_kernel import __version__

        print(__version__)
        return
    if words and words[0] in COMMANDS:
        sys.exit(run(words))
    if words and not words[0].startswith("-"):
        sys.exit(unknown(words[0]))
    leave_missing_folder()
    check_address_space()
    check_open_files()
    # Nearly all that a start makes, modules and their functions, stays: looking for garbage among it takes a
    # tenth of the time. The app turns the collector on, before it runs anything of the user's.
    gc.disable()
    # Since Python 3.15 all imports may be lazy (PEP 810). What is put in the place of a function in a start
    # needs that function at once.
    set_lazy_imports = getattr(sys, "set_lazy_imports", lambda mode: None)
    mode = getattr(sys, "get_lazy_imports", str)()
    set_lazy_imports("normal")
    try:
        from namespace_kernel.kernel.lent_modules import import_packages

        import_packages()
        from namespace_kernel.app import NamespaceKernelApp

        app = NamespaceKernelApp.begin_instance()
    except BaseException as error:
        if not (file := shadowing(error)):
            raise
        end_at_start(
            f"{type(error).__name__}: {error}; {file} stands in the place of the module of that name, "
            "which the kernel needs, so rename it, or take its folder off PYTHONPATH"
        )
    set_lazy_imports(mode)
    app.serve()


def check_address_space() -> None:
    """End where the limit of the address space leaves too little for a start.

    A thread that finds no memory for its first step never says that it has begun, and who started it waits
    for ever. ZeroMQ aborts. So it is asked beforehand. And where there is a limit, C's allocator may not
    reserve 64 MB for each thread.
    """
    if sys.platform == "win32":
        return
    import resource

    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        return
    import contextlib
    import ctypes
    import mmap

    stack = resource.getrlimit(resource.RLIMIT_STACK)[0]
    needed = _ADDRESS_SPACE + _THREADS * (_STACK if stack == resource.RLIM_INFINITY else stack)
    try:
        mmap.mmap(-1, needed).close()
    except (OSError, MemoryError):
        end_at_start(
            f"out of memory; with its threads' stacks a kernel needs {needed // 10**6} MB of address space, "
            "so raise the limit (`ulimit -v`)"
        )
    with contextlib.suppress(AttributeError):  # it is glibc that does so
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 2)


def check_open_files() -> None:
    """End where fewer files may be opened than a kernel has open that answers.

    ZeroMQ, the loops and the threads need them one after the other: whichever finds none fails in its own
    way, and some only wait. So it is asked beforehand.
    """
    taken: list[int] = []
    try:
        taken += (os.dup(2) for _ in range(_FILES))
    except OSError as error:
        end_at_start(f"{error.strerror}; a kernel needs about a hundred, so raise the limit (`ulimit -n`)")
    finally:
        for number in taken:
            os.close(number)


def end_at_start(why: str) -> "NoReturn":
    """Say in one line why there is no kernel, and end, though threads of it may run."""
    outside = getattr(sys.stderr, "descriptor_outside", None)
    try:
        os.write(2 if outside is None else outside, f"namespace_kernel cannot start: {why}\n".encode())
    finally:
        os._exit(1)


def shadowing(error: BaseException) -> str:
    """The file because of which a start failed: it comes before the module of its name that is installed."""
    files = []
    if isinstance(error, Exception):  # it may lack a name; other exceptions come from code that runs
        files += [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    trace = error.__traceback__
    while trace is not None:
        files.append(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    library = os.path.dirname(os.__file__)
    first = sys.path[: sys.path.index(library)] if library in sys.path else []
    finder = sys.modules["_frozen_importlib_external"].PathFinder
    for file in reversed(files):
        folder, name = os.path.split(file or "")
        folder, name = os.path.split(folder) if name == "__init__.py" else (folder, name.partition(".")[0])
        if folder in first and finder.find_spec(name, [one for one in sys.path if one != folder]):
            return str(file)
    return ""


def run(words: list[str]) -> int:
    """Carry out the command that `words` begins with, and return the exit status."""
    if words[0] == "doctor":
        from namespace_kernel.doctor import main as doctor

        return doctor(words)
    from namespace_kernel.install import main as install

    return install(words)


def help_text() -> str:
    """What `--help` prints."""
    commands = "\n".join(f"  {name:<10}{text}" for name, text in COMMANDS.items())
    return f"""\
usage: namespace-kernel COMMAND [OPTIONS]
       namespace-kernel [-f CONNECTION_FILE] [OPTIONS]

A Jupyter kernel for Python in which await, asyncio.run() and blocking code all work.

commands:
{commands}

Each has a --help of its own. Without a command a kernel starts: Jupyter does that, with -f and a file.

options:
  --version   the version of this package
  --help-all  all options of the kernel, with their defaults
  --Class.option=value   set one of them

`python -m namespace_kernel` is the same command."""


def unknown(word: str) -> int:
    """Say that there is no such command, and which is the nearest. Returns the exit status."""
    from difflib import get_close_matches

    nearest = get_close_matches(word.lower(), COMMANDS, 1)
    meant = f"Did you mean `{nearest[0]}`?" if nearest else f"The commands are {', '.join(COMMANDS)}."
    print(
        f"namespace-kernel: there is no command {word!r}. {meant} See: namespace-kernel --help",
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    main()

"""`namespace-kernel`, or `python -m namespace_kernel`: a command, or the start of a kernel."""

# Only what the interpreter has loaded already: see `leave_folder_out`.
import gc
import os
import sys

COMMANDS = {
    "install": "put the kernelspec where Jupyter finds it",
    "remove": "take it away",
    "doctor": "check the installation, and say what to mend",
}


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
    # Nearly all that a start makes, modules and their functions, stays: looking for garbage among it takes a
    # tenth of the time. The app turns the collector on, before it runs anything of the user's.
    gc.disable()
    from namespace_kernel.kernel.lent_modules import import_packages

    import_packages()
    from namespace_kernel.app import launch_new_instance

    launch_new_instance()


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

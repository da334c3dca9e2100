"""Puts the kernelspec where Jupyter finds it, and takes it away again.

`pip install` does this already for the environment that it installs into. These two commands are for every
other place (the user's home, the whole system, another environment's Jupyter) and for a second kernelspec
with a name, a display name or environment variables of its own. The kernel uses the Python that ran the
command, so it works from any Jupyter.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.paths import SYSTEM_JUPYTER_PATH, jupyter_data_dir, jupyter_path

KERNEL_NAME = "namespace_kernel"

_PACKAGE = Path(__file__).resolve().parent

# Narrower than Jupyter's own pattern, which lets ".." pass: installing under that name would replace all of
# share/jupyter.
_VALID_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


class InstallError(Exception):
    """A command that cannot be carried out; the message is one line and ends with the remedy."""


@dataclass(frozen=True, slots=True)
class Location:
    """A directory of kernelspecs, and the option that chooses it.

    `prefix` and `user` are what `KernelSpecManager.install_kernel_spec` wants to hear for it; neither means
    the whole system.
    """

    kernels_dir: Path
    option: str
    prefix: str | None = None
    user: bool = False

    @property
    def remedy(self) -> str:
        """What to try when this place cannot be written."""
        others = [option for option in ("--user", "--sys-prefix") if option != self.option]
        return f"Choose another place with {' or '.join(others)}, or run it as the owner of this one."


def system_location() -> Location:
    """The place that every user's Jupyter reads."""
    return Location(Path(SYSTEM_JUPYTER_PATH[0], "kernels"), "no option")


def user_location() -> Location:
    """The place in the user's home; `JUPYTER_DATA_DIR` moves it."""
    return Location(Path(jupyter_data_dir(), "kernels"), "--user", user=True)


def prefix_location(prefix: str, option: str) -> Location:
    """The place inside an environment: a venv, a conda environment, `/usr`."""
    prefix = os.path.abspath(prefix)
    return Location(Path(prefix, "share", "jupyter", "kernels"), option, prefix=prefix)


def spec_source() -> Path:
    """Returns the directory that holds kernel.json and the logos.

    An installed wheel has it inside the package, a source checkout or an editable install beside it. The copy
    that pip puts in share/jupyter is not used: it may have been removed or edited.
    """
    places = (_PACKAGE / "resources", _PACKAGE.parent / "kernelspec")
    for place in places:
        if (place / "kernel.json").is_file():
            return place
    raise InstallError(
        f"The kernelspec's files are missing from {_PACKAGE}: install the package again with"
        f" {sys.executable} -m pip install --force-reinstall --no-deps {KERNEL_NAME}"
    )


def install_spec(
    location: Location,
    name: str = KERNEL_NAME,
    display_name: str | None = None,
    env: dict[str, str] | None = None,
) -> Path:
    """Installs the kernelspec and returns its directory; one of that name that is there already is replaced.

    Without `display_name` a spec of another name is shown by that name, so that two tiles in the launcher can
    be told apart. In the values of `env` Jupyter replaces `${VARIABLE}`.
    """
    _check_name(name)
    source = spec_source()
    spec: dict[str, Any] = json.loads((source / "kernel.json").read_text(encoding="utf-8"))
    spec["argv"][0] = sys.executable
    if display_name is not None or name != KERNEL_NAME:
        spec["display_name"] = display_name if display_name is not None else name
    if env:
        spec["env"] = env
    manager = KernelSpecManager(kernel_dirs=[str(location.kernels_dir)])
    try:
        with tempfile.TemporaryDirectory() as scratch:
            # A directory and files made here have ordinary modes, also where the package itself is read-only.
            staged = Path(scratch, "spec")
            staged.mkdir()
            for file in source.iterdir():
                shutil.copyfile(file, staged / file.name)
            (staged / "kernel.json").write_text(json.dumps(spec, indent=1) + "\n", encoding="utf-8")
            return Path(
                manager.install_kernel_spec(str(staged), name, user=location.user, prefix=location.prefix)
            )
    except OSError as error:
        raise _refused("write", location.kernels_dir / name.lower(), error, location) from error


def remove_spec(location: Location, name: str = KERNEL_NAME) -> Path:
    """Removes the kernelspec and returns the directory that is gone; another kernel's is left alone."""
    _check_name(name)
    manager = KernelSpecManager(kernel_dirs=[str(location.kernels_dir)], ensure_native_kernel=False)
    try:
        found = manager.find_kernel_specs().get(name.lower())
    except OSError as error:
        raise _refused("read", location.kernels_dir, error, location) from error
    if found is None:
        raise InstallError(f"No kernelspec {name!r} in {location.kernels_dir}. {_where_else(name)}")
    if not _starts_this_kernel(Path(found)):
        raise InstallError(
            f"{found} does not start {KERNEL_NAME}, so it stays. To remove it all the same:"
            f" jupyter kernelspec remove {name}"
        )
    try:
        return Path(manager.remove_kernel_spec(name.lower()))
    except OSError as error:
        raise _refused("remove", Path(found), error, location) from error


def main(argv: list[str] | None = None) -> int:
    """Runs `install …` or `remove …` and returns the exit status.

    `argv` starts with the command; None means the process's own arguments. 0 is success, 1 a command that
    could not be carried out, 2 one that was not understood; each failure is one line on stderr.
    """
    try:
        options = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse has printed the help or the error
        return stop.code if isinstance(stop.code, int) else 2
    try:
        location = _location(options)
        if options.command == "install":
            env = _environment(options.env)
            if options.display_name is not None and not options.display_name.strip():
                raise InstallError("The display name is empty. Give one, or leave --display-name out.")
            where = install_spec(location, options.name, options.display_name, env)
            print(f"Installed kernelspec {where.name} in {where}")
            if str(location.kernels_dir) not in jupyter_path("kernels"):
                print(f"A Jupyter outside {location.prefix} finds it with JUPYTER_PATH={where.parents[1]}")
        else:
            where = remove_spec(location, options.name)
            print(f"Removed {where}")
    except InstallError as error:
        print(f"{KERNEL_NAME} {options.command}: {error}", file=sys.stderr)
        return 1
    return 0


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. See: {sys.executable} -m {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=KERNEL_NAME, description="Install the kernelspec, or remove it.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{install,remove}")
    install = commands.add_parser("install", help="put the kernelspec where Jupyter finds it")
    remove = commands.add_parser("remove", help="take it away")
    for command in (install, remove):
        place = command.add_mutually_exclusive_group()
        place.add_argument("--user", action="store_true", help="in your home, for all your environments")
        place.add_argument("--sys-prefix", action="store_true", help="in this Python's environment")
        place.add_argument("--prefix", metavar="P", help="in the environment P (default: the whole system)")
        command.add_argument(
            "--name", default=KERNEL_NAME, metavar="N", help="the kernelspec's name, default: %(default)s"
        )
    install.add_argument("--display-name", metavar="D", help="the name that frontends show")
    install.add_argument(
        "--env",
        nargs=2,
        action="append",
        default=[],
        metavar=("K", "V"),
        help="set the environment variable K to V in the kernel; may be given several times",
    )
    return parser


def _location(options: argparse.Namespace) -> Location:
    if options.user:
        return user_location()
    if options.sys_prefix:
        return prefix_location(sys.prefix, "--sys-prefix")
    if options.prefix is None:
        return system_location()
    # A misspelt environment would otherwise be made, and nobody would look there.
    if not os.path.isdir(options.prefix):
        raise InstallError(f"No directory {options.prefix!r}. Create it, or name an environment that exists.")
    return prefix_location(options.prefix, f"--prefix {options.prefix}")


def _environment(pairs: list[list[str]]) -> dict[str, str]:
    for key, value in pairs:
        if not key or "=" in key or "\0" in key + value:
            raise InstallError(f"{key!r} cannot be an environment variable. Write: --env NAME VALUE")
    return {key: value for key, value in pairs}


def _check_name(name: str) -> None:
    if not _VALID_NAME.fullmatch(name):
        raise InstallError(
            f"{name!r} cannot be a kernelspec's name."
            " Use ASCII letters, digits and - . _ with a letter, a digit or _ first."
        )


def _starts_this_kernel(spec_dir: Path) -> bool:
    try:
        argv = json.loads((spec_dir / "kernel.json").read_text(encoding="utf-8"))["argv"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return isinstance(argv, list) and KERNEL_NAME in argv


def _where_else(name: str) -> str:
    """Says with which option a kernelspec that was not found can be removed."""
    # The directories are given because the manager's own default would import IPython.
    everywhere = KernelSpecManager(kernel_dirs=jupyter_path("kernels"), ensure_native_kernel=False)
    try:
        found = everywhere.find_kernel_specs().get(name.lower())
    except OSError:  # one of them cannot be read
        found = None
    if found is None:
        return "What is installed: jupyter kernelspec list"
    for location in (user_location(), prefix_location(sys.prefix, "--sys-prefix"), system_location()):
        if Path(found).parent == location.kernels_dir:
            return f"There is one in {location.kernels_dir}: remove that with {location.option}."
    return f"There is one in {found}: remove that with jupyter kernelspec remove {name}"


def _refused(verb: str, path: Path, error: OSError, location: Location) -> InstallError:
    # shutil collects several failures in one error that has no strerror; its text may span lines.
    reason = error.strerror or " ".join(str(error).split())
    return InstallError(f"Cannot {verb} {path}: {reason}. {location.remedy}")

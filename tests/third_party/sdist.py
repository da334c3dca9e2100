"""The source distribution of an installed package: downloaded once, its tests unpacked where they are run."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path


class DownloadError(Exception):
    """The source distribution is neither in the cache nor to be had."""


def cache_directory() -> Path:
    """Where downloads are kept, outside the repository."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "namespace_kernel" / "sdists"


def fetch(distribution: str) -> Path:
    """The archive of the version of `distribution` that is installed here."""
    release = version(distribution)
    cached = cache_directory() / f"{distribution}-{release}.tar.gz"
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as directory:
            _download(f"{distribution}=={release}", directory)
            # The rename makes it whole or absent, also when two runs download at once.
            os.replace(Path(directory) / cached.name, cached)
    return cached


def _download(requirement: str, directory: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", ":all:", "--dest", directory, requirement]
    # pip asks the project's build backend for its metadata. One that is installed spares another download.
    errors = ""
    for isolation in (["--no-build-isolation"], []):
        done = subprocess.run(command + isolation, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        errors = done.stderr.strip()
    raise DownloadError(f"cannot download the source distribution of {requirement}:\n{errors}")


def unpack_tests(archive: Path, directory: Path) -> None:
    """Unpack the tests and their configuration into `directory`.

    The package itself stays out: the tests are to import the one that is installed.
    """
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            _, _, name = member.name.partition("/")
            if name == "pyproject.toml" or name.split("/")[0] == "tests":
                member.name = name
                tar.extract(member, directory, filter="data")

"""What tests with real kernel processes share: a clean Jupyter home, and kernels to talk to."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jupyter_client.connect import LocalPortCache

from tests.kernel.client import ARGV, KERNEL_NAME, ROOT, Notebook

CHROMIUM = "/usr/bin/chromium"
IN_CI = bool(os.environ.get("NAMESPACE_KERNEL_CI"))

StartNotebook = Callable[[], Notebook]


#: Below these the system gives no port to whoever asks for any. Each worker of xdist has its own.
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
_PORTS = range(10_000, 32_000)[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) :: _WORKERS]
#: Not the module's own: a test that seeds that would have the same ports again.
_chance = random.SystemRandom()


def _find_port(cache: LocalPortCache, ip: str) -> int:
    while True:
        port = _chance.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((ip, port))
            except OSError:
                continue
        if port not in cache.currently_used_ports:
            cache.currently_used_ports.add(port)
            return port


@pytest.fixture(scope="session", autouse=True)
def ports_of_kernels() -> Iterator[None]:
    """jupyter_client chooses a kernel's ports before the kernel takes them, from those that the system
    gives to everybody. If another test's server has one meanwhile, the client talks to that, and ZeroMQ
    then never sends again.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalPortCache, "find_available_port", _find_port)
        yield


@pytest.fixture(scope="session")
def jupyter_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jupyter")


@pytest.fixture(scope="session")
def kernel_env(jupyter_home: Path) -> dict[str, str]:
    """The environment of all that we start: the source tree first, nothing from the person's own Jupyter."""
    env = dict(os.environ)
    env.pop("PYTEST_CURRENT_TEST", None)  # for ipykernel would not capture the file descriptors
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH")]))
    env["JUPYTER_PATH"] = str(jupyter_home / "share")
    for variable in ("CONFIG", "DATA", "RUNTIME"):
        env[f"JUPYTER_{variable}_DIR"] = str(jupyter_home / variable.lower())
    env["IPYTHONDIR"] = str(jupyter_home / "ipython")
    env["JUPYTER_PLATFORM_DIRS"] = "1"
    env["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    return env


@pytest.fixture(scope="session")
def installed_kernelspec(jupyter_home: Path, kernel_env: dict[str, str]) -> str:
    """For programs that find a kernel by name: ours from the source tree, with the logos it ships."""
    directory = jupyter_home / "share" / "kernels" / KERNEL_NAME
    shutil.copytree(ROOT / "kernelspec", directory)
    spec = json.loads((directory / "kernel.json").read_text())
    spec["argv"] = ARGV
    spec["env"] = {**spec.get("env", {}), "PYTHONPATH": kernel_env["PYTHONPATH"]}
    (directory / "kernel.json").write_text(json.dumps(spec))
    return KERNEL_NAME


@pytest.fixture(scope="module")
def jupyter_environment(
    installed_kernelspec: str, kernel_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """For libraries that start a kernel by name in this process; the name. The history is a new one."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in kernel_env.items():
            patch.setenv(variable, value)
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        yield installed_kernelspec


@pytest.fixture(scope="session")
def start_notebook(
    tmp_path_factory: pytest.TempPathFactory, kernel_env: dict[str, str]
) -> Iterator[StartNotebook]:
    started: list[Notebook] = []

    def start() -> Notebook:
        started.append(Notebook(tmp_path_factory.mktemp("kernel"), kernel_env))
        return started[-1]

    yield start
    for notebook in started:
        if notebook.alive:
            notebook.close()


@pytest.fixture
def fresh_notebook(start_notebook: StartNotebook) -> Iterator[Notebook]:
    """A kernel of its own, for tests which count cells or leave the kernel in a state."""
    notebook = start_notebook()
    yield notebook
    notebook.close()


@pytest.fixture(scope="module")
def _shared(start_notebook: StartNotebook) -> Iterator[list[Notebook]]:
    notebooks = [start_notebook()]
    yield notebooks
    notebooks[-1].close()


@pytest.fixture
def notebook(_shared: list[Notebook], start_notebook: StartNotebook) -> Notebook:
    """The kernel that a module's tests share; a new one if the test before left it dead or busy."""
    if not _shared[-1].alive or _shared[-1].busy:
        _shared[-1].close()
        _shared.append(start_notebook())
    return _shared[-1]


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Debian's Chromium. Without it these tests are skipped, but never in CI."""
    if not Path(CHROMIUM).exists():
        if IN_CI:
            pytest.fail(f"{CHROMIUM} is missing in CI: .ci/run installs it")
        pytest.skip(f"{CHROMIUM} is missing: apt-get install chromium")
    return CHROMIUM

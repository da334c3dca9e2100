"""`install` and `remove`, and what the wheel puts in place without them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

import jupyter_client.kernelspec
import pytest
from jupyter_client.kernelspec import KernelSpecManager

from namespace_kernel import install

CHECKOUT = Path(__file__).resolve().parents[1]
SPEC_FILES = {"kernel.json", "logo-32x32.png", "logo-64x64.png", "logo-svg.svg"}
NOBODY = 65534


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Moves every place that a command may write to into tmp_path: no test touches the machine's own."""
    roots = {name: tmp_path / name for name in ("user", "environment", "system")}
    for root in roots.values():
        root.mkdir()
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(roots["user"]))
    monkeypatch.setattr(sys, "prefix", str(roots["environment"]))
    for module in (install, jupyter_client.kernelspec):
        monkeypatch.setattr(module, "SYSTEM_JUPYTER_PATH", [str(roots["system"])])
    searched = [roots["user"], roots["environment"] / "share" / "jupyter", roots["system"]]
    monkeypatch.setattr(install, "jupyter_path", lambda *sub: [str(Path(path, *sub)) for path in searched])
    return {
        "--user": roots["user"] / "kernels",
        "--sys-prefix": roots["environment"] / "share" / "jupyter" / "kernels",
        "": roots["system"] / "kernels",
    }


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    path = tmp_path / "a prefix"
    path.mkdir()
    return path


@pytest.fixture
def failing(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail, in one line on stderr, and returns that line."""

    def run(*argv: str, status: int = 1) -> str:
        capfd.readouterr()
        assert install.main(list(argv)) == status
        printed = capfd.readouterr()
        assert printed.out == ""
        assert printed.err.endswith("\n") and printed.err.count("\n") == 1
        return printed.err

    return run


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without a network."""
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, timeout=60)
    (built,) = target.glob("*.whl")
    return built


def kernels_in(prefix: Path) -> Path:
    return prefix / "share" / "jupyter" / "kernels"


def spec_in(directory: Path) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads((directory / "kernel.json").read_text(encoding="utf-8"))
    return spec


def test_an_installed_spec_starts_the_interpreter_that_installed_it(
    prefix: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert install.main(["install", "--prefix", str(prefix)]) == 0
    where = kernels_in(prefix) / "namespace_kernel"
    assert {file.name for file in where.iterdir()} == SPEC_FILES
    spec = spec_in(where)
    assert spec == {
        "argv": [
            *(sys.executable, "-Xfrozen_modules=off", "-P"),
            *("-m", "namespace_kernel", "-f", "{connection_file}"),
        ],
        "display_name": "Python (namespace)",
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {"debugger": True, "supported_encryption": ["curve"]},
        "kernel_protocol_version": "5.5",
    }
    printed = capsys.readouterr()
    assert str(where) in printed.out and f"JUPYTER_PATH={prefix}/share/jupyter" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize("option", ["--user", "--sys-prefix", ""])
def test_each_option_names_its_place(
    option: str, places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    options = [option] if option else []
    assert install.main(["install", *options]) == 0
    for name, place in places.items():
        assert (place / "namespace_kernel" / "kernel.json").exists() == (name == option)
    assert "JUPYTER_PATH" not in capsys.readouterr().out
    assert install.main(["remove", *options]) == 0
    assert list(places[option].iterdir()) == []


def test_jupyter_reads_back_what_was_installed(prefix: Path) -> None:
    argv = ["install", "--prefix", str(prefix), "--name", "Mine-2.0", "--display-name", "Größe „x“ 🐍"]
    assert install.main([*argv, "--env", "GREETING", "a b=c", "--env", "PATH", "/opt/bin:${PATH}"]) == 0
    spec = KernelSpecManager(kernel_dirs=[str(kernels_in(prefix))]).get_kernel_spec("mine-2.0")
    assert spec.display_name == "Größe „x“ 🐍"
    assert spec.env == {"GREETING": "a b=c", "PATH": "/opt/bin:${PATH}"}
    assert spec.argv[0] == sys.executable
    assert spec.interrupt_mode == "signal"


def test_a_spec_of_another_name_is_shown_by_that_name(prefix: Path) -> None:
    assert install.main(["install", "--prefix", str(prefix), "--name", "second"]) == 0
    assert spec_in(kernels_in(prefix) / "second")["display_name"] == "second"


def test_installing_again_replaces_the_whole_spec(prefix: Path) -> None:
    argv = ["install", "--prefix", str(prefix)]
    assert install.main([*argv, "--env", "A", "1"]) == 0
    where = kernels_in(prefix) / "namespace_kernel"
    (where / "stale.txt").touch()
    assert install.main(argv) == 0
    assert {file.name for file in where.iterdir()} == SPEC_FILES
    assert "env" not in spec_in(where)


def test_remove_takes_only_the_named_spec(prefix: Path) -> None:
    for name in ("one", "two"):
        assert install.main(["install", "--prefix", str(prefix), "--name", name]) == 0
    assert install.main(["remove", "--prefix", str(prefix), "--name", "ONE"]) == 0
    assert [path.name for path in kernels_in(prefix).iterdir()] == ["two"]


@pytest.mark.parametrize("command", ["install", "remove"])
@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "my kernel", "größe", "-x", "a\n", "\udcff"])
def test_a_bad_name_changes_nothing(
    command: str, name: str, prefix: Path, failing: Callable[..., str]
) -> None:
    keep = kernels_in(prefix).parent / "keep"
    keep.mkdir(parents=True)
    message = failing(command, "--prefix", str(prefix), f"--name={name}")
    assert "cannot be a kernelspec's name" in message and "Use ASCII letters" in message
    assert [path.name for path in keep.parent.iterdir()] == ["keep"]


@pytest.mark.parametrize("command", ["install", "remove"])
@pytest.mark.parametrize("missing", ["", "no/such/place"])
def test_an_unknown_prefix_is_not_created(
    command: str, missing: str, tmp_path: Path, failing: Callable[..., str]
) -> None:
    unknown = tmp_path / missing if missing else ""
    message = failing(command, "--prefix", str(unknown))
    assert repr(str(unknown)) in message and "Create it" in message
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("option", "remedy"),
    [
        (["--env", "", "1"], "--env NAME VALUE"),
        (["--env", "A=B", "1"], "--env NAME VALUE"),
        (["--env", "A", "1\0"], "--env NAME VALUE"),
        (["--display-name", " "], "leave --display-name out"),
    ],
)
def test_a_bad_value_is_refused(
    option: list[str], remedy: str, prefix: Path, failing: Callable[..., str]
) -> None:
    assert remedy in failing("install", "--prefix", str(prefix), *option)
    assert not kernels_in(prefix).exists()


@pytest.mark.parametrize(
    "argv",
    [[], ["instal"], ["install", "--usr"], ["install", "--user", "--sys-prefix"], ["install", "--env", "A"]],
)
def test_a_command_that_is_not_understood_points_to_the_help(
    argv: list[str], failing: Callable[..., str]
) -> None:
    assert "--help" in failing(*argv, status=2)


def test_nothing_to_remove_says_how_to_look(prefix: Path, failing: Callable[..., str]) -> None:
    assert "jupyter kernelspec list" in failing("remove", "--prefix", str(prefix))


@pytest.mark.parametrize(
    ("there", "remedy"), [("--user", "with --user"), ("--sys-prefix", "with --sys-prefix"), ("", "no option")]
)
def test_nothing_to_remove_here_names_the_option_for_where_it_is(
    there: str, remedy: str, prefix: Path, places: dict[str, Path], failing: Callable[..., str]
) -> None:
    assert install.main(["install", *([there] if there else [])]) == 0
    message = failing("remove", "--prefix", str(prefix))
    assert str(places[there]) in message and remedy in message
    assert (places[there] / "namespace_kernel").exists()


@pytest.mark.parametrize("text", ['{"argv": ["python", "-m", "other"]}', '{"argv": 1}', "[]", "{", ""])
def test_another_kernels_spec_is_not_removed(text: str, prefix: Path, failing: Callable[..., str]) -> None:
    other = kernels_in(prefix) / "other"
    other.mkdir(parents=True)
    (other / "kernel.json").write_text(text)
    assert "jupyter kernelspec remove other" in failing("remove", "--prefix", str(prefix), "--name", "other")
    assert (other / "kernel.json").read_text() == text


@pytest.mark.parametrize("blocked", ["share", "share/jupyter/kernels/namespace_kernel"])
def test_a_file_in_the_way_is_reported(blocked: str, prefix: Path, failing: Callable[..., str]) -> None:
    (prefix / blocked).parent.mkdir(parents=True, exist_ok=True)
    (prefix / blocked).touch()
    message = failing("install", "--prefix", str(prefix))
    assert "Cannot write" in message and "--user or --sys-prefix" in message


@pytest.fixture
def forbidden() -> Iterator[Path]:
    """A prefix with the kernelspec in it that this process may read but not write."""
    # Under the system's own temporary directory: pytest's can only be entered by the user who made it.
    with tempfile.TemporaryDirectory() as scratch:
        assert install.main(["install", "--prefix", scratch]) == 0
        os.chmod(scratch, 0o755)
        inside = [path for path in Path(scratch).rglob("*") if path.is_dir()]
        for path in inside:
            path.chmod(0o555)
        root = os.geteuid() == 0  # root may write anywhere, so be someone else for a while
        try:
            if root:
                os.seteuid(NOBODY)
            yield Path(scratch)
        finally:
            if root:
                os.seteuid(0)
            for path in inside:
                path.chmod(0o755)


def test_no_permission_to_install_names_other_places(forbidden: Path, failing: Callable[..., str]) -> None:
    message = failing("install", "--prefix", str(forbidden), "--name", "another")
    assert "Permission denied" in message and "--user or --sys-prefix" in message


def test_no_permission_to_remove_leaves_the_spec(forbidden: Path, failing: Callable[..., str]) -> None:
    message = failing("remove", "--prefix", str(forbidden))
    assert "Permission denied" in message and "run it as the owner" in message
    assert (kernels_in(forbidden) / "namespace_kernel" / "kernel.json").exists()


def test_missing_resources_say_how_to_get_them_back(
    prefix: Path, monkeypatch: pytest.MonkeyPatch, failing: Callable[..., str]
) -> None:
    monkeypatch.setattr(install, "_PACKAGE", prefix / "namespace_kernel")
    assert "pip install --force-reinstall" in failing("install", "--prefix", str(prefix))


def test_the_logos_are_pictures_of_the_size_they_claim() -> None:
    for size in (32, 64):
        data = (install.spec_source() / f"logo-{size}x{size}.png").read_bytes()
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        assert int.from_bytes(data[16:20]) == int.from_bytes(data[20:24]) == size


def test_the_wheel_puts_the_spec_where_jupyter_looks(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        data = {name for name in names if name.startswith("namespace_kernel-0.1.0.data/")}
        folder = "namespace_kernel-0.1.0.data/data/share/jupyter/kernels/namespace_kernel"
        assert data == {f"{folder}/{name}" for name in SPEC_FILES}
        for name in SPEC_FILES:
            original = (CHECKOUT / "kernelspec" / name).read_bytes()
            assert archive.read(f"{folder}/{name}") == original
            assert archive.read(f"namespace_kernel/resources/{name}") == original
        # Jupyter puts its own interpreter in the place of this word.
        assert json.loads(archive.read(f"{folder}/kernel.json"))["argv"][0] == "python"
    packaged = {name.split("/")[0] for name in names}
    assert packaged == {"namespace_kernel", "namespace_kernel-0.1.0.data", "namespace_kernel-0.1.0.dist-info"}


@pytest.fixture(scope="session")
def described(wheel: Path) -> Message:
    """The wheel's metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return Parser().parsestr(archive.read("namespace_kernel-0.1.0.dist-info/METADATA").decode())


def test_users_are_offered_no_extras_for_developers(described: Message) -> None:
    assert set(described.get_all("Provides-Extra", [])) == {"isolated", "dask", "durable", "all"}


def test_a_plain_install_has_what_isolated_cells_need(described: Message) -> None:
    plain = [
        re.split("[<>=~!]", one)[0] for one in described.get_all("Requires-Dist", []) if "extra" not in one
    ]
    assert {"xxhash", "cloudpickle"} <= set(plain)


def test_links_and_pictures_of_the_readme_need_no_files_beside_it(described: Message) -> None:
    text = str(described.get_payload())
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert [one for one in targets if "://" not in one and not one.startswith("#")] == []
    # Code is left as it is.
    code = re.findall(r"^```.*?^```", (CHECKOUT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert code and all(block in text for block in code)


def test_the_wheel_has_its_licence_types_and_command(wheel: Path, described: Message) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        commands = archive.read("namespace_kernel-0.1.0.dist-info/entry_points.txt").decode()
    assert "namespace_kernel/py.typed" in names
    assert "namespace_kernel-0.1.0.dist-info/licenses/LICENSE" in names
    assert described["License-Expression"] == "MIT"
    assert "namespace-kernel = namespace_kernel.__main__:main" in commands


def test_the_source_archive_is_without_ci(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, timeout=60)
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "LICENSE", "pyproject.toml", "tests/test_install.py"} <= names
    assert [name for name in names if name.startswith((".ci", ".github", ".venv"))] == []


def test_an_installed_wheel_installs_its_own_copy(wheel: Path, prefix: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = "from namespace_kernel import install as i; print(i.spec_source()); raise SystemExit(i.main())"
    command = [sys.executable, "-c", code, "install", "--prefix", str(prefix)]
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{site / 'namespace_kernel' / 'resources'}\n")
    assert {file.name for file in (kernels_in(prefix) / "namespace_kernel").iterdir()} == SPEC_FILES

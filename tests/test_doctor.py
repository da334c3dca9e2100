"""`doctor` finds what is broken, and names what mends it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest

from namespace_kernel import doctor, install
from namespace_kernel.doctor import Finding, Verdict


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Jupyter's folders, all empty; the one where kernelspecs are."""
    for variable in ("CONFIG", "DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{variable}_DIR", str(tmp_path / variable.lower()))
    monkeypatch.setattr(doctor, "jupyter_path", lambda *sub: [str(Path(tmp_path, "data", *sub))])
    return tmp_path / "data" / "kernels"


def worst(check: Callable[[], Iterator[Finding]]) -> Finding:
    """The finding that matters most."""
    return max(check(), key=lambda one: [Verdict.FINE, Verdict.NOTE, Verdict.BROKEN].index(one.verdict))


def write_spec(home: Path, name: str, argv: object) -> None:
    (home / name).mkdir(parents=True)
    (home / name / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": name}))


# The kernelspec


def test_no_kernelspec_is_to_be_installed() -> None:
    found = worst(doctor.kernelspec)
    assert found.verdict is Verdict.BROKEN and "has no kernelspec" in found.text
    assert found.remedy == f"{sys.executable} -m namespace_kernel install --user"


@pytest.mark.parametrize("argv", [["python", "-m", "ipykernel"], "text", [1, 2], {"a": 1}, None])
def test_others_kernelspecs_are_none_of_ours(home: Path, argv: object) -> None:
    write_spec(home, "other", argv)
    assert "has no kernelspec" in worst(doctor.kernelspec).text


def test_an_installed_kernelspec_is_fine(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "jupyter_data_dir", lambda: str(home.parent))
    monkeypatch.setattr("jupyter_client.kernelspec.jupyter_data_dir", lambda: str(home.parent))
    install.install_spec(install.prefix_location(str(home.parents[1]), ""))
    monkeypatch.setattr(
        doctor, "jupyter_path", lambda *sub: [str(Path(home.parents[1], "share", "jupyter", *sub))]
    )
    assert worst(doctor.kernelspec).verdict is Verdict.FINE


def test_the_wheels_kernelspec_starts_whatever_python_jupyter_has(home: Path) -> None:
    write_spec(home, "namespace_kernel", [Path(sys.executable).name, "-m", "namespace_kernel"])
    assert worst(doctor.kernelspec).verdict is Verdict.FINE


@pytest.mark.parametrize("gone", ["/no/such/bin/python", "python-that-nobody-has"])
def test_a_python_that_is_gone_is_to_be_replaced(home: Path, gone: str) -> None:
    write_spec(home, "mine", [gone, "-m", "namespace_kernel", "-f", "{connection_file}"])
    found = worst(doctor.kernelspec)
    assert found.verdict is Verdict.BROKEN and gone in found.text
    assert found.remedy.endswith("install --user --name mine")


def test_another_python_is_named(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    write_spec(home, "mine", [str(other), "-m", "namespace_kernel"])
    found = worst(doctor.kernelspec)
    assert found.verdict is Verdict.NOTE and found.remedy.endswith(f"{other} -m namespace_kernel doctor")


def test_a_package_without_its_kernelspec_is_to_be_installed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "_PACKAGE", tmp_path / "namespace_kernel")
    for check in (doctor.kernelspec, doctor.cells):
        (found,) = [one for one in check() if "--force-reinstall" in one.remedy]
        assert found.verdict is Verdict.BROKEN


# Versions


@pytest.mark.parametrize(
    ("requirement", "verdict", "said"),
    [
        ("zmq-that-nobody-has>=1", Verdict.BROKEN, "is not installed"),
        ("ipykernel>=999", Verdict.BROKEN, "needed is >=999"),
        ("ipykernel<1", Verdict.BROKEN, "needed is <1"),
        ("ipykernel>=1", Verdict.FINE, "ipykernel"),
        ("distributed-that-nobody-has; extra == 'dask'", Verdict.FINE, "ipykernel"),
        ("windows-only; sys_platform == 'nowhere'", Verdict.FINE, "ipykernel"),
    ],
)
def test_each_requirement_is_looked_at(
    requirement: str, verdict: Verdict, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: [requirement])
    found = worst(doctor.versions)
    assert found.verdict is verdict and said in found.text
    if verdict is Verdict.BROKEN:
        assert f"-m pip install '{requirement}'" in found.remedy


def test_a_folder_of_sources_is_no_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", requires)
    found = worst(doctor.versions)
    assert found.verdict is Verdict.BROKEN and "pip install ." in found.remedy


# Encryption


@pytest.mark.parametrize(
    ("line", "verdict", "said"),
    [
        ("", Verdict.NOTE, "without encryption"),
        ("c.KernelManager.transport_encryption = 'auto'", Verdict.FINE, "are encrypted"),
        ("c.KernelManager.transport_encryption = 'required'", Verdict.FINE, "are encrypted"),
        ("c.KernelManager.transport = 'ipc'", Verdict.FINE, "IPC"),
    ],
)
def test_encryption_is_as_jupyter_is_configured(
    line: str, verdict: Verdict, said: str, tmp_path: Path
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "jupyter_server_config.py").write_text(f"c = get_config()\n{line}\n")
    found = worst(doctor.encryption)
    assert found.verdict is verdict and said in found.text


# All of it


def test_what_is_to_be_mended_is_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for check in ("installation", "versions", "encryption", "cells"):
        monkeypatch.setattr(doctor, check, lambda: iter([doctor.fine("Good.")]))
    assert doctor.main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["ok    Good.", "ok    Good."]
    assert lines[2].startswith("MEND  ") and lines[3].startswith("      → ")
    assert lines[-1] == "1 to mend."
    monkeypatch.setattr(doctor, "kernelspec", lambda: iter([doctor.note("By the way.")]))
    assert doctor.main(["doctor"]) == 0
    assert capsys.readouterr().out.endswith("All is well.\n")


def test_a_word_too_many_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["doctor", "please"]) == 2
    assert "unrecognized arguments: please" in capsys.readouterr().err

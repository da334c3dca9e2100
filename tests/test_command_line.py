"""The command line: commands, versions, help, and words that are none of them."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

import namespace_kernel
from namespace_kernel import __main__ as command_line
from namespace_kernel.app import NamespaceKernelApp

PATIENCE = 40.0


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "namespace_kernel", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("instal", "Did you mean `install`?"),
        ("INSTALL", "Did you mean `install`?"),
        ("uninstall", "Did you mean `install`?"),
        ("remov", "Did you mean `remove`?"),
        ("docter", "Did you mean `doctor`?"),
        ("kernel", "The commands are install, remove, doctor."),
        ("xyz", "The commands are install, remove, doctor."),
        ("", "The commands are install, remove, doctor."),
    ],
)
def test_an_unknown_word_is_an_error_that_names_the_nearest_command(
    word: str, advice: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["namespace-kernel", word])
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit) as stopped:
        command_line.main()
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    assert repr(word) in printed.err and advice in printed.err and "--help" in printed.err


def test_an_unknown_word_starts_no_kernel() -> None:
    ran = run("instal")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "Did you mean `install`?" in ran.stderr


@pytest.mark.parametrize("words", [["--debug", "instal"], ["-f", "x.json", "remove"], ["--quiet", "a", "b"]])
def test_a_word_behind_options_is_an_error_too(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    app = NamespaceKernelApp()
    with pytest.raises(SystemExit) as stopped:
        app.parse_command_line(words)
    assert stopped.value.code == 2
    assert "is no option" in capsys.readouterr().err


def test_options_of_a_kernel_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    app = NamespaceKernelApp()
    app.parse_command_line(["-f", "x.json", "--NamespaceKernel.report_tasks=False"])
    assert (app.connection_file, capsys.readouterr().err) == ("x.json", "")


def test_the_version_is_ours() -> None:
    assert run("--version").stdout == f"{namespace_kernel.__version__}\n"
    assert NamespaceKernelApp().version == namespace_kernel.__version__


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_shows_the_commands(
    word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["namespace-kernel", word])
    monkeypatch.setattr(sys, "path", list(sys.path))
    command_line.main()
    shown = capsys.readouterr().out
    for name, text in command_line.COMMANDS.items():
        assert f"{name:<10}{text}" in shown
    assert "--help-all" in shown and "--version" in shown


@pytest.mark.parametrize("command", sorted(command_line.COMMANDS))
def test_each_command_has_a_help_of_its_own(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.run([command, "--help"]) == 0
    assert command in capsys.readouterr().out


def test_the_console_script_is_the_module() -> None:
    (script,) = metadata.entry_points(group="console_scripts", name="namespace-kernel")
    assert script.value == "namespace_kernel.__main__:main"
    assert script.load() is command_line.main

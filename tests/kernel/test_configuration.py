"""Options, in each of the three ways to set them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.kernel.client import Notebook

FORGETFUL = "async def forgotten(): ...\nforgotten();"
SAID = "`forgotten()` was called without `await`"


def test_an_option_is_read_from_the_config_file(tmp_path: Path, kernel_env: dict[str, str]) -> None:
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "namespace_kernel_config.py").write_text("c.NamespaceKernel.report_leaks = False\n")
    notebook = Notebook(tmp_path, {**kernel_env, "IPYTHONDIR": str(tmp_path / "ipython")})
    try:
        assert SAID not in notebook.run(FORGETFUL).text
        assert notebook.run("get_ipython().kernel.report_leaks").result == "False"
    finally:
        notebook.close()


def test_what_was_configured_for_ipykernel_holds_and_our_own_file_comes_last(
    tmp_path: Path, kernel_env: dict[str, str]
) -> None:
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text(
        "c.IPKernelApp.exec_lines = ['prepared = 42']\nc.InteractiveShell.ast_node_interactivity = 'all'\n"
    )
    (profile / "namespace_kernel_config.py").write_text(
        "c.InteractiveShell.ast_node_interactivity = 'none'\n"
    )
    notebook = Notebook(tmp_path, {**kernel_env, "IPYTHONDIR": str(tmp_path / "ipython")})
    try:
        cell = notebook.run("print(prepared)\nprepared")
        assert (cell.stdout, cell.result) == ("42\n", None)
    finally:
        notebook.close()


def test_an_option_is_changed_while_the_kernel_runs(fresh_notebook: Notebook) -> None:
    assert SAID in fresh_notebook.run(FORGETFUL).text
    assert "never awaited" in fresh_notebook.run("%config NamespaceKernel").text
    fresh_notebook.run("%config NamespaceKernel.report_leaks = False")
    assert SAID not in fresh_notebook.run(FORGETFUL).text
    fresh_notebook.run("%config NamespaceKernel.report_failed_tasks = False")
    cell = fresh_notebook.run(
        "import asyncio\nasync def boom(): 1 / 0\nt = asyncio.create_task(boom()); await asyncio.sleep(0)"
    )
    assert "ZeroDivisionError" not in cell.text
    wrong = fresh_notebook.run("%config NamespaceKernel.callback_output = 'nowhere'")
    assert "nowhere" in wrong.text and "cell" in wrong.text


def test_an_option_is_taken_from_the_command_line(kernel_env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "namespace_kernel", "--NamespaceKernel.tasks_time=soon"]
    refused = subprocess.run(command, env=kernel_env, capture_output=True, text=True)
    assert refused.returncode != 0 and "tasks_time" in refused.stderr and "soon" in refused.stderr
    documented = subprocess.run([*command[:3], "--help-all"], env=kernel_env, capture_output=True, text=True)
    assert "--NamespaceKernel.tasks_time" in documented.stdout


def test_every_option_of_ours_says_what_it_does(kernel_env: dict[str, str]) -> None:
    from namespace_kernel.kernel.options import KernelOptions

    own = [trait for trait in KernelOptions.class_own_traits(config=True).values()]
    assert len(own) >= 5
    assert all(trait.help for trait in own)

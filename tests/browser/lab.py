"""A JupyterLab server of our own, and a notebook in its page."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import URLError

import nbformat
from playwright.sync_api import Locator, Page, expect

PATIENCE = 60.0


class LabServer:
    """`jupyter lab` on a free port, without a token, in directories of its own."""

    def __init__(self, directory: Path, env: dict[str, str], kernel: str) -> None:
        self.files = directory / "files"
        self.files.mkdir()
        self.log_path = directory / "lab.log"
        self._runtime = Path(env["JUPYTER_RUNTIME_DIR"])
        self._log = self.log_path.open("wb")
        self._answer_the_news_question(Path(env["JUPYTER_CONFIG_DIR"]))
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={self.files}"]
        command += ["--IdentityProvider.token=", "--ServerApp.password="]
        command += [f"--KernelSpecManager.allowed_kernelspecs={kernel}"]
        command += ["--KernelSpecManager.ensure_native_kernel=False"]
        command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
        self.process = subprocess.Popen(
            command, env=env, cwd=self.files, stdout=self._log, stderr=subprocess.STDOUT
        )
        self.url = self._wait_for_url()

    def _answer_the_news_question(self, config: Path) -> None:
        settings = config / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True, exist_ok=True)
        (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')

    def _wait_for_url(self) -> str:
        deadline = time.monotonic() + PATIENCE
        info = self._runtime / f"jpserver-{self.process.pid}.json"
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                url = str(json.loads(info.read_text())["url"])
                with urllib.request.urlopen(f"{url}api/status", timeout=5):
                    return url
            except (OSError, ValueError, URLError):
                time.sleep(0.1)  # neither the file nor the server announces itself
        raise AssertionError(f"JupyterLab did not start:\n{self.log_path.read_text()[-3000:]}")

    def write_notebook(self, name: str, kernel: str, *cells: str) -> None:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": kernel, "display_name": "", "language": "python"}
        nbformat.write(notebook, self.files / name)

    def kernels(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url}api/kernels", timeout=10) as answer:
            running: list[dict[str, Any]] = json.load(answer)
        return running

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


class LabNotebook:
    """One notebook, open in JupyterLab."""

    def __init__(self, page: Page, server: LabServer, name: str) -> None:
        self.page = page
        page.goto(f"{server.url}lab/tree/{name}?reset")
        self.panel = page.locator(".jp-NotebookPanel:visible")
        expect(self.panel).to_be_visible()
        self.expect_kernel_status("Idle")

    def expect_kernel_status(self, status: str) -> None:
        """Until JupyterLab shows that the kernel is Idle or Busy."""
        shown = self.page.locator("#jp-main-statusbar").get_by_text(f"| {status}")
        expect(shown).to_be_visible()

    def menu(self, *path: str) -> None:
        """Chooses an item of the menu bar."""
        self.page.get_by_role("menuitem", name=path[0], exact=True).click()
        for item in path[1:]:
            self.page.locator(".lm-Menu-item:visible").filter(has_text=item).first.click()

    def cell(self, number: int) -> Locator:
        return self.panel.locator(".jp-CodeCell").nth(number)

    def outputs(self, number: int) -> Locator:
        return self.cell(number).locator(".jp-OutputArea-output")

    def prompt(self, number: int) -> Locator:
        """`[1]:`, or `[*]:` while the cell runs."""
        return self.cell(number).locator(".jp-InputPrompt")

    def run_all(self) -> None:
        self.menu("Run", "Run All Cells")

    def stop(self) -> None:
        """The ■ in the toolbar."""
        self.panel.locator(
            '[data-command="notebook:interrupt-kernel"], [data-jp-item-name="interrupt"]'
        ).first.click()

    def restart(self) -> None:
        """The ⟳ in the toolbar, and yes."""
        self.panel.locator('[data-jp-item-name="restart"]').click()
        self.page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()

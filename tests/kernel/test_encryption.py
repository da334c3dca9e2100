"""A kernel whose client asks for an encrypted connection (CurveZMQ)."""

from __future__ import annotations

import json
from pathlib import Path

from jupyter_client.manager import KernelManager

from tests.kernel.cells import PATIENCE


def test_cells_and_completion_work_over_an_encrypted_connection(
    jupyter_environment: str, tmp_path: Path
) -> None:
    path = tmp_path / "connection.json"
    manager = KernelManager(
        kernel_name=jupyter_environment, connection_file=str(path), transport_encryption="required"
    )
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        assert json.loads(path.read_text())["curve_publickey"]
        outputs: list[str] = []
        reply = client.execute_interactive(
            "import asyncio; await asyncio.sleep(0); 6 * 7",
            timeout=PATIENCE,
            output_hook=lambda message: outputs.append(str(message["content"])),
        )
        assert reply["content"]["status"] == "ok"
        assert any("42" in output for output in outputs)
        completed = client.complete("asyn", reply=True, timeout=PATIENCE)
        assert "asyncio" in completed["content"]["matches"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel()

"""Serve the process that started this one. Run by its path: the directory it stands in is the user's."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from namespace_kernel.remote.worker import main

main()

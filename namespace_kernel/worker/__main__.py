"""Serve the process that started this one. Run by its path: the directory it stands in is the user's."""

import sys
from pathlib import Path

# The package is found where it stands, and its modules inside it; nothing else is to be found there first.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import namespace_kernel.worker  # noqa: F401

del sys.path[0]
from namespace_kernel.worker.serve import main  # noqa: E402

main()

"""The kernel's magics."""

"""The loop that lives as long as the kernel, and Python's functions that lead to it."""

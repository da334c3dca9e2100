"""The debugger: imported when it is used, and kept out of the kernel's own threads."""

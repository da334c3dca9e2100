"""IPython's shell on the merged namespace; used by the kernel and by workers."""

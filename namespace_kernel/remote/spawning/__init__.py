"""Functions and classes of cells in the processes of `multiprocessing` and `ProcessPoolExecutor`."""

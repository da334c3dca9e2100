"""Functions and classes of cells in the processes of `multiprocessing` and `ProcessPoolExecutor`."""

from .front import MultiprocessingFront

__all__ = ["MultiprocessingFront"]

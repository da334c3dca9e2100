"""Run by its path, with a library's name: that library's way to run functions in other processes.

For each line that is read one case is timed, and its seconds are printed. It imports nothing of ours.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Call = Callable[..., Any]


def total(array: Any) -> float:
    """Read all of it."""
    return float(array.sum())


def changed(array: Any) -> Any:
    """Change it in place, and give it back: the caller's is not the worker's."""
    array = array if array.flags.writeable else array.copy()
    array[0] += 1
    return array


def all_changed(array: Any) -> Any:
    """The same with all of it."""
    array = array if array.flags.writeable else array.copy()
    array += 1
    return array


def made(count: int) -> Any:
    """A new array."""
    import numpy  # here: ipyparallel does not send what functions of `__main__` read

    return numpy.ones(count)


def longer(names: dict[str, str]) -> dict[str, str]:
    """A dict with one more entry."""
    return {**names, "one more": "entry"}


def _joblib() -> Call:
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=2, backend="loky")
    return lambda function, *given: parallel([delayed(function)(*given)])[0]


def _dask() -> Call:
    from distributed import Client, LocalCluster

    client = Client(LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None))
    return lambda function, *given: client.submit(function, *given, pure=False).result()


def _ipyparallel() -> Call:
    import ipyparallel

    view = ipyparallel.Cluster(n=1, log_level=40).start_and_connect_sync()[:]
    view.block = True
    return lambda function, *given: view.apply_sync(function, *given)[0]


def main() -> None:
    """Serve until the end of the input.

    The arguments are the library, how many numbers the array has, and how many entries the dict.
    """
    call = {"joblib": _joblib, "distributed": _dask, "ipyparallel": _ipyparallel}[sys.argv[1]]()
    count = int(sys.argv[2])
    names = {f"key{number}": f"value {number}" for number in range(int(sys.argv[3]))}
    array = np.arange(float(count))
    call(made, 10)
    cases: dict[str, Call] = {
        "a.copy()": lambda: array.copy(),
        "read": lambda: call(total, array),
        "in place": lambda: call(changed, array),
        "all in place": lambda: call(all_changed, array),
        "back": lambda: call(made, count),
        "pickled and unpickled": lambda: pickle.loads(pickle.dumps(names, 5)),
        "dict read": lambda: call(len, names),
        "dict changed": lambda: call(longer, names),
    }
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "new":
            array = array.copy()
            continue
        began = time.perf_counter()
        result = cases[line.strip()]()
        print(time.perf_counter() - began, flush=True)
        del result


if __name__ == "__main__":
    main()

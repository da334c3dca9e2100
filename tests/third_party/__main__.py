"""`python -m tests.third_party [ipykernel|nbclient|cpython] [arguments of pytest, or test modules]`."""

from __future__ import annotations

import sys

from tests.third_party.cpython import Comparison, compare_all
from tests.third_party.runner import Result, SuiteError, run
from tests.third_party.sdist import DownloadError
from tests.third_party.suites import SUITES

CPYTHON = "cpython"


def main(arguments: list[str]) -> int:
    """Run the suite that is named first, or all of them; the counts come last."""
    names = [*SUITES, CPYTHON]
    if arguments and arguments[0] in names:
        names = [arguments.pop(0)]
    results: list[Result | Comparison] = []
    try:
        for name in names:
            results += compare_all(arguments) if name == CPYTHON else [run(SUITES[name], arguments)]
    except (DownloadError, SuiteError) as error:
        print(error, file=sys.stderr)
        return 2
    print()
    for result in results:
        print(result.summary())
    return 0 if all(result.green for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m tests.third_party [ipykernel|nbclient] [pytest arguments]`."""

from __future__ import annotations

import sys

from tests.third_party.runner import SuiteError, run
from tests.third_party.sdist import DownloadError
from tests.third_party.suites import SUITES


def main(arguments: list[str]) -> int:
    """Run the suite that is named first, or all of them; the counts come last."""
    names = list(SUITES)
    if arguments and arguments[0] in SUITES:
        names = [arguments.pop(0)]
    try:
        results = [run(SUITES[name], arguments) for name in names]
    except (DownloadError, SuiteError) as error:
        print(error, file=sys.stderr)
        return 2
    print()
    for result in results:
        print(result.summary())
    return 0 if all(result.green for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

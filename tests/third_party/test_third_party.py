"""ipykernel's and nbclient's own test suites are green against this kernel."""

from __future__ import annotations

import faulthandler
from pathlib import Path

import pytest

from tests.third_party.plugin.third_party_plugin import covers
from tests.third_party.runner import IN_CI, SuiteError, run
from tests.third_party.sdist import DownloadError
from tests.third_party.suites import SUITES


@pytest.mark.third_party
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", SUITES)
def test_the_suite_is_green(name: str, tmp_path: Path) -> None:
    # A suite takes minutes: the stacks of threads that wait for it are no news.
    faulthandler.cancel_dump_traceback_later()
    log = tmp_path / "suite.log"
    try:
        with log.open("w") as output:
            result = run(SUITES[name], output=output)
    except (DownloadError, SuiteError) as error:
        if IN_CI:
            raise
        pytest.skip(str(error))
    print(result.summary())
    assert result.green, f"{result.summary()}\n\n{log.read_text()}"


@pytest.mark.parametrize("name", SUITES)
def test_every_exclusion_has_a_reason_and_no_test_is_excluded_twice(name: str) -> None:
    exclusions = SUITES[name].excluded(ours=True, screen=False)
    assert all(exclusion.reason for exclusion in exclusions)
    patterns = [exclusion.pattern for exclusion in exclusions]
    assert len(set(patterns)) == len(patterns)
    assert not [(one, other) for one in patterns for other in patterns if one != other and covers(one, other)]

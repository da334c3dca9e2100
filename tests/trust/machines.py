"""Runs a state machine of hypothesis until enough tries are made; a violation is noted, and it goes on."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.trust.figures import Trial

F = TypeVar("F", bound=Callable[..., Any])


def remembered(check: F) -> F:
    """Keep what `check`, a method of a machine that has a `trial`, raises: what fails once and not again is
    told by hypothesis without its error.
    """

    @functools.wraps(check)
    def run(machine: Any, *args: Any, **options: Any) -> Any:
        try:
            return check(machine, *args, **options)
        except Exception as error:
            told = "".join(traceback.format_exception_only(error))[:3_000]
            machine.trial.first_error = machine.trial.first_error or told
            raise

    return run  # type: ignore[return-value]


def run_machine(
    machine: type[RuleBasedStateMachine],
    trial: Trial,
    *,
    steps: int,
    examples: int,
    most_violations: int,
    shrinks: bool,
    before: Callable[[int], object] = lambda number: None,
    after_violation: Callable[[], object] = lambda: None,
) -> None:
    """Run `machine`, which counts the tries, in rounds of at most `examples` of `steps` each.

    `before` is called with the number of each round.
    """
    for number in range(trial.count):
        missing = trial.count - trial.record.tries
        if missing <= 0 or len(trial.record.violations) > most_violations:
            break
        before(number)
        trial.first_error = ""
        options = settings(
            max_examples=max(1, min(examples, missing // steps)),
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=False,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink] if shrinks else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        try:
            run_state_machine_as_test(seed(trial.seed * 1_000 + number)(machine), settings=options)
        except (AssertionError, Flaky) as error:
            told = traceback.format_exception_only(error)
            trial.violated("".join([*told, trial.first_error if isinstance(error, Flaky) else ""]))
            after_violation()

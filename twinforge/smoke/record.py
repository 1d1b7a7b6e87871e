"""Checks as they come in: timed, told, logged, and completed by those that never ran."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.events import Event, State
from twinforge.smoke.contract import NOT_RUN, Check, required_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from twinforge.events import Listener
    from twinforge.model.recipe import Smoke

__all__ = ["Record"]

NOT_A_PASS = "a check that did not run is not a pass"  # noqa: S105 - no password


class Record:
    """The checks of one image; the log file is begun anew with it."""

    def __init__(self, variant_id: str, smoke: Smoke, listener: Listener, log: Path) -> None:
        self._variant_id = variant_id
        self._required = required_checks(smoke)
        self._declares = smoke.train is not None or bool(smoke.invocations)
        self._listener = listener
        self._log = log
        self._checks: dict[str, Check] = {}
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("", encoding="utf-8")

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks that are required, in order; those that did not run have not passed."""
        failed = next((name for name, check in self._checks.items() if not check.passed), "")
        why = f"'{failed}' did not pass" if self._declares else "the recipe declares no smoke"
        return tuple(
            self._checks.get(name) or Check(name, passed=False, detail=_not_run(why), seconds=0.0)
            for name in self._required
        )

    def can_run(self, name: str, needs: Sequence[str]) -> bool:
        """Whether all that a check needs has passed; if not, it is written down as not run."""
        lacking = [need for need in needs if not self._has_passed(need)]
        if lacking:
            why = f"it needs '{lacking[0]}', which did not pass"
            self._add(Check(name, passed=False, detail=_not_run(why), seconds=0.0))
        return not lacking

    def check(self, name: str, step: Callable[[], str], *, needs: Sequence[str] = ()) -> None:
        """Do a check: ``step`` returns what was right, or raises SmokeError with what was not."""
        if not self.can_run(name, needs):
            return
        started = time.monotonic()
        try:
            detail, passed = step(), True
        except SmokeError as error:
            detail, passed = error.message, False
        self._add(Check(name, passed, detail, time.monotonic() - started))

    def log(self, name: str, output: str) -> None:
        """Append what a container printed."""
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"== {name} ==\n{output.rstrip()}\n")

    def _has_passed(self, name: str) -> bool:
        return name in self._checks and self._checks[name].passed

    def _add(self, check: Check) -> None:
        self._checks[check.id] = check
        verdict = "passed" if check.passed else "failed"
        self.log(check.id, f"{verdict}: {check.detail}")
        self._listener(
            Event(
                stage="smoke",
                node=self._variant_id,
                state=State.PROGRESS,
                text=check.id,
                done=len(self._checks),
                total=len(self._required),
            )
        )


def _not_run(why: str) -> str:
    return f"{NOT_RUN}: {why}; {NOT_A_PASS}"

"""Checks as they come in: timed, told, logged, and completed by those that never ran."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.events import Event, State
from twinforge.smoke.contract import NOT_RUN, Check

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from twinforge.events import Listener
    from twinforge.smoke.contract import Asked

__all__ = ["Record"]

NOT_A_PASS = "a check that did not run is not a pass"  # noqa: S105 - no password


class Record:
    """The checks of one image; the log file is begun anew with it.

    Args:
        variant_id: Names the image in events.
        asked: The checks that are to be done.
        listener: Is told of every check.
        log: The log file.
        silent: Whether the recipe declares nothing that could be checked.
    """

    def __init__(
        self,
        variant_id: str,
        asked: Sequence[Asked],
        listener: Listener,
        log: Path,
        *,
        silent: bool = False,
    ) -> None:
        self._variant_id = variant_id
        self._asked = {one.id: one for one in asked}
        self._silent = silent
        self._listener = listener
        self._log = log
        self._checks: dict[str, Check] = {}
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("", encoding="utf-8")

    @property
    def checks(self) -> tuple[Check, ...]:
        """All checks that were asked for, in order; those that did not run have not passed."""
        failed = next((name for name, check in self._checks.items() if not check.passed), "")
        why = f"'{failed}' did not pass" if failed else "the smoke was stopped"
        if self._silent:
            why = "the recipe declares no smoke"
        return tuple(
            self._checks.get(name) or self._verdict(name, "", passed=False, why_not=why)
            for name in self._asked
        )

    def lacks(self, name: str) -> str:
        """Return what of that which a check needs did not pass; empty where it can run."""
        needs = self._asked[name].rule.needs
        lacking = [
            one.id
            for one in self._asked.values()
            if one.rule.id in needs and not self.has_passed(one.id)
        ]
        return lacking[0] if lacking else ""

    def can_run(self, name: str) -> bool:
        """Whether all that a check needs has passed; if not, it is written down as not run."""
        lacking = self.lacks(name)
        if lacking:
            why = f"it needs '{lacking}', which did not pass"
            self._add(self._verdict(name, "", passed=False, why_not=why))
        return not lacking

    def check(self, name: str, step: Callable[[], str]) -> None:
        """Do a check: ``step`` returns what was right, or raises SmokeError with what was not."""
        if not self.can_run(name):
            return
        started = time.monotonic()
        try:
            detail, passed = step(), True
        except SmokeError as error:
            detail, passed = error.message, False
        seconds = time.monotonic() - started
        self._add(self._verdict(name, detail, passed=passed, seconds=seconds))

    def log(self, name: str, output: str) -> None:
        """Append what a container printed."""
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"== {name} ==\n{output.rstrip()}\n")

    def _verdict(
        self, name: str, detail: str, *, passed: bool, seconds: float = 0.0, why_not: str = ""
    ) -> Check:
        text = f"{NOT_RUN}: {why_not}; {NOT_A_PASS}" if why_not else detail
        return Check(name, passed, text, seconds, self._asked[name].severity)

    def has_passed(self, name: str) -> bool:
        """Whether a check ran and passed."""
        return name in self._checks and self._checks[name].passed

    def _add(self, check: Check) -> None:
        self._checks[check.id] = check
        verdict = "passed" if check.passed else "failed"
        if not check.passed and check.is_good:
            verdict = "warning"
        self.log(check.id, f"{verdict}: {check.detail}")
        self._listener(
            Event(
                stage="smoke",
                node=self._variant_id,
                state=State.PROGRESS,
                text=check.id,
                done=len(self._checks),
                total=len(self._asked),
            )
        )

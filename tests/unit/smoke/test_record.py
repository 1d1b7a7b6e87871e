from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.errors import MissingToolError, SmokeError
from twinforge.events import Event, State, ignore
from twinforge.model.recipe import Invocation, Smoke, TrainSmoke
from twinforge.smoke.contract import required, required_checks
from twinforge.smoke.record import Record

if TYPE_CHECKING:
    from pathlib import Path

SMOKE = Smoke(
    TrainSmoke({"training": "data"}, {}), (Invocation("a/b", "body", 200, "", {}, "", 0.0),), 30
)


def fail() -> str:
    message = "it is wrong\n  | and the log says so"
    raise SmokeError(message)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "smoke.log"


def test_a_step_that_returns_has_passed_and_one_that_raises_has_not(log: Path) -> None:
    record = Record("digits/cpu", required(SMOKE), ignore, log)
    record.check("programs", lambda: "both")
    record.check("installed", fail)
    verdicts = {check.id: (check.passed, check.detail) for check in record.checks}
    assert verdicts["programs"] == (True, "both")
    assert verdicts["installed"] == (False, "it is wrong\n  | and the log says so")


def test_what_a_failed_check_is_needed_for_does_not_run(log: Path) -> None:
    def step() -> str:
        pytest.fail("it ran")

    record = Record("digits/cpu", required(SMOKE), ignore, log)
    record.check("programs", lambda: "both")
    record.check("train", fail)
    record.check("serve.ping", step)
    detail = {check.id: check.detail for check in record.checks}["serve.ping"]
    assert detail == (
        "did not run: it needs 'train', which did not pass; a check that did not run is not a pass"
    )


def test_checks_that_never_came_are_there_and_have_not_passed(log: Path) -> None:
    record = Record("digits/cpu", required(SMOKE), ignore, log)
    record.check("installed", fail)
    assert tuple(check.id for check in record.checks) == required_checks(SMOKE)
    assert not any(check.passed for check in record.checks)
    assert record.checks[-1].detail.startswith("did not run: 'installed' did not pass")


def test_a_recipe_without_smoke_is_told_so(log: Path) -> None:
    record = Record("digits/cpu", required(Smoke(None, (), 30)), ignore, log, silent=True)
    assert record.checks[-1].detail.startswith("did not run: the recipe declares no smoke")


def test_another_error_is_not_a_failed_check(log: Path) -> None:
    def step() -> str:
        message = "the engine does not answer"
        raise MissingToolError(message)

    with pytest.raises(MissingToolError):
        Record("digits/cpu", required(SMOKE), ignore, log).check("programs", step)


def test_every_check_is_told_with_how_far_it_is(log: Path) -> None:
    events: list[Event] = []
    record = Record("digits/cpu", required(SMOKE), events.append, log)
    record.check("programs", lambda: "both")
    record.check("installed", fail)
    total = len(required_checks(SMOKE))
    assert events == [
        Event("smoke", "digits/cpu", State.PROGRESS, "programs", 1, total),
        Event("smoke", "digits/cpu", State.PROGRESS, "installed", 2, total),
    ]


def test_the_log_is_begun_anew_and_holds_output_and_verdicts(log: Path) -> None:
    log.parent.mkdir()
    log.write_text("of yesterday")
    record = Record("digits/cpu", required(SMOKE), ignore, log)
    record.log("train", "learned 10\n\n")
    record.check("programs", lambda: "both")
    assert log.read_text() == "== train ==\nlearned 10\n== programs ==\npassed: both\n"

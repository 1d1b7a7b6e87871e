"""Workers here wait for events and for each other, never for a time."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from twinforge.build.scheduler import Outcome, run_all
from twinforge.errors import BuildError, TwinforgeError

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 30
"""How long a test waits for what must happen; reached only when it fails."""


def failing(names: str) -> Callable[[str, threading.Event], str]:
    def work(task: str, cancelled: threading.Event) -> str:
        del cancelled
        if task in names:
            message = f"{task} failed"
            raise BuildError(message)
        return task.upper()

    return work


def shown(outcomes: tuple[Outcome[str, str], ...]) -> list[str]:
    return [
        f"{outcome.task}: {outcome.error or outcome.result or 'skipped'}" for outcome in outcomes
    ]


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_outcomes_come_in_the_order_of_the_tasks(jobs: int) -> None:
    assert shown(run_all("abcd", failing(""), jobs=jobs)) == ["a: A", "b: B", "c: C", "d: D"]


def test_the_order_of_outcomes_is_not_the_order_of_ends() -> None:
    second_has_ended = threading.Event()

    def work(task: str, cancelled: threading.Event) -> str:
        del cancelled
        if task == "b":
            second_has_ended.set()
        elif not second_has_ended.wait(PATIENCE_S):
            pytest.fail("the tasks did not run side by side")
        return task.upper()

    assert shown(run_all("ab", work, jobs=2)) == ["a: A", "b: B"]


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_failure_skips_nothing_else(jobs: int) -> None:
    outcomes = run_all("abcd", failing("ac"), jobs=jobs)
    assert shown(outcomes) == ["a: a failed", "b: B", "c: c failed", "d: D"]
    assert not any(outcome.skipped for outcome in outcomes)


def test_with_fail_fast_a_failure_skips_all_that_waits() -> None:
    outcomes = run_all("abcd", failing("b"), jobs=1, fail_fast=True)
    assert shown(outcomes) == ["a: A", "b: b failed", "c: skipped", "d: skipped"]
    assert [outcome.skipped for outcome in outcomes] == [False, False, True, True]


def test_with_fail_fast_a_failure_tells_what_runs_to_stop() -> None:
    first_runs = threading.Event()

    def work(task: str, cancelled: threading.Event) -> str:
        if task == "a":
            first_runs.set()
            if not cancelled.wait(PATIENCE_S):
                pytest.fail("nobody told the running task to stop")
            message = "a was cancelled"
            raise BuildError(message)
        first_runs.wait(PATIENCE_S)
        message = "b failed"
        raise BuildError(message)

    outcomes = run_all("abc", work, jobs=2, fail_fast=True)
    assert shown(outcomes) == ["a: a was cancelled", "b: b failed", "c: skipped"]


def test_without_fail_fast_nobody_is_told_to_stop() -> None:
    told: list[bool] = []

    def work(task: str, cancelled: threading.Event) -> str:
        told.append(cancelled.is_set())
        if task == "a":
            message = "a failed"
            raise BuildError(message)
        return task

    run_all("abc", work, jobs=1)
    assert told == [False, False, False]


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_never_more_than_the_asked_number_run_at_once(jobs: int) -> None:
    running: set[str] = set()
    most = 0
    lock = threading.Lock()
    full = threading.Barrier(jobs)

    def work(task: str, cancelled: threading.Event) -> str:
        nonlocal most
        del cancelled
        with lock:
            running.add(task)
            most = max(most, len(running))
        full.wait(PATIENCE_S)
        with lock:
            running.discard(task)
        return task

    run_all("abcdef", work, jobs=jobs)
    assert most == jobs


@pytest.mark.parametrize("jobs", [0, -1])
def test_at_least_one_runs(jobs: int) -> None:
    assert shown(run_all("a", failing(""), jobs=jobs)) == ["a: A"]


def test_no_tasks_have_no_outcomes() -> None:
    assert run_all((), failing(""), jobs=4) == ()


def test_an_error_that_is_not_ours_stops_the_run_and_is_not_hidden() -> None:
    began: list[str] = []

    def work(task: str, cancelled: threading.Event) -> str:
        began.append(task)
        if task == "a":
            raise ZeroDivisionError
        if not cancelled.wait(PATIENCE_S):
            pytest.fail("nobody told the running task to stop")
        message = "stopped"
        raise TwinforgeError(message)

    with pytest.raises(ZeroDivisionError):
        run_all("abcdef", work, jobs=2)
    assert set(began) <= {"a", "b", "c"}


def test_an_interrupt_stops_what_runs_waits_for_its_end_and_starts_nothing_more() -> None:
    began: list[str] = []
    ended: list[str] = []

    def work(task: str, cancelled: threading.Event) -> str:
        began.append(task)
        # What Ctrl-C sends, to the thread that waits in run_all.
        signal.pthread_kill(waiting, signal.SIGINT)
        if not cancelled.wait(PATIENCE_S):
            pytest.fail("nobody told the running task to stop")
        ended.append(task)
        message = f"{task} was cancelled"
        raise BuildError(message)

    waiting = threading.get_ident()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_all("abc", work, jobs=1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert began == ended == ["a"]

from __future__ import annotations

import pytest

from twinforge.sagemaker.local.words import REASON_LIMIT, Ending, judge_ending, refused_start


def test_status_0_completes_also_with_a_failure_file() -> None:
    assert judge_ending(0, "said nothing of use") == Ending("Completed", "Completed")


def test_another_status_fails_with_the_words_of_the_failure_file() -> None:
    ending = judge_ending(1, "no column 'label'\n")
    assert ending == Ending("Failed", "Failed", "AlgorithmError: no column 'label', exit code: 1")
    assert not ending.has_model


def test_a_failure_without_words_is_told_as_the_service_tells_it() -> None:
    assert judge_ending(127, "").reason == "AlgorithmError: , exit code: 127"


def test_a_reason_has_no_more_characters_than_the_service_shows() -> None:
    reason = judge_ending(1, "ü" * 5000).reason
    assert len(reason) == REASON_LIMIT
    assert reason.startswith("AlgorithmError: ü")
    assert reason.endswith("ü, exit code: 1")
    assert len(refused_start("x" * 5000).reason) == REASON_LIMIT


@pytest.mark.parametrize("exit_status", [0, 1, 137, 143])
def test_a_job_that_was_stopped_keeps_its_model_whatever_its_status_is(exit_status: int) -> None:
    asked = judge_ending(exit_status, "interrupted", stopped="asked")
    late = judge_ending(exit_status, "interrupted", stopped="time")
    assert asked == Ending("Stopped", "Stopped")
    assert late == Ending("Stopped", "MaxRuntimeExceeded")
    assert asked.has_model
    assert late.has_model


def test_a_program_that_can_not_be_run_is_a_client_error() -> None:
    words = 'exec: "train": executable file not found in $PATH: unknown'
    ending = refused_start(words)
    assert ending.status == "Failed"
    assert ending.reason == f"ClientError: Artifact upload failed:API error (400): {words}"

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from twinforge.errors import TwinforgeError, UsageError
from twinforge.sagemaker.local.job import LocalJob, check_job, config_pieces, job_env, parse_env

JOB = LocalJob(
    name="words-1",
    recipe="words",
    variant="cpu",
    image_id="sha256:0",
    instance="ml.m5.large",
    channels={"training": "data", "validation": "s3://bucket/data"},
    hyperparameters={"depth": "4"},
    env={"MODE": "fast"},
    region="eu-west-1",
)


def documents(job: LocalJob) -> dict[str, Any]:
    return {
        piece.name: json.loads(piece.source)
        for piece in config_pieces(job)
        if isinstance(piece.source, bytes)
    }


def test_a_job_finds_the_documents_of_the_service() -> None:
    found = documents(JOB)
    channel = {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }
    assert found == {
        "ml/input/config/hyperparameters.json": {"depth": "4"},
        "ml/input/config/inputdataconfig.json": {"training": channel, "validation": channel},
        "ml/input/config/resourceconfig.json": {
            "current_host": "algo-1",
            "current_instance_type": "ml.m5.large",
            "current_group_name": "homogeneousCluster",
            "hosts": ["algo-1"],
            "instance_groups": [
                {
                    "instance_group_name": "homogeneousCluster",
                    "instance_type": "ml.m5.large",
                    "hosts": ["algo-1"],
                }
            ],
            "network_interface_name": "eth0",
        },
    }


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("file://src", "src", '"/opt/ml/code"'),
        ('"file:///a/src"', "/a/src", '"/opt/ml/code"'),
        ("file:///a/b.tar.gz", "/a/b.tar.gz", '"/opt/ml/code/b.tar.gz"'),
        ("s3://bucket/src", "", "s3://bucket/src"),
        ("/opt/ml/input/data/code", "", "/opt/ml/input/data/code"),
        ("[1]", "", "[1]"),
    ],
)
def test_code_of_this_machine_is_in_the_container_where_sagemakers_sdk_puts_it(
    text: str, code: str, told: str
) -> None:
    job = replace(JOB, hyperparameters={"sagemaker_submit_directory": text})
    assert job.code == code
    found = documents(job)["ml/input/config/hyperparameters.json"]
    assert found == {"sagemaker_submit_directory": told}


def test_the_folders_of_a_job_are_there_though_empty() -> None:
    folders = {piece.name for piece in config_pieces(JOB) if piece.source is None}
    assert folders == {
        "ml/input/config",
        "ml/input/data",
        "ml/model",
        "ml/output/data",
        "ml/checkpoints",
    }


def test_the_platform_s_own_variables_can_not_be_replaced() -> None:
    env = job_env(replace(JOB, env={"MODE": "fast", "TRAINING_JOB_NAME": "mine"}))
    assert env == {
        "MODE": "fast",
        "TRAINING_JOB_NAME": "words-1",
        "TRAINING_JOB_ARN": "arn:aws:sagemaker:eu-west-1:123456789012:training-job/words-1",
    }


def test_a_job_that_the_service_takes_is_taken() -> None:
    check_job(JOB)
    check_job(replace(JOB, channels={}, hyperparameters={}, env={}))


def test_all_that_the_service_would_refuse_is_named() -> None:
    wrong = replace(
        JOB,
        name="words_1",
        channels={"no space": "data"},
        hyperparameters={"x": "y" * 2501},
        env={"1st": "x"},
        instance="ml.m5.enormous",
    )
    with pytest.raises(TwinforgeError) as caught:
        check_job(wrong)
    for what in ("words_1", "no space", "2501 characters", "1st", "ml.m5.enormous"):
        assert what in caught.value.message


@pytest.mark.parametrize("seconds", [0, 28 * 86400 + 1])
def test_a_job_runs_a_second_at_least_and_28_days_at_most(seconds: int) -> None:
    with pytest.raises(UsageError, match="1 to 2419200 s"):
        check_job(replace(JOB, max_runtime_s=seconds))


def test_variables_are_pairs_whose_value_may_hold_anything() -> None:
    assert parse_env(("A=1", "B=x=y", "C="), {}) == {"A": "1", "B": "x=y", "C": ""}


def test_a_variable_without_a_value_has_that_of_the_caller() -> None:
    assert parse_env(("TOKEN", "A=1"), {"TOKEN": "x", "A": "2"}) == {"TOKEN": "x", "A": "1"}


@pytest.mark.parametrize("text", ["hunter2", "=hunter2"])
def test_a_variable_that_is_no_pair_is_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_env((text,), {})
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_a_variable_is_given_once() -> None:
    with pytest.raises(UsageError, match="the variable 'A' is given twice"):
        parse_env(("A=1", "A=2"), {})

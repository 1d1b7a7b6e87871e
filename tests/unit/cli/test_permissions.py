from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Run
    from tests.unit.world import World

ACCOUNT = ("--account", "123456789012")
CHINA = ("--region", "cn-north-1")


@pytest.fixture(autouse=True)
def project(world: World) -> World:
    """A project whose matrix names another registry than ECR."""
    return world


def test_a_policy_is_printed_for_the_partition_of_its_regions(run: Run) -> None:
    where = (*ACCOUNT, *CHINA, "--region", "cn-northwest-1")
    ran = run("iam", "predict", "words", "--endpoint", "words-1", *where)
    assert (ran.status, ran.err) == (0, "")
    (predict,) = json.loads(ran.out)["Statement"]
    assert predict["Resource"] == [
        "arn:aws-cn:sagemaker:cn-north-1:123456789012:endpoint/words-1",
        "arn:aws-cn:sagemaker:cn-northwest-1:123456789012:endpoint/words-1",
    ]


def test_the_trust_policy_lets_sagemaker_in_and_nobody_else(run: Run) -> None:
    (statement,) = json.loads(run("iam", "role", "words", "--trust").out)["Statement"]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("operate", "wrods", *ACCOUNT, *CHINA),
            "there is no recipe 'wrods'; did you mean 'words'?",
        ),
        (("operate", "words", *CHINA), "no AWS account is given"),
        (("operate", "words", *ACCOUNT), "no AWS region is given"),
        (("operate", "words", *ACCOUNT, *CHINA, "--region", "eu-west-1"), "of several partitions"),
        (("train", *ACCOUNT, *CHINA), "a policy for 'train' is about a recipe"),
        (("push", "words", *ACCOUNT, *CHINA), "matrix.yaml names no registry of kind ecr"),
        (("predict", "words", *ACCOUNT, *CHINA), "a policy for 'predict' is about an endpoint"),
    ],
)
def test_a_policy_about_nothing_is_refused(run: Run, arguments: tuple[str, ...], told: str) -> None:
    ran = run("iam", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert told in ran.err

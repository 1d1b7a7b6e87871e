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
    ran = run("iam", "push", "words", *ACCOUNT, *CHINA, "--region", "cn-northwest-1")
    assert (ran.status, ran.err) == (0, "")
    login, push = json.loads(ran.out)["Statement"]
    assert login["Resource"] == ["*"]
    assert push["Resource"] == [
        "arn:aws-cn:ecr:cn-north-1:123456789012:repository/ml/words",
        "arn:aws-cn:ecr:cn-northwest-1:123456789012:repository/ml/words",
    ]


def test_the_trust_policy_lets_sagemaker_in_and_nobody_else(run: Run) -> None:
    (statement,) = json.loads(run("iam", "role", "words", "--trust").out)["Statement"]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("push", "wrods", *ACCOUNT, *CHINA), "there is no recipe 'wrods'; did you mean 'words'?"),
        (("push", "words", *CHINA), "no AWS account is given"),
        (("push", "words", *ACCOUNT), "no AWS region is given"),
        (("push", "words", *ACCOUNT, *CHINA, "--region", "eu-west-1"), "of several partitions"),
        (("predict", "words", *ACCOUNT, *CHINA), "a policy for 'predict' is about an endpoint"),
    ],
)
def test_a_policy_about_nothing_is_refused(run: Run, arguments: tuple[str, ...], told: str) -> None:
    ran = run("iam", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert told in ran.err

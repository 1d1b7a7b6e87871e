from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.session import Session

from tests.fakes.sagemaker import FakeSageMaker
from tests.unit.sagemaker.test_hosting import CPU, GPU, ROLE
from tests.unit.sagemaker.test_interrupted import Line, deploy, plan
from twinforge.errors import DeployError, UsageError
from twinforge.model.reference import Digest
from twinforge.sagemaker.iam import KINDS, Scope, plan_policy

SCOPE = Scope(
    "aws", ("eu-west-1",), "123456789012", "digits", "ml/digits", "Digits", ("models",), ROLE
)
NOT_OPERATIONS = {  # actions of IAM that no API operation bears the name of
    "ecr:BatchCheckLayerAvailability",
    "iam:PassRole",
    "s3:ListBucket",
    "sagemaker:InvokeEndpoint",
    "sagemaker:InvokeEndpointAsync",  # of another service's model
}


def statements(kind: Any, scope: Scope = SCOPE) -> list[dict[str, Any]]:
    found = plan_policy(kind, scope)["Statement"]
    assert isinstance(found, list)
    return found


def actions(kind: Any) -> set[str]:
    return {action for one in statements(kind) for action in one["Action"]}


def test_deploy_may_do_what_a_deployment_sends_and_no_more() -> None:
    fake = FakeSageMaker()
    deploy(plan(CPU, GPU), Line(fake))
    fake.runner.broken.add("d" * 64)  # type: ignore[attr-defined] # it is a Pretence
    line = Line(fake)
    new = replace(CPU, pinned=CPU.pinned.with_digest(Digest.parse(f"sha256:{'d' * 64}")))
    with pytest.raises(DeployError, match="does not run"):
        deploy(plan(new), line)
    sent = {
        f"{'logs' if 'Log' in operation else 'sagemaker'}:{operation}"
        for operation in line.asked | {name for name, _ in fake.calls}
    }
    # the role is handed over, and the model may be a training job's
    assert actions("deploy") == sent | {"iam:PassRole", "sagemaker:DescribeTrainingJob"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_action_exists_and_nothing_is_allowed_on_everything_that_can_be_narrowed(
    kind: Any,
) -> None:
    session = Session()
    for action in actions(kind) - NOT_OPERATIONS:
        service, _, operation = action.partition(":")
        known = session.get_service_model(service).operation_names
        assert operation in known, action
    for one in statements(kind):
        if one["Resource"] == ["*"]:
            assert {action.partition(":")[2] for action in one["Action"]} <= {
                "GetAuthorizationToken",
                "ListEndpointConfigs",
                "ListEndpoints",
                "ListModels",
                "PutMetricData",
            }


def test_names_stand_in_arns_as_sagemaker_writes_them() -> None:
    (made, *_) = statements("deploy")
    assert made["Resource"] == [
        "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/digits",
        "arn:aws:sagemaker:eu-west-1:123456789012:endpoint-config/digits-*",
        "arn:aws:sagemaker:eu-west-1:123456789012:model/digits-*",
    ]


def test_a_role_can_be_handed_to_sagemaker_only() -> None:
    (handed,) = (one for one in statements("train") if one["Action"] == ["iam:PassRole"])
    assert handed["Resource"] == [ROLE]
    assert handed["Condition"] == {
        "StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}
    }


@pytest.mark.parametrize(
    ("kind", "lacking", "hint"),
    [
        ("deploy", {"endpoint": ""}, "give --endpoint NAME"),
        ("predict", {"endpoint": ""}, "give --endpoint NAME"),
        ("deploy", {"role": ""}, "give --role ARN"),
        ("train", {"buckets": ()}, "give --bucket NAME"),
    ],
)
def test_a_policy_about_nothing_is_refused(kind: Any, lacking: dict[str, Any], hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan_policy(kind, replace(SCOPE, **lacking))
    assert caught.value.hint == hint

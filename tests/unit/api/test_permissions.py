"""Policies hold exactly what the code asks of AWS, by botocore's own names."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore import xform_name

from twinforge.api.permissions import ACTIONS, DATA_PLANE, RegistryKind, plan_registry_policy
from twinforge.api.permissions import Place as Where
from twinforge.errors import UsageError

if TYPE_CHECKING:
    from tests.unit.world import World

CODE = Path(__file__).parents[3] / "twinforge"
OCI = 'registry: {kind: oci, host: "registry.example.com", repository: "ml/{recipe}"}'
ECR = """registry:
  staging: {kind: ecr, regions: [eu-west-1], repository: "staging/{recipe}"}
  production:
    kind: ecr
    account: "444455556666"
    regions: [cn-north-1, us-gov-west-1]
    repository: "ml/{recipe}"
    kms_key: "arn:aws-cn:kms:cn-north-1:444455556666:key/one"
    scan: {fail_on: HIGH}
"""
ACCOUNT = "111122223333"
KINDS: list[RegistryKind] = ["push", "registry"]


@pytest.fixture
def on_ecr(world: World) -> World:
    world.edit("matrix.yaml", OCI, ECR)
    return world


def policy(on_ecr: World, kind: RegistryKind, **where: Any) -> dict[str, dict[str, Any]]:
    document = plan_registry_policy(on_ecr.workspace, kind, Where(**{"account": ACCOUNT, **where}))
    assert document["Version"] == "2012-10-17"
    statements = {one["Sid"].removeprefix("Twinforge"): one for one in document["Statement"]}
    assert len(statements) == len(document["Statement"])
    return statements


def operations(service: str) -> set[str]:
    model = botocore.session.get_session().get_service_model(service)
    return set(model.operation_names)


def called_by(room: str, service: str) -> set[str]:
    """The operations of a service whose names stand in a room's code, as calls or as texts."""
    names = {xform_name(name): name for name in operations(service)}
    found: set[str] = set()
    for path in (CODE / room).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            word = ""
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                word = node.func.attr
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                word = node.value
            if word in names:
                found.add(names[word])
            elif room == "sagemaker" and word in names.values():
                found.add(word)
    return found


def test_the_actions_of_ecr_are_the_operations_that_the_code_calls() -> None:
    called = called_by("registry", "ecr")
    assert called
    assert set(ACTIONS) - set(DATA_PLANE) == called
    assert set(ACTIONS) <= operations("ecr")


def test_what_reconciling_asks_of_sagemaker_is_what_its_policy_allows(on_ecr: World) -> None:
    found = policy(on_ecr, "registry")
    allowed = {action for one in found.values() for action in one["Action"]}
    called = {f"sagemaker:{name}" for name in called_by("registry", "sagemaker") - {"AddTags"}}
    assert {action for action in allowed if action.startswith("sagemaker:")} == called


def test_a_push_may_log_in_and_write_to_its_repositories_only(on_ecr: World) -> None:
    found = policy(on_ecr, "push", registry="staging")
    assert found["Login"] == {
        "Sid": "TwinforgeLogin",
        "Effect": "Allow",
        "Action": ["ecr:GetAuthorizationToken"],
        "Resource": ["*"],
    }
    assert found["Repositories"]["Resource"] == [
        f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/staging/{recipe}"
        for recipe in ("other", "words")
    ]
    assert "ecr:StartImageScan" not in found["Repositories"]["Action"]
    assert "ecr:PutLifecyclePolicy" not in found["Repositories"]["Action"]
    assert "Key" not in found


def test_regions_have_the_arns_of_their_partition(on_ecr: World) -> None:
    found = policy(on_ecr, "push", registry="production", recipe="words", account="")
    assert found["Repositories"]["Resource"] == [
        "arn:aws-cn:ecr:cn-north-1:444455556666:repository/ml/words",
        "arn:aws-us-gov:ecr:us-gov-west-1:444455556666:repository/ml/words",
    ]
    assert "ecr:StartImageScan" in found["Repositories"]["Action"]
    assert found["Key"]["Resource"] == ["arn:aws-cn:kms:cn-north-1:444455556666:key/one"]
    via = found["Key"]["Condition"]["StringEquals"]["kms:ViaService"]
    assert {"ecr.cn-north-1.amazonaws.com", "ecr.cn-north-1.amazonaws.com.cn"} <= set(via)
    assert "ecr.us-gov-west-1.amazonaws.com.cn" not in via


def test_reconciling_may_not_touch_images(on_ecr: World) -> None:
    found = policy(on_ecr, "registry")
    repositories = found["Repositories"]
    assert found["Endpoints"]["Action"] == [
        *("sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig"),
        "sagemaker:DescribeModel",
    ]
    assert {arn.partition("/")[0].rpartition(":")[2] for arn in found["Endpoints"]["Resource"]} == {
        *("endpoint", "endpoint-config", "model")
    }
    assert {name for name, one in found.items() if one["Resource"] == ["*"]} == {"Lists"}
    assert not {f"ecr:{name}" for name in DATA_PLANE} & set(repositories["Action"])
    assert "ecr:PutLifecyclePolicy" in repositories["Action"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_action_is_a_wildcard_and_every_statement_has_a_resource(
    on_ecr: World, kind: RegistryKind
) -> None:
    for statement in policy(on_ecr, kind).values():
        assert statement["Resource"]
        assert statement["Action"] == sorted(set(statement["Action"]))
        assert not [action for action in statement["Action"] if "*" in action]


def test_an_account_that_nobody_names_is_asked_for(on_ecr: World) -> None:
    with pytest.raises(UsageError, match="the AWS account is not known") as caught:
        policy(on_ecr, "push", account="")
    assert "--account" in caught.value.hint


def test_a_registry_that_is_none_of_ecr_s_has_no_policy(world: World) -> None:
    with pytest.raises(UsageError, match="names no registry of kind ecr"):
        policy(world, "push")


def test_names_that_are_not_there_are_wrong_usage(on_ecr: World) -> None:
    with pytest.raises(UsageError, match="did you mean 'staging'"):
        policy(on_ecr, "push", registry="stagin")
    with pytest.raises(UsageError, match="there is no recipe 'wrds'; did you mean 'words'"):
        policy(on_ecr, "push", recipe="wrds")

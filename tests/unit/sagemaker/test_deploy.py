from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.unit.sagemaker.doubles import FakeService, refused
from twinforge.errors import AwsRefusedError, DeployError, UsageError
from twinforge.events import ignore
from twinforge.sagemaker.deploy import carry_out, prove
from twinforge.sagemaker.deployment import Aim, Deployment, digests_by_variant
from twinforge.sagemaker.endpoint import EndpointState, VariantState
from twinforge.sagemaker.history import Config, rollback_target
from twinforge.sagemaker.make import send_consistently
from twinforge.sagemaker.means import Means
from twinforge.sagemaker.patience import Patience
from twinforge.sagemaker.request import Request
from twinforge.sagemaker.rollout import Rollout, deployment_config

if TYPE_CHECKING:
    from collections.abc import Sequence

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/words"
NOTHING = Request("CreateEndpoint", {})
PLAN = Deployment(
    "words",
    (),
    Request("CreateEndpointConfig", {"EndpointConfigName": "words-new"}),
    NOTHING,
    Request("UpdateEndpoint", {"EndpointName": "words", "EndpointConfigName": "words-new"}),
    Aim("words-new", {"AllTraffic": frozenset({A})}),
)
RUNNING = EndpointState(
    "words", ARN, "InService", "words-new", "", "", (VariantState("AllTraffic", (A,), 1, 1, 1.0),)
)


def sleeper(slept: list[float]) -> Patience:
    return Patience(poll_s=1.0, limit_s=100.0, sleep=slept.append, clock=lambda: sum(slept))


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (RUNNING, ""),
        (replace(RUNNING, status="Failed"), "it is Failed"),
        (replace(RUNNING, config="words-old"), "it runs 'words-old'"),
        (replace(RUNNING, variants=()), "it has no variant 'AllTraffic'"),
        (
            replace(RUNNING, variants=(VariantState("AllTraffic", (), 1, 1, 1.0),)),
            "it does not say which image 'AllTraffic' runs",
        ),
        (
            replace(RUNNING, variants=(VariantState("AllTraffic", (A, B), 1, 1, 1.0),)),
            f"'AllTraffic' runs {B} instead of {A}",
        ),
    ],
)
def test_only_the_configs_name_and_the_images_digests_prove(state: EndpointState, why: str) -> None:
    assert prove(PLAN.aim, state) == why


def test_a_serverless_endpoint_need_not_list_its_images_but_may_not_list_others() -> None:
    aim = replace(PLAN.aim, is_serverless=True)
    silent = replace(RUNNING, variants=(VariantState("AllTraffic", (), 0, 0, 1.0),))
    assert prove(aim, silent) == ""
    other = replace(RUNNING, variants=(VariantState("AllTraffic", (B,), 0, 0, 1.0),))
    assert prove(aim, other).startswith("'AllTraffic' runs")


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (refused('Could not find model "arn:aws:sagemaker:::model/words-1".'), 6),
        (refused("Could not find model WORDS-1."), 6),
        (refused("Requested image words-1@sha256:00 not found."), 1),
        (refused('Could not find model "other".'), 1),
        (refused("words-1 over the limit", "ResourceLimitExceeded"), 1),
        (refused("words-1: not authorized", "AccessDeniedException"), 1),
    ],
)
def test_only_what_names_something_that_exists_is_tried_again(
    error: AwsRefusedError, tries: int
) -> None:
    slept: list[float] = []
    service = FakeService({"CreateEndpoint": [error]})
    with pytest.raises(AwsRefusedError):
        send_consistently(
            Means("deploy", service, service, sleeper(slept), ignore), NOTHING, known=("words-1",)
        )
    assert len(service.calls) == tries
    assert len(slept) == tries - 1
    assert slept == sorted(slept)
    assert sum(slept) < 35


def described(config: str, *digests: str, status: str = "InService") -> dict[str, object]:
    images = [{"ResolvedImage": f"host/name@{digest}"} for digest in digests]
    return {
        "EndpointName": "words",
        "EndpointArn": ARN,
        "EndpointStatus": status,
        "EndpointConfigName": config,
        "ProductionVariants": [{"VariantName": "AllTraffic", "DeployedImages": images}],
    }


def test_a_success_of_sagemakers_that_runs_another_image_is_rolled_back_by_us() -> None:
    service = FakeService(
        {
            "DescribeEndpoint": [
                described("words-old", B),
                described("words-new", B),
                described("words-old", B),
            ],
            "DescribeEndpointConfig": [{}],
            "UpdateEndpoint": [{}],
            "AddTags": [{}],
        }
    )
    logs = FakeService({"DescribeLogStreams": [refused("no", "ResourceNotFoundException")]})
    with pytest.raises(DeployError, match=f"'AllTraffic' runs {B} instead") as caught:
        carry_out(PLAN, Means("deploy", service, logs, sleeper([]), ignore))
    assert caught.value.hint == "it was rolled back to 'words-old'"
    assert "no container got as far as starting" in caught.value.message
    moves = [p["EndpointConfigName"] for name, p in service.calls if name == "UpdateEndpoint"]
    assert moves == ["words-new", "words-old"]


def test_logs_that_can_not_be_read_do_not_hide_the_failure() -> None:
    service = FakeService(
        {
            "DescribeEndpoint": [refused("no"), described("words-new", status="Failed")],
            "DescribeEndpointConfig": [{}],
            "CreateEndpoint": [{}],
        }
    )
    logs = FakeService({"DescribeLogStreams": [refused("no", "AccessDeniedException")]})
    with pytest.raises(DeployError, match="it is Failed") as caught:
        carry_out(PLAN, Means("deploy", service, logs, sleeper([]), ignore))
    assert "the log /aws/sagemaker/Endpoints/words can't be read: no" in caught.value.message


def test_a_pool_may_run_any_of_its_images() -> None:
    config = {
        "ProductionVariants": [
            {
                "VariantName": "v",
                "ModelName": "one",
                "InstancePools": [{"ModelNameOverride": "two"}, {"ModelNameOverride": "gone"}],
            }
        ]
    }
    models = {
        "one": {"PrimaryContainer": {"Image": f"host/name@{A}"}},
        "two": {"PrimaryContainer": {"Image": f"host/name@{B}"}},
        "three": {"PrimaryContainer": {"Image": "host/name:latest"}},
    }
    assert digests_by_variant(config, models) == {"v": frozenset({A, B})}


def configs(*names: str) -> Sequence[Config]:
    made = datetime(2026, 1, 1, tzinfo=UTC)
    return [Config(name, "words", "r", (), made, {}, (), is_current=False) for name in names]


@pytest.mark.parametrize(
    ("current", "before", "asked", "names", "target"),
    [
        ("c", "a", "", ("c", "b", "a"), "a"),  # what it ran, though another was made since
        ("a", "c", "", ("c", "b", "a"), "c"),  # back and forth
        ("c", "gone", "", ("c", "b", "a"), "b"),
        ("c", "c", "", ("c", "b", "a"), "b"),  # the update to it was rolled back
        ("b", "", "", ("c", "b", "a"), "a"),
        ("foreign", "", "", ("b", "a"), "b"),
        ("c", "a", "b", ("c", "b", "a"), "b"),
    ],
)
def test_the_way_back(
    current: str, before: str, asked: str, names: tuple[str, ...], target: str
) -> None:
    state = replace(RUNNING, config=current)
    marks = {"twinforge:previous-config": before}
    assert rollback_target(state, marks, configs(*names), asked=asked).config == target


def test_there_is_no_way_back_from_the_first_or_to_what_is_not_ours() -> None:
    state = replace(RUNNING, config="a")
    with pytest.raises(UsageError, match="has no endpoint config to go back to"):
        rollback_target(state, {}, configs("b", "a"))
    with pytest.raises(UsageError, match="'x' is no endpoint config of 'words'"):
        rollback_target(state, {}, configs("b", "a"), asked="x")


@pytest.mark.parametrize(
    ("rollout", "kind"),
    [
        (Rollout("linear", 25, 60), {"Type": "LINEAR", "LinearStepSize": 25}),
        (Rollout("canary", 10, 60), {"Type": "CANARY", "CanarySize": 10}),
        (Rollout("all-at-once", 0, 60), {"Type": "ALL_AT_ONCE"}),
        (Rollout("", 0, 60, ("alarm",)), {"Type": "ALL_AT_ONCE"}),
    ],
)
def test_each_way_of_moving_traffic_is_a_policy(rollout: Rollout, kind: dict[str, object]) -> None:
    config = deployment_config(rollout)
    assert isinstance(config, dict)
    policy = config["BlueGreenUpdatePolicy"]
    assert isinstance(policy, dict)
    sized = {
        name: value["Value"] if isinstance(value, dict) else value
        for name, value in policy["TrafficRoutingConfiguration"].items()
    }
    assert sized == {"WaitIntervalInSeconds": 60, **kind}
    assert ("AutoRollbackConfiguration" in config) == bool(rollout.alarms)


def test_without_a_wish_the_policy_is_sagemakers() -> None:
    assert deployment_config(Rollout()) is None


@pytest.mark.parametrize(
    ("rollout", "watched_s"),
    [
        (Rollout(), 0),
        (Rollout("", 0, 300, ("alarm",)), 300),
        (Rollout("all-at-once", 0, 300), 300),
        (Rollout("canary", 10, 600), 1200),
        (Rollout("linear", 30, 60), 240),
        (Rollout("rolling", 50, 60), 120),
    ],
)
def test_an_update_is_waited_for_as_long_as_its_steps_are_watched(
    rollout: Rollout, watched_s: int
) -> None:
    assert rollout.watched_s == watched_s


def test_pauses_that_sagemaker_ends_before_the_update_are_refused() -> None:
    deployment_config(Rollout("linear", 10, 3200))
    with pytest.raises(UsageError, match="10 steps with 3600 s between them take 32400 s"):
        deployment_config(Rollout("linear", 10, 3600))

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from tests.fake_ecr import FakeEcr
from twinforge.errors import RegistryError, RegistryRefusedError
from twinforge.events import Event, ignore
from twinforge.model.matrix import Access, Lifecycle, Registry
from twinforge.model.place import Place
from twinforge.registry import repositories
from twinforge.registry.items import AwsAccess
from twinforge.registry.lifecycle import render_lifecycle
from twinforge.registry.repositories import Change, Wanted, apply_plan, plan_regions
from twinforge.registry.running import read_running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REGIONS = ("eu-west-1", "cn-north-1")
RELEASED = f"sha256:{'a' * 64}"
REGISTRY = Registry(
    kind="ecr",
    host="",
    account="",
    regions=REGIONS,
    repository="ml/{recipe}",
    scan_on_push=True,
    place=Place("matrix.yaml", 1, 1),
    lifecycle=Lifecycle(20, 14),
    tags={"team": "ml"},
    access=Access(sagemaker=True, accounts=("444455556666",)),
)
WANTED = Wanted("ml/digits", ("latest-*",), frozenset({"1.2.0"}), frozenset({RELEASED}))


RUNNING = f"sha256:{'e' * 64}"


@pytest.fixture
def ecr(monkeypatch: pytest.MonkeyPatch) -> FakeEcr:
    found = FakeEcr()
    monkeypatch.setattr(repositories, "read_running", lambda *_: {RUNNING: "digits-prod"})
    monkeypatch.setattr(repositories, "connect_sagemaker", lambda *_: None)
    monkeypatch.setattr(repositories, "connect_ecr", found.connect)
    monkeypatch.setattr("twinforge.registry.preview.time.sleep", lambda _: None)
    return found


def changes(registry: Registry = REGISTRY, wanted: Wanted = WANTED) -> list[Change]:
    plans = plan_regions(registry, [wanted], access=AwsAccess())
    return [change for plan in plans for change in plan.changes]


def apply(registry: Registry = REGISTRY, wanted: Wanted = WANTED) -> Sequence[Change]:
    return apply_plan(plan_regions(registry, [wanted], access=AwsAccess()), ignore)


def aspects(found: Sequence[Change]) -> list[tuple[str, str]]:
    return [(change.region, change.aspect) for change in found]


def test_what_is_missing_is_made_in_every_region_and_then_nothing_differs(ecr: FakeEcr) -> None:
    events: list[Event] = []
    plans = plan_regions(REGISTRY, [WANTED], access=AwsAccess())
    assert ecr.writes == []
    done = apply_plan(plans, events.append)
    made = ["repository", "policy", "lifecycle"]
    assert aspects(done) == [(region, aspect) for region in REGIONS for aspect in made]
    assert sorted(event.text for event in events) == sorted(
        f"{aspect} in {region}" for region in REGIONS for aspect in made
    )
    for region in REGIONS:
        found = ecr.repositories[region, "ml/digits"]
        assert found["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
        assert found["imageTagMutabilityExclusionFilters"] == [
            {"filterType": "WILDCARD", "filter": "latest-*"}
        ]
        assert found["imageScanningConfiguration"] == {"scanOnPush": True}
        assert ecr.tags[found["repositoryArn"]] == {"team": "ml"}
    ecr.calls.clear()
    assert changes() == []
    assert list(apply()) == []
    assert ecr.writes == []


def test_only_what_differs_is_sent(ecr: FakeEcr) -> None:
    apply()
    ecr.calls.clear()
    other = replace(REGISTRY, scan_on_push=False, tags={"team": "ml", "stage": "prod"})
    found = apply(other)
    assert aspects(found)[:2] == [("eu-west-1", "scan on push"), ("eu-west-1", "tags")]
    sent = ["put_image_scanning_configuration", "tag_resource"]
    assert sorted(ecr.writes) == sorted(sent * len(REGIONS))
    assert found[0].diff() == "- scan on push: on\n+ scan on push: off"
    assert found[1].diff() == "+ stage=prod"


def test_tags_that_could_all_move_are_frozen_but_for_the_aliases(ecr: FakeEcr) -> None:
    apply()
    found = ecr.repositories["eu-west-1", "ml/digits"]
    found["imageTagMutability"] = "MUTABLE"
    del found["imageTagMutabilityExclusionFilters"]
    (change,) = changes()
    assert change.diff() == "- MUTABLE\n+ IMMUTABLE_WITH_EXCLUSION latest-*"
    apply()
    assert changes() == []


def test_the_policy_lets_sagemaker_and_other_accounts_pull_by_the_region_s_partition(
    ecr: FakeEcr,
) -> None:
    apply()
    for region, partition in zip(REGIONS, ("aws", "aws-cn"), strict=True):
        policy = json.loads(ecr.policies[region, "ml/digits"])
        service, accounts = policy["Statement"]
        assert service["Principal"] == {"Service": "sagemaker.amazonaws.com"}
        assert accounts["Principal"] == {"AWS": [f"arn:{partition}:iam::444455556666:root"]}
        assert accounts["Action"] == [
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
        ]


def test_statements_of_others_stay_and_the_form_that_aws_gives_back_is_no_difference(
    ecr: FakeEcr,
) -> None:
    apply()
    place = ("eu-west-1", "ml/digits")
    policy = json.loads(ecr.policies[place])
    theirs = {"Sid": "Audit", "Effect": "Deny", "Principal": "*", "Action": ["ecr:PutImage"]}
    policy["Statement"].insert(0, theirs)
    for statement in policy["Statement"]:
        statement["Action"].reverse()
    policy["Statement"][0]["Action"] = "ecr:PutImage"
    ecr.policies[place] = json.dumps(policy)
    assert changes() == []
    nobody = replace(REGISTRY, access=Access(sagemaker=False, accounts=()))
    apply(nobody)
    kept = json.loads(ecr.policies[place])["Statement"]
    assert [one["Sid"] for one in kept] == ["Audit"]
    assert ("cn-north-1", "ml/digits") not in ecr.policies
    assert changes(nobody) == []


def test_what_the_matrix_does_not_speak_of_is_left_alone(ecr: FakeEcr) -> None:
    apply()
    silent = replace(REGISTRY, lifecycle=None, tags=None, access=None)
    ecr.calls.clear()
    assert changes(silent) == []
    assert {name for _, name, _ in ecr.calls} == {"describe_repositories"}


def test_the_release_is_kept_by_rules_that_come_first() -> None:
    rules = json.loads(render_lifecycle(Lifecycle(20, 14), {"1.2.0", "1.1.0"}))["rules"]
    assert [rule["rulePriority"] for rule in rules] == [1, 2, 3, 4]
    assert [rule["selection"].get("tagPrefixList") for rule in rules] == [
        ["1.1.0-"],
        ["1.2.0-"],
        ["key-"],
        None,
    ]
    assert rules[2]["selection"]["countNumber"] == 20
    assert rules[3]["selection"] == {
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countUnit": "days",
        "countNumber": 14,
    }
    assert len(json.loads(render_lifecycle(Lifecycle(20, 0), ()))["rules"]) == 1


def test_more_versions_than_rules_are_an_error() -> None:
    with pytest.raises(RegistryError, match="49 released versions need 51 rules, and ECR takes 50"):
        render_lifecycle(Lifecycle(20, 14), {f"1.{n}.0" for n in range(49)})


def expiry(digest: str, *tags: str) -> dict[str, object]:
    return {"imageDigest": digest, "imageTags": list(tags), "action": {"type": "EXPIRE"}}


def test_a_policy_is_previewed_and_says_how_much_it_deletes(ecr: FakeEcr) -> None:
    apply(replace(REGISTRY, lifecycle=None))
    ecr.expiring = [expiry(f"sha256:{n:064}") for n in range(3)]
    found = changes(replace(REGISTRY, regions=REGIONS[:1]))
    assert [(one.aspect, one.note) for one in found] == [
        ("lifecycle", "would delete 3 of its images now")
    ]


def test_a_policy_that_would_delete_a_release_is_an_error_and_nothing_is_sent(
    ecr: FakeEcr,
) -> None:
    apply(replace(REGISTRY, lifecycle=None))
    ecr.calls.clear()
    ecr.expiring = [expiry(f"sha256:{'b' * 64}"), expiry(RELEASED, "1.2.0-cpu")]
    with pytest.raises(RegistryError) as caught:
        apply(replace(REGISTRY, regions=REGIONS[:1]))
    assert caught.value.message == (
        "the lifecycle policy of 'ml/digits' in eu-west-1 would delete "
        f"{RELEASED} (1.2.0-cpu), which is released"
    )
    assert ecr.writes == []


def test_a_policy_that_would_delete_what_an_endpoint_runs_is_an_error(ecr: FakeEcr) -> None:
    apply(replace(REGISTRY, lifecycle=None))
    ecr.expiring = [expiry(f"sha256:{'b' * 64}"), expiry(RUNNING)]
    with pytest.raises(RegistryError, match=f"{RUNNING}, which the endpoint 'digits-prod' runs$"):
        changes(replace(REGISTRY, regions=REGIONS[:1]))


ARN = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/x"
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def image(digit: str) -> str:
    return f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml/digits@sha256:{digit * 64}"


def listed(name: str) -> dict[str, Any]:
    return {
        "EndpointName": name,
        "EndpointArn": ARN,
        "CreationTime": WHEN,
        "LastModifiedTime": WHEN,
        "EndpointStatus": "InService",
    }


@pytest.fixture
def sagemaker() -> Iterator[tuple[Any, Stubber]]:
    client = boto3.session.Session("key", "secret", region_name="eu-west-1").client("sagemaker")
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


def test_what_endpoints_run_is_read_by_digest_and_page_by_page(sagemaker: Any) -> None:
    client, stub = sagemaker
    for name, more, asked in (
        ("first", {"NextToken": "t"}, {}),
        ("second", {}, {"NextToken": "t"}),
    ):
        stub.add_response("list_endpoints", {"Endpoints": [listed(name)], **more}, asked)
        variants = [
            {"VariantName": "cpu", "DeployedImages": [{"ResolvedImage": image("e")}]},
            {"VariantName": "old"},
        ]
        described = {
            **listed(name),
            "ProductionVariants": variants if name == "second" else variants[1:],
        }
        stub.add_response("describe_endpoint", described, {"EndpointName": name})
    assert read_running(client, "eu-west-1") == {RUNNING: "second"}


def test_what_an_endpoint_s_configs_name_counts_though_nothing_says_that_it_runs(
    sagemaker: Any,
) -> None:
    """A serverless endpoint does not say what it runs, and an update is on its way to its images."""
    client, stub = sagemaker
    names = [listed("one"), listed("two")]
    stub.add_response("list_endpoints", {"Endpoints": names}, {})
    described = {
        **listed("one"),
        "EndpointConfigName": "serverless",
        "ProductionVariants": [{"VariantName": "v"}],
        "PendingDeploymentSummary": {
            "EndpointConfigName": "pool",
            "ProductionVariants": [
                {"VariantName": "v", "DeployedImages": [{"ResolvedImage": image("b")}]}
            ],
        },
    }
    stub.add_response("describe_endpoint", described, {"EndpointName": "one"})
    config = {"EndpointConfigArn": ARN, "CreationTime": WHEN}
    model = {"ModelArn": ARN, "CreationTime": WHEN}
    stub.add_response(
        "describe_endpoint_config",
        {
            **config,
            "EndpointConfigName": "serverless",
            "ProductionVariants": [{"VariantName": "v", "ModelName": "m1"}],
        },
        {"EndpointConfigName": "serverless"},
    )
    primary = {"PrimaryContainer": {"Image": image("a")}}
    stub.add_response("describe_model", {**model, "ModelName": "m1", **primary})
    pools = [{"InstanceType": "ml.m5.large", "Priority": 1, "ModelNameOverride": "m2"}]
    stub.add_response(
        "describe_endpoint_config",
        {
            **config,
            "EndpointConfigName": "pool",
            "ProductionVariants": [{"VariantName": "v", "InstancePools": pools}],
            "ShadowProductionVariants": [{"VariantName": "s", "ModelName": "gone"}],
        },
        {"EndpointConfigName": "pool"},
    )
    several = {"Containers": [{"Image": image("c")}, {"Image": "host/name:tag"}]}
    stub.add_response("describe_model", {**model, "ModelName": "m2", **several})
    stub.add_client_error("describe_model", "ValidationException", "Could not find model")
    same = {**listed("two"), "EndpointConfigName": "serverless"}  # which is not asked for again
    stub.add_response("describe_endpoint", same, {"EndpointName": "two"})
    found = read_running(client, "eu-west-1")
    assert found == {f"sha256:{digit * 64}": "one" for digit in "abc"}


def test_an_endpoint_that_is_deleted_meanwhile_is_left_out_and_any_other_no_is_told(
    sagemaker: Any,
) -> None:
    client, stub = sagemaker
    stub.add_response("list_endpoints", {"Endpoints": [listed("gone")]}, {})
    stub.add_client_error("describe_endpoint", "ValidationException", "Could not find endpoint")
    assert read_running(client, "eu-west-1") == {}
    stub.add_response("list_endpoints", {"Endpoints": [listed("hidden")]}, {})
    stub.add_client_error("describe_endpoint", "AccessDeniedException", "no")
    with pytest.raises(RegistryRefusedError, match="AccessDeniedException"):
        read_running(client, "eu-west-1")


@pytest.mark.parametrize("status", ["FAILED", "EXPIRED"])
def test_a_preview_that_failed_is_no_permission(ecr: FakeEcr, status: str) -> None:
    apply(replace(REGISTRY, lifecycle=None))
    ecr.previews = [status]
    with pytest.raises(RegistryError, match=f"eu-west-1 is {status}"):
        changes(replace(REGISTRY, regions=REGIONS[:1]))


@pytest.mark.parametrize(
    ("there", "asked", "text"),
    [
        ("", "aws", "encrypted with AES256"),
        ("", "alias/ml", "encrypted with AES256"),
        ("arn:aws:kms:eu-west-1:1:key/one", "arn:aws:kms:eu-west-1:1:key/two", "KMS with arn:aws"),
    ],
)
def test_a_key_can_t_be_changed_and_the_error_says_both(
    ecr: FakeEcr, there: str, asked: str, text: str
) -> None:
    one = replace(REGISTRY, regions=REGIONS[:1])
    apply(replace(one, kms_key=there))
    ecr.calls.clear()
    with pytest.raises(RegistryError, match=text) as caught:
        apply(replace(one, kms_key=asked))
    assert f"wants the KMS key '{asked}'" in caught.value.message
    assert "needs a new one" in caught.value.hint
    assert ecr.writes == []


@pytest.mark.parametrize("asked", ["aws", "alias/ml", "arn:aws:kms:eu-west-1:1:key/one", "one"])
def test_a_key_that_may_be_the_one_that_is_there_is_no_difference(ecr: FakeEcr, asked: str) -> None:
    key = "arn:aws:kms:eu-west-1:1:key/one"
    apply(replace(REGISTRY, kms_key=key))
    assert ecr.repositories["eu-west-1", "ml/digits"]["encryptionConfiguration"] == {
        "encryptionType": "KMS",
        "kmsKey": key,
    }
    assert changes(replace(REGISTRY, kms_key=asked)) == []

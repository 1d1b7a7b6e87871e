"""``deploy`` and ``endpoint`` against a SageMaker that keeps state, over HTTP and through boto3."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.engine.aws_world import CUDA, MODEL, QUICK, REPOSITORY, ROLE, digest
from tests.fakes.hosting import PING

if TYPE_CHECKING:
    from tests.engine.aws_world import AwsWorld

pytestmark = pytest.mark.engine  # not for an engine, but since it speaks over a socket

CREATE = ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]
UPDATE = ["CreateModel", "CreateEndpointConfig", "UpdateEndpoint", "AddTags"]


def test_a_first_deployment_makes_everything_and_proves_what_runs(aws: AwsWorld) -> None:
    ran = aws.deploy("--json")
    assert ran.status == 0, ran.err
    assert aws.fake.writes == CREATE
    assert ran.json["proved"]
    assert ran.json["digests"] == {"AllTraffic": [digest("a")]}
    assert aws.fake.endpoints["words"].config == ran.json["config"]
    assert "note: Creating" in ran.err


def test_the_same_again_is_a_success_without_a_write(aws: AwsWorld) -> None:
    first = aws.deploy("--json").json
    aws.fake.calls.clear()
    second = aws.deploy("--json")
    assert second.status == 0
    assert aws.fake.writes == []
    assert second.json == {**first, "already": True, "previous": first["config"]}


def test_an_update_moves_to_another_image_and_remembers_the_old_config(aws: AwsWorld) -> None:
    old = aws.deploy("--json").json["config"]
    aws.release("1.1.0", cpu="c")
    aws.fake.calls.clear()
    new = aws.deploy("--json").json
    assert aws.fake.writes == UPDATE
    assert (new["previous"], new["digests"]) == (old, {"AllTraffic": [digest("c")]})
    back = aws.must("endpoint", "rollback", "words", "--json", *QUICK).json
    assert (back["to"], back["runs"]) == (old, old)
    again = aws.must("endpoint", "rollback", "words", "--json", *QUICK).json
    assert again["runs"] == new["config"]


def test_an_update_that_sagemaker_rolls_back_is_a_failure_with_reason_and_log(
    aws: AwsWorld,
) -> None:
    old = aws.deploy("--json").json["config"]
    aws.release("1.1.0", cpu="c")
    aws.pretence.broken.add(digest("c"))
    ran = aws.deploy()
    assert (ran.status, ran.out) == (1, "")
    endpoint = aws.fake.endpoints["words"]
    assert (endpoint.status, endpoint.config) == ("InService", old)
    assert f"it runs '{old}'" in ran.err
    assert f"reason: {PING.format('AllTraffic')}" in ran.err
    assert "  libcuda.so.1: no such file" in ran.err
    assert f"hint: SageMaker rolled it back; it serves '{old}' as before" in ran.err


def test_a_first_deployment_that_fails_says_why_and_how_to_clear_up(aws: AwsWorld) -> None:
    aws.pretence.broken.add(digest("a"))
    ran = aws.deploy()
    assert ran.status == 1
    assert "does not run" in ran.err
    assert "it is Failed" in ran.err
    assert "libcuda.so.1" in ran.err
    assert "`twinforge endpoint delete words`" in ran.err
    again = aws.deploy()
    assert again.status == 1
    assert "is Failed: The primary container" in again.err
    assert aws.must("endpoint", "delete", "words", *QUICK).out == "words: deleted\n"
    aws.pretence.broken.clear()
    aws.fake.calls.clear()
    assert aws.deploy().status == 0
    assert aws.fake.writes == ["CreateEndpoint"]


def test_a_roll_back_that_fails_too_is_told_apart_and_can_be_repaired(aws: AwsWorld) -> None:
    old = aws.deploy("--json").json["config"]
    aws.release("1.1.0", cpu="c")
    aws.pretence.broken.add(digest("c"))
    aws.fake.rollback_fails = True
    ran = aws.deploy()
    assert ran.status == 1
    assert "it is UpdateRollbackFailed" in ran.err
    assert "`twinforge endpoint rollback words`" in ran.err
    aws.must("endpoint", "rollback", "words", "--to", old, *QUICK)
    assert aws.fake.endpoints["words"].status == "InService"


def test_what_is_not_visible_yet_is_tried_again(aws: AwsWorld) -> None:
    aws.fake.lag = 2
    aws.fake.role_lag = 1
    ran = aws.deploy()
    assert ran.status == 0, ran.err
    assert aws.fake.writes == CREATE
    assert ran.err.count("not visible everywhere yet") == 5


def test_a_definite_no_is_not_tried_again(aws: AwsWorld) -> None:
    aws.fake.unknown_images.add(digest("a"))
    ran = aws.deploy()
    assert ran.status == 1
    assert f"Requested image {REPOSITORY}@{digest('a')} not found." in ran.err
    assert "trying again" not in ran.err
    assert aws.fake.writes == []


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        ("ResourceLimitExceeded", "The limit 'ml.m5.large' is 0", "answers ResourceLimitExceeded"),
        ("AccessDeniedException", "not authorized", "answers AccessDeniedException"),
        ("ExpiredTokenException", "expired", "hint: see 'aws sts get-caller-identity'"),
    ],
)
def test_a_refusal_of_aws_is_shown_and_leaves_nothing_half_done(
    aws: AwsWorld, code: str, said: str, told: str
) -> None:
    aws.fake.fail_next("CreateEndpoint", code, said)
    ran = aws.deploy()
    assert ran.status == 1
    assert told in ran.err
    assert aws.fake.endpoints == {}
    assert aws.deploy().status == 0  # the same command again goes on where this one ended


def test_throttling_is_waited_out(aws: AwsWorld) -> None:
    aws.fake.fail_next("CreateModel", "ThrottlingException", "Rate exceeded", times=2)
    assert aws.deploy().status == 0
    assert aws.fake.writes == CREATE


def test_an_interrupted_run_is_taken_up_by_the_next(aws: AwsWorld) -> None:
    started = aws.deploy("--no-wait", "--json")
    assert (started.json["proved"], started.json["digests"]) == (False, {})
    aws.fake.calls.clear()
    ran = aws.deploy("--json")
    assert (ran.status, ran.json["proved"]) == (0, True)
    assert aws.fake.writes == []


def test_an_endpoint_on_its_way_elsewhere_is_left_alone(aws: AwsWorld) -> None:
    aws.deploy()
    aws.release("1.1.0", cpu="c")
    aws.deploy("--no-wait")
    aws.release("1.2.0", cpu="d")
    ran = aws.deploy()
    assert ran.status == 1
    assert "the endpoint 'words' is Updating to 'words-" in ran.err


def test_patience_ends_and_the_update_goes_on(aws: AwsWorld) -> None:
    aws.fake.steps = 10_000
    ran = aws.deploy("--timeout", "0.05")
    assert ran.status == 1
    assert "is still Creating after" in ran.err
    assert "`twinforge endpoint status words`" in ran.err


def test_several_instance_types_run_their_own_images(aws: AwsWorld) -> None:
    ran = aws.deploy("--instance", "ml.g5.xlarge:2", "--json", instance="ml.m5.large:3")
    assert ran.status == 0, ran.err
    assert ran.json["digests"] == {
        "ml-m5-large": [digest("a")],
        "ml-g5-xlarge": [digest("b")],
    }
    assert "select ml.g5.xlarge: note: cu129-debian12-py3.11: " in ran.err
    assert "\n  InferenceAmiVersion 'al2" in ran.err
    (config,) = aws.fake.configs.values()
    _, gpu = config["asked"]["ProductionVariants"]
    assert gpu["InferenceAmiVersion"].startswith("al2")
    status = aws.must("endpoint", "status", "words").out
    assert "ml-g5-xlarge" in status
    assert digest("b")[:19] in status


def test_a_pool_takes_what_has_capacity_with_the_image_for_it(aws: AwsWorld) -> None:
    aws.fake.no_capacity.add("ml.m5.large")
    ran = aws.deploy("--instance", "ml.c5.large", "--pool", "--json")
    assert ran.status == 0, ran.err
    (config,) = aws.fake.configs.values()
    (variant,) = config["asked"]["ProductionVariants"]
    assert "InstanceType" not in variant
    assert [pool["InstanceType"] for pool in variant["InstancePools"]] == [
        "ml.m5.large",
        "ml.c5.large",
    ]
    assert {pool["ModelNameOverride"] for pool in variant["InstancePools"]} == {*aws.fake.models}


def test_types_that_need_different_amis_make_no_pool(aws: AwsWorld) -> None:
    ran = aws.deploy("--instance", "ml.g5.xlarge", "--pool")
    assert ran.status == 4
    assert "a pool has one AMI version" in ran.err
    assert aws.fake.calls == []


def test_a_serverless_endpoint_has_no_instances(aws: AwsWorld) -> None:
    ran = aws.deploy("--serverless", "2048:5", "--json", instance="")
    assert ran.status == 0, ran.err
    (config,) = aws.fake.configs.values()
    (variant,) = config["asked"]["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    assert not {"InstanceType", "InitialInstanceCount"} & set(variant)


def test_an_asynchronous_endpoint_writes_to_s3(aws: AwsWorld) -> None:
    assert aws.deploy("--async", "s3://models/answers").status == 0
    (config,) = aws.fake.configs.values()
    output = config["asked"]["AsyncInferenceConfig"]["OutputConfig"]
    assert output == {
        "S3OutputPath": "s3://models/answers",
        "S3FailurePath": "s3://models/answers/failures",
    }


def test_a_guarded_update_carries_its_steps_and_alarms(aws: AwsWorld) -> None:
    aws.deploy()
    aws.release("1.1.0", cpu="c")
    ran = aws.deploy("--canary", "10", "--bake", "60", "--alarm", "errors", "--alarm", "latency")
    assert ran.status == 0, ran.err
    assert aws.fake.endpoints["words"].deployment == {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "WaitIntervalInSeconds": 60,
                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
            }
        },
        "AutoRollbackConfiguration": {
            "Alarms": [{"AlarmName": "errors"}, {"AlarmName": "latency"}]
        },
    }


@pytest.mark.parametrize(("options", "count"), [((), 1), (("--keep-counts",), 7)])
def test_what_autoscaling_has_set_is_kept_where_that_is_asked_for(
    aws: AwsWorld, options: tuple[str, ...], count: int
) -> None:
    aws.deploy()
    aws.fake.endpoints["words"].scaled["AllTraffic"] = 7
    aws.release("1.1.0", cpu="c")
    assert aws.deploy(*options).status == 0
    (variant,) = aws.fake.handle("DescribeEndpoint", {"EndpointName": "words"})[
        "ProductionVariants"
    ]
    assert variant["DesiredInstanceCount"] == count


def test_dry_run_prints_every_request_and_asks_nobody(aws: AwsWorld) -> None:
    ran = aws.deploy("--dry-run", "--rolling", "20")
    assert (ran.status, aws.fake.calls) == (0, [])
    operations = [request["operation"] for request in ran.json]
    assert operations == [*CREATE, "UpdateEndpoint"]
    assert "RollingUpdatePolicy" in ran.json[-1]["parameters"]["DeploymentConfig"]
    assert ran.json[-2]["when"] == "the endpoint is not there"


def test_without_credentials_region_or_network_there_is_one_clear_error(
    aws: AwsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    cut = aws.run("endpoint", "status", "words")
    assert cut.status == 1
    assert "error: DescribeEndpoint: sagemaker can't be reached: " in cut.err
    monkeypatch.delenv("AWS_REGION")
    lost = aws.run("endpoint", "status", "words")
    assert lost.err == (
        "error: DescribeEndpoint: no AWS region is given\nhint: give --region, or set AWS_DEFAULT_REGION\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    nobody = aws.deploy()
    assert nobody.status == 1
    assert "there are no AWS credentials" in nobody.err
    assert "hint: run 'aws configure' or 'aws sso login'" in nobody.err
    unknown = aws.run("endpoint", "status", "words", "--profile", "nobody")
    assert "there is no such AWS profile" in unknown.err


def test_history_lists_what_we_made_for_the_endpoint_and_for_no_other(aws: AwsWorld) -> None:
    configs = []
    for version, digit in (("1.0.0", "a"), ("1.1.0", "c"), ("1.2.0", "d")):
        aws.release(version, cpu=digit)
        configs.append(aws.deploy("--json").json["config"])
    aws.must(
        *("deploy", "words", "--endpoint", "words-2", "--instance", "ml.m5.large"),
        *("--model", MODEL, "--role", ROLE, *QUICK),
    )
    found = aws.must("endpoint", "history", "words", "--json").json
    assert [one["config"] for one in found] == configs[::-1]
    assert [one["current"] for one in found] == [True, False, False]
    assert found[1]["digests"] == {"AllTraffic": [digest("c")]}
    table = aws.must("endpoint", "history", "words").out
    assert "current" in table.splitlines()[1]


def test_there_is_nothing_to_roll_back_a_first_deployment_to(aws: AwsWorld) -> None:
    aws.deploy()
    ran = aws.run("endpoint", "rollback", "words")
    assert ran.status == 2
    assert "has no endpoint config to go back to" in ran.err
    other = aws.run("endpoint", "rollback", "words", "--to", "words-no")
    assert (other.status, "hint: its configs: words-" in other.err) == (2, True)


def test_gc_deletes_what_is_ours_unused_and_old_and_nothing_else(aws: AwsWorld) -> None:
    configs = []
    for version, digit in (("1.0.0", "a"), ("1.1.0", "c"), ("1.2.0", "d"), ("1.3.0", "e")):
        aws.release(version, cpu=digit)
        configs.append(aws.deploy("--json").json["config"])
    container = {"Image": f"{REPOSITORY}@{digest('a')}", "ModelDataUrl": MODEL}
    aws.fake.handle(
        "CreateModel",
        {"ModelName": "theirs", "PrimaryContainer": container, "ExecutionRoleArn": ROLE},
    )
    young = aws.must("endpoint", "gc", "--dry-run", "--json", "--min-age", "999999999").json
    assert young == {"configs": [], "models": []}
    aws.fake.calls.clear()
    previewed = aws.must("endpoint", "gc", "--dry-run", "--json").json
    assert aws.fake.writes == []
    assert previewed["configs"] == sorted(configs[:1])  # 1.3.0 runs, 1.2.0 is before, 1.1.0 is kept
    done = aws.must("endpoint", "gc", "--json").json
    assert done == previewed
    assert set(aws.fake.configs) == set(configs[1:])
    assert "theirs" in aws.fake.models
    assert len(aws.fake.models) == 4
    assert aws.must("endpoint", "gc", "--keep", "0", "--json").json["configs"] == configs[1:2]
    assert aws.must("endpoint", "rollback", "words", "--json", *QUICK).json["to"] == configs[2]


def test_a_deleted_endpoint_is_gone_and_can_be_deployed_again_from_what_stayed(
    aws: AwsWorld,
) -> None:
    aws.deploy()
    assert "would be deleted" in aws.must("endpoint", "delete", "words", "--dry-run").out
    assert "words" in aws.fake.endpoints
    aws.must("endpoint", "delete", "words", *QUICK)
    assert aws.fake.endpoints == {}
    assert aws.must("endpoint", "delete", "words", *QUICK).out == "words: was not there\n"
    assert aws.run("endpoint", "status", "words").status == 2


def test_a_variant_can_be_insisted_on(aws: AwsWorld) -> None:
    ran = aws.deploy("--variant", CUDA, "--json")
    assert ran.status == 4
    assert "has no NVIDIA GPU" in ran.err


def test_a_registry_that_sagemaker_does_not_know_is_refused_before_aws_is_asked(
    aws: AwsWorld,
) -> None:
    path = aws.root / "releases/words.json"
    text = path.read_text().replace(REPOSITORY, "registry.example.com/ml/words")
    path.write_text(json.dumps(json.loads(text)))
    ran = aws.deploy()
    assert ran.status == 4
    assert "'registry.example.com' is another registry" in ran.err
    assert aws.fake.calls == []


def test_an_endpoint_that_is_not_ours_has_no_history(aws: AwsWorld) -> None:
    ran = aws.run("endpoint", "history", "strange")
    assert (ran.status, ran.out) == (2, "")
    assert "no endpoint config that Twinforge made for an endpoint 'strange'" in ran.err


def test_where_nothing_is_left_over_nothing_is_deleted(aws: AwsWorld) -> None:
    assert aws.deploy().status == 0
    assert aws.must("endpoint", "gc", "--min-age", "0").out == "nothing to delete\n"
    assert aws.must("endpoint", "gc", "--json").json == {"configs": [], "models": []}


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("s3://models/words/", "SageMaker takes one archive, s3://.../NAME.tar.gz"),
        ("s3://models/words/model.zip", "SageMaker takes one archive"),
        ("./model.tar.gz", "neither an S3 address nor the name of a training job"),
    ],
)
def test_a_model_that_sagemaker_does_not_take_is_refused_before_it_is_asked(
    aws: AwsWorld, model: str, told: str
) -> None:
    ran = aws.deploy("--model", model)
    assert ran.status == 2
    assert told in ran.err
    assert aws.fake.calls == []


def test_an_endpoint_of_others_can_go_back_to_what_it_ran_before(aws: AwsWorld) -> None:
    client = aws.sagemaker()
    container = {"Image": f"{REPOSITORY}@{digest('9')}", "ModelDataUrl": MODEL}
    client.create_model(ModelName="theirs", PrimaryContainer=container, ExecutionRoleArn=ROLE)
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": "theirs",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    client.create_endpoint_config(EndpointConfigName="theirs", ProductionVariants=[variant])
    client.create_endpoint(EndpointName="words", EndpointConfigName="theirs")
    while client.describe_endpoint(EndpointName="words")["EndpointStatus"] == "Creating":
        pass
    ours = aws.deploy("--json").json
    assert ours["previous"] == "theirs"
    listed = aws.must("endpoint", "history", "words", "--json").json
    assert [one["config"] for one in listed] == [ours["config"]]
    assert aws.must("endpoint", "rollback", "words", *QUICK).out == "words: runs theirs\n"
    assert aws.fake.endpoints["words"].config == "theirs"
    assert aws.must("endpoint", "gc", "--min-age", "0", "--keep", "0", "--dry-run").out == (
        "nothing to delete\n"
    )


def test_an_endpoint_on_its_way_is_not_rolled_back_and_says_where_it_goes(aws: AwsWorld) -> None:
    assert aws.deploy().status == 0
    aws.release("1.1.0", cpu="c")
    on_its_way = aws.deploy("--no-wait", "--json").json["config"]
    ran = aws.run("endpoint", "rollback", "words", "--dry-run")
    assert ran.status == 1
    assert f"the endpoint 'words' is Updating to '{on_its_way}'" in ran.err
    assert "hint: wait until it has come to rest" in ran.err

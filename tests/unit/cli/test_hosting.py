from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from twinforge.registry.releases import Release, ReleasedVariant, write_release

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Run
    from tests.unit.world import World

REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml/words"
DIGEST = f"sha256:{'a' * 64}"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
MODEL = "s3://bucket/model.tar.gz"
DEPLOY = ("deploy", "words", "--endpoint", "words", "--model", MODEL, "--role", ROLE, "--dry-run")
TRAIN = ("train", "words", "--output", "s3://bucket/out", "--role", ROLE, "--dry-run")
CPU = ("--instance", "ml.m5.large")


@pytest.fixture(autouse=True)
def released(world: World) -> World:
    """A CPU image of the recipe, pushed."""
    variant = ReleasedVariant(
        slug="cpu-debian12-py3.11",
        version="1.0.0",
        accelerator="cpu",
        cuda="",
        key="a" * 64,
        image_id=DIGEST,
        tags=("1.0.0-cpu-debian12-py3.11",),
        aliases=(),
        digests={REPOSITORY: DIGEST},
    )
    write_release(world.root, Release("words", (variant,)))
    return world


def test_a_deployment_is_printed_as_requests_without_a_network(run: Run) -> None:
    ran = run(*DEPLOY, "--instance", "ml.m5.large:2")
    assert ran.status == 0
    assert ran.err.startswith("select ml.m5.large: note: cpu-debian12-py3.11: ml.m5.large is amd64")
    assert run("--quiet", *DEPLOY, "--instance", "ml.m5.large:2").err == ""
    model, config, create, update = json.loads(ran.out)
    assert model["parameters"]["PrimaryContainer"]["Image"] == f"{REPOSITORY}@{DIGEST}"
    (placed,) = config["parameters"]["ProductionVariants"]
    assert (placed["InstanceType"], placed["InitialInstanceCount"]) == ("ml.m5.large", 2)
    assert (create["operation"], update["operation"]) == ("CreateEndpoint", "UpdateEndpoint")
    assert create["parameters"]["EndpointName"] == update["parameters"]["EndpointName"] == "words"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ((), 2, "an endpoint needs at least one instance"),
        ((*CPU, "--serverless", "2048:5"), 2, "a serverless endpoint has no instances"),
        (("--serverless", "2000:5"), 2, "'2000:5' is not MB:CONCURRENCY"),
        (("--serverless", "2048:5", "--canary", "10"), 2, "moves all its traffic at once"),
        (("--serverless", "2048:5", "--async", "s3://b/o"), 2, "is not asynchronous"),
        ((*CPU, "--canary", "10", "--rolling", "10"), 2, "an update goes in one way"),
        ((*CPU, "--canary", "10", "--all-at-once"), 2, "an update goes in one way"),
        ((*CPU, "--canary", "51"), 2, "51 % is no step of a canary update (1 to 50)"),
        ((*CPU, "--linear", "9"), 2, "9 % is no step of a linear update (10 to 50)"),
        ((*CPU, "--all-at-once", "--bake", "3601"), 2, "3601 s is no pause"),
        ((*CPU, *[a for n in range(11) for a in ("--alarm", str(n))]), 2, "up to 10 alarms"),
        ((*CPU, *CPU), 2, "the instance type 'ml.m5.large' is named twice"),
        (("--instance", "ml.p2.xlarge"), 4, "no variant of 'words' runs on ml.p2.xlarge"),
        (("--instance", "ml.nonsense"), 3, "no data on the instance type 'ml.nonsense'"),
        ((*CPU, "--region", "us-east-1"), 4, "is not in region 'us-east-1'"),
        ((*CPU, "--volume", "513"), 1, "VolumeSizeInGB is 513, at most 512 is allowed"),
        ((*CPU, "--async", "elsewhere"), 1, "S3OutputPath is 'elsewhere', which does not match"),
    ],
)
def test_what_can_not_be_deployed_is_refused_before_aws_is_asked(
    run: Run, arguments: tuple[str, ...], status: int, told: str
) -> None:
    ran = run(*DEPLOY, *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert told in ran.err


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ((*CPU, "--channel", "training"), 2, "'training' is no channel (training=s3://"),
        ((*CPU, "--channel", "training="), 2, "'training=' is no channel (training=s3://"),
        ((*CPU, "--channel", "a=s3://b/c", "--channel", "a=s3://b/d"), 2, "'a' is given twice"),
        ((*CPU, "--channel", "a=nowhere"), 2, "the channel 'a' has no files: 'nowhere' is no"),
        ((*CPU, "--channel", "a=s3://B/c"), 2, "'s3://B/c' is no S3 address"),
        ((*CPU, "--channel", "a b=s3://bucket/c"), 1, "ChannelName is 'a b', which does not"),
        ((*CPU, "--hyperparameter", "depth"), 2, "'depth' is no hyperparameter (name=value)"),
        ((*CPU, "--max-wait", "10"), 2, "only a job on spot capacity waits for it"),
        ((*CPU, "--spot", "--max-wait", "10"), 2, "is shorter than the run of 86400 s"),
        ((*CPU, "--max-runtime", "0"), 2, "a job runs for 1 to 2419200 s, not 0"),
        ((*CPU, "--name", "under_score"), 1, "TrainingJobName is 'under_score'"),
        (("--instance", "ml.p2.xlarge"), 4, "no variant of 'words' runs on ml.p2.xlarge"),
    ],
)
def test_what_can_not_be_trained_is_refused_before_aws_is_asked(
    run: Run, arguments: tuple[str, ...], status: int, told: str
) -> None:
    ran = run(*TRAIN, *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert told in ran.err


def test_a_training_job_is_printed_as_uploads_and_request(run: Run, released: World) -> None:
    (released.root / "data").mkdir()
    (released.root / "data" / "a.csv").write_text("1\n")
    ran = run(*TRAIN, *CPU, "--channel", "training=data", "--name", "first")
    assert ran.status == 0
    assert ran.err.startswith("select ml.m5.large: note: cpu-debian12-py3.11: ml.m5.large is amd64")
    printed = json.loads(ran.out)
    (upload,) = printed["uploads"]
    assert upload["to"].startswith("s3://bucket/out/twinforge-input/training-")
    assert printed["requests"][0]["parameters"]["TrainingJobName"] == "first"

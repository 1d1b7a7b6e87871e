"""``train``, ``job`` and ``model fetch`` against a SageMaker that keeps state, and moto's S3."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.aws_world import QUICK, REPOSITORY, ROLE, AwsWorld, Ran, digest, tar_gz
from tests.fakes.wire import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.engine  # not for an engine, but since it speaks over a socket

OUTPUT = "s3://models/out"
MODEL = f"{OUTPUT}/first/output/model.tar.gz"


def train(aws: AwsWorld, *arguments: str, name: str = "first") -> Ran:
    return aws.run(
        *("train", "words", "--instance", "ml.m5.large", "--output", OUTPUT, "--role", ROLE),
        *("--name", name, *QUICK, *arguments),
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder to learn from, with a file in a folder of its own."""
    folder = tmp_path / "data"
    (folder / "more").mkdir(parents=True)
    (folder / "a.csv").write_text("1\n2\n")
    (folder / "more" / "b.csv").write_text("3\n")
    return folder


def request(aws: AwsWorld, name: str = "first") -> Any:
    return aws.fake.jobs[name]["asked"]


def test_a_job_gets_the_image_for_its_instance_and_says_where_the_model_is(aws: AwsWorld) -> None:
    ran = train(aws, "--channel", "training=s3://models/data", "--hyperparameter", "a=b=c")
    assert (ran.status, ran.out) == (0, f"{MODEL}\n"), ran.err
    asked = request(aws)
    assert asked["AlgorithmSpecification"]["TrainingImage"] == f"{REPOSITORY}@{digest('a')}"
    assert asked["HyperParameters"] == {"a": "b=c"}
    assert asked["ResourceConfig"]["InstanceType"] == "ml.m5.large"
    assert "EnableManagedSpotTraining" not in asked


def test_status_and_log_are_followed_line_by_line_and_each_line_once(aws: AwsWorld) -> None:
    ran = train(aws)
    assert ran.status == 0, ran.err
    phases = [
        line.rsplit(": ", 1)[1]
        for line in ran.err.splitlines()
        if line.startswith("train first: note")
    ]
    assert [p for p in phases if p in {"Downloading", "Training", "Uploading", "Completed"}] == [
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert ran.err.count("epoch 1") == ran.err.count("epoch 2") == 1


def test_a_local_folder_is_sent_once_and_its_bytes_are_told(aws: AwsWorld, data: Path) -> None:
    ran = train(aws, "--channel", f"training={data}")
    assert ran.status == 0, ran.err
    assert (
        "upload training: started: 2 files to s3://models/out/twinforge-input/training-" in ran.err
    )
    (channel,) = request(aws)["InputDataConfig"]
    uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
    prefix = uri.removeprefix("s3://models/")
    found = aws.s3().list_objects_v2(Bucket="models", Prefix=prefix)["Contents"]
    assert {one["Key"].removeprefix(prefix): one["Size"] for one in found} == {
        "a.csv": 4,
        "more/b.csv": 2,
    }
    again = train(aws, "--channel", f"training={data}", name="second")
    assert f"upload training: skipped: {uri} is there" in again.err
    aws.s3().delete_object(Bucket="models", Key=f"{prefix}a.csv")
    resumed = train(aws, "--channel", f"training={data}", name="third")
    assert "started: 1 files to" in resumed.err
    (data / "a.csv").write_text("9\n9\n")
    changed = train(aws, "--channel", f"training={data}", name="fourth")
    assert "started: 2 files to" in changed.err
    assert request(aws, "fourth")["InputDataConfig"] != request(aws)["InputDataConfig"]


def test_spot_waits_for_capacity_and_keeps_checkpoints(aws: AwsWorld) -> None:
    ran = train(aws, "--spot", "--max-runtime", "600", "--checkpoints", "s3://models/points")
    assert ran.status == 0, ran.err
    asked = request(aws)
    assert asked["EnableManagedSpotTraining"]
    assert asked["StoppingCondition"] == {
        "MaxRuntimeInSeconds": 600,
        "MaxWaitTimeInSeconds": 1200,
    }
    assert asked["CheckpointConfig"] == {"S3Uri": "s3://models/points"}


def test_a_failure_is_told_with_sagemakers_reason_and_the_last_lines(aws: AwsWorld) -> None:
    aws.pretence.broken.add(digest("a"))
    ran = train(aws)
    assert (ran.status, ran.out) == (1, "")
    told = ran.err.partition("error: ")[2]
    assert told == (
        "the training job 'first' is Failed (Failed)\n"
        "reason: AlgorithmError: no such column, exit code: 1\n"
        "algo-1-1767225600: epoch 1\n"
        "algo-1-1767225600: Traceback\n"
    )


def test_the_same_name_follows_the_same_job_and_refuses_another(aws: AwsWorld) -> None:
    assert train(aws, "--no-wait").out == "first\n"
    ran = train(aws)
    assert (ran.status, ran.out) == (0, f"{MODEL}\n")
    assert aws.fake.operations("CreateTrainingJob") == ["CreateTrainingJob"]
    other = train(aws, "--hyperparameter", "depth=3")
    assert other.status == 2
    assert "there is another training job 'first': its HyperParameters differs" in other.err


def test_a_start_whose_answer_was_lost_is_no_second_job(aws: AwsWorld) -> None:
    looks = aws.fake.handle
    is_lost = [True]

    def handle(operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        answer = looks(operation, parameters)
        if operation == "CreateTrainingJob" and is_lost.pop():
            is_lost.append(False)
            raise RefusedError(code="InternalFailure", said="", status=500)
        return answer

    aws.fake.handle = handle  # type: ignore[method-assign] # the moment is what counts
    ran = train(aws)
    assert (ran.status, ran.out) == (0, f"{MODEL}\n"), ran.err
    assert list(aws.fake.jobs) == ["first"]


def test_a_job_can_be_looked_at_and_stopped(aws: AwsWorld) -> None:
    train(aws, "--no-wait")
    assert aws.must("job", "status", "first").out.startswith("first: InProgress (")
    assert "would be stopped" in aws.must("job", "stop", "first", "--dry-run").out
    assert aws.must("job", "stop", "first").out == "first: stopping\n"
    again = aws.must("job", "stop", "first").out  # it may have stopped meanwhile
    assert again in {"first: Stopping already\n", "first: Stopped already\n"}
    ran = train(aws)
    assert ran.status == 1
    assert "the training job 'first' is Stopped (Stopped)" in ran.err
    assert aws.must("job", "stop", "first").out == "first: Stopped already\n"
    assert aws.must("job", "stop", "first", "--dry-run").out == "first: Stopped already\n"
    assert aws.run("job", "stop", "nobody").status == 2
    assert aws.run("job", "status", "nobody").status == 2


@pytest.mark.parametrize("option", ["--count", "--volume"])
def test_a_job_on_nothing_is_refused(aws: AwsWorld, option: str) -> None:
    ran = train(aws, option, "0")
    assert (ran.status, aws.fake.calls) == (2, [])
    assert "0 is not in the range x>=1" in ran.err


def test_dry_run_shows_uploads_and_request_and_sends_nothing(aws: AwsWorld, data: Path) -> None:
    ran = train(aws, "--channel", f"training={data}", "--dry-run")
    assert (ran.status, aws.fake.calls) == (0, [])
    (upload,) = ran.json["uploads"]
    assert (upload["channel"], upload["files"], upload["bytes"]) == ("training", 2, 6)
    (asked,) = ran.json["requests"]
    (channel,) = asked["parameters"]["InputDataConfig"]
    assert channel["DataSource"]["S3DataSource"]["S3Uri"] == upload["to"]


def test_a_role_that_can_not_be_assumed_yet_is_tried_again(aws: AwsWorld) -> None:
    aws.fake.role_lag = 2
    ran = train(aws)
    assert ran.status == 0, ran.err
    assert ran.err.count("not visible everywhere yet") == 2


def test_an_interruption_says_that_the_job_goes_on_and_how_to_stop_it(aws: AwsWorld) -> None:
    aws.fake.jobs.clear()
    looks = aws.fake.handle

    def handle(operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if operation == "GetLogEvents":
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return looks(operation, parameters)

    aws.fake.handle = handle  # type: ignore[method-assign] # the moment is what counts
    ran = train(aws)
    assert ran.status == 130
    assert "the job 'first' was started, it goes on" in ran.err
    assert "stop it with `twinforge job stop first`" in ran.err
    assert aws.fake.jobs["first"]["status"] == "InProgress"


def test_a_job_s_model_is_deployed_by_the_job_s_name(aws: AwsWorld) -> None:
    train(aws)
    ran = aws.run(
        *("deploy", "words", "--endpoint", "words", "--instance", "ml.m5.large"),
        *("--model", "first", "--role", ROLE, *QUICK),
    )
    assert ran.status == 0, ran.err
    (model,) = aws.fake.models.values()
    assert model["asked"]["PrimaryContainer"]["ModelDataUrl"] == MODEL


def test_a_job_without_a_model_is_not_deployed(aws: AwsWorld) -> None:
    train(aws, "--no-wait")
    deploy = (
        *("deploy", "words", "--endpoint", "words", "--instance", "ml.m5.large"),
        *("--role", ROLE, *QUICK, "--model"),
    )
    early = aws.run(*deploy, "first")
    assert early.status == 1
    assert "the training job 'first' has no model: it is InProgress" in early.err
    assert aws.run(*deploy, "nobody").status == 2
    assert aws.fake.models == {}


def test_a_model_comes_home_from_its_job(aws: AwsWorld, tmp_path: Path) -> None:
    aws.pretence.model = lambda address: aws.put_model(
        address, {"model.json": b'{"mean": 2}', "parts/a.bin": b"\0" * 10}
    )
    train(aws)
    ran = aws.must("model", "fetch", "first", str(tmp_path / "model"))
    assert ran.out.splitlines() == [
        str(tmp_path / "model/model.json"),
        str(tmp_path / "model/parts/a.bin"),
    ]
    assert (tmp_path / "model/model.json").read_bytes() == b'{"mean": 2}'
    full = aws.run("model", "fetch", MODEL, str(tmp_path / "model"))
    assert (full.status, "is there and not an empty folder" in full.err) == (2, True)


def test_a_model_that_is_not_there_or_too_big_leaves_no_folder(
    aws: AwsWorld, tmp_path: Path
) -> None:
    missing = aws.run("model", "fetch", "s3://models/no/model.tar.gz", str(tmp_path / "model"))
    assert missing.status == 1
    assert "GetObject 's3://models/no/model.tar.gz': s3 answers 404" in missing.err
    aws.s3().put_object(Bucket="models", Key="big.tar.gz", Body=tar_gz({"zeros": bytes(2_000_000)}))
    big = aws.run(
        "model", "fetch", "s3://models/big.tar.gz", str(tmp_path / "model"), "--max-size", "0.001"
    )
    assert big.status == 1
    assert "the model is bigger than 1,000,000 bytes" in big.err
    assert not [path for path in tmp_path.iterdir() if "model" in path.name]


def test_a_log_that_may_not_be_read_is_said_once_and_ends_nothing(aws: AwsWorld) -> None:
    aws.fake.fail_next("DescribeLogStreams", "AccessDeniedException", "not authorized", times=99)
    ran = train(aws)
    assert (ran.status, ran.out) == (0, f"{MODEL}\n")
    assert ran.err.count("the log can't be read: DescribeLogStreams: logs answers Access") == 1

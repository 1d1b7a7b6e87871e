"""``predict`` and ``twinforge.Endpoint`` over HTTP."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

import twinforge
from tests.engine.aws_world import MODEL, ROLE
from tests.fakes.account import REGION
from twinforge.errors import AwsError, AwsRefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.aws_world import AwsWorld

pytestmark = pytest.mark.engine  # not for an engine, but since it speaks over a socket


class Input(io.TextIOWrapper):
    """A standard input with bytes in it."""


@pytest.fixture(autouse=True)
def deployed(aws: AwsWorld) -> None:
    assert aws.deploy("--instance", "ml.g5.xlarge").status == 0


def test_a_file_is_sent_and_the_answer_printed_as_it_is(aws: AwsWorld, tmp_path: Path) -> None:
    (tmp_path / "row.csv").write_text("1,2")
    ran = aws.must("predict", "words", "--content-type", "text/csv", str(tmp_path / "row.csv"))
    assert ran.out.startswith("pretence:")
    assert ran.out.endswith(" 1,2")


def test_standard_input_and_a_target_variant_are_taken(
    aws: AwsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Input(io.BytesIO(b"3")))
    ran = aws.must(
        *("predict", "words", "--content-type", "text/csv", "--accept", "application/json"),
        *("--target", "ml-g5-xlarge", "--json", "-"),
    )
    assert ran.json["variant"] == "ml-g5-xlarge"
    assert ran.json["content_type"] == "application/json"
    assert ran.json["body"].endswith(" 3")


def test_a_programs_client_answers_with_values(aws: AwsWorld) -> None:
    endpoint = twinforge.Endpoint("words", region=REGION)
    answer = endpoint.predict("1,2", variant="ml-m5-large")
    assert (answer.variant, answer.text[-4:]) == ("ml-m5-large", " 1,2")
    with pytest.raises(AwsRefusedError, match=r"the container answers 500: it broke") as caught:
        endpoint.predict("break")
    assert caught.value.code == "ModelError"
    assert "/aws/sagemaker/Endpoints/words" in caught.value.hint
    assert len(aws.fake.endpoints) == 1


def test_what_is_not_there_is_said(
    aws: AwsWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "row.csv").write_text("1,2")
    ran = aws.run("predict", "nobody", "--content-type", "text/csv", str(tmp_path / "row.csv"))
    assert ran.status == 1
    assert "Endpoint nobody of account 123456789012 not found." in ran.err
    lost = aws.run("predict", "words", "--content-type", "text/csv", str(tmp_path / "no.csv"))
    assert (lost.status, "can't be read" in lost.err) == (2, True)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "http://127.0.0.1:1")
    with pytest.raises(AwsError, match="can't be reached"):
        twinforge.Endpoint("words", region=REGION).predict("1,2")


def deploy_asynchronously(aws: AwsWorld) -> None:
    ran = aws.run(
        *("deploy", "words", "--endpoint", "slow", "--instance", "ml.m5.large", "--poll", "0.01"),
        *("--model", MODEL, "--role", ROLE, "--async", "s3://models/answers"),
    )
    assert ran.status == 0, ran.err


def test_an_asynchronous_endpoint_is_asked_through_s3_and_waited_for(
    aws: AwsWorld, tmp_path: Path
) -> None:
    deploy_asynchronously(aws)
    (tmp_path / "row.csv").write_text("1,2")
    ask = ("predict", "slow", "--content-type", "text/csv")
    up = ("--upload", "s3://models/requests")
    ran = aws.must(*ask, *up, str(tmp_path / "row.csv"))
    assert ran.out.startswith("pretence:")
    assert ran.out.endswith(" 1,2")
    (_, sent) = aws.fake.calls[-1]
    there = sent["InputLocation"]
    assert there.startswith("s3://models/requests/requests-")
    assert there.endswith("/row.csv")

    put = aws.must(*ask, *up, str(tmp_path / "row.csv"), "--no-wait", "--json")
    assert put.json["failure"].startswith("s3://models/answers/failures/")
    named = aws.must(*ask, there, "--no-wait")
    assert named.out.startswith("s3://models/answers/")
    assert named.out != f"{put.json['output']}\n"


def test_what_an_asynchronous_container_fails_at_is_told(aws: AwsWorld, tmp_path: Path) -> None:
    deploy_asynchronously(aws)
    (tmp_path / "bad").write_text("break")
    ask = ("predict", "slow", "--content-type", "text/csv", "--upload", "s3://models/requests")
    failed = aws.run(*ask, str(tmp_path / "bad"))
    assert failed.status == 1
    assert "it broke" in failed.err
    assert "s3://models/answers/failures/" in failed.err
    assert aws.run(*ask, str(tmp_path / "none")).status == 2
    real_time = aws.run("predict", "words", *ask[2:], str(tmp_path / "bad"))
    assert "Endpoint words is not asynchronous." in real_time.err
    assert aws.run(*ask, "--target", "AllTraffic", str(tmp_path / "bad")).status == 2

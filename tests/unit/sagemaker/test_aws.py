from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions

from tests.unit.sagemaker.doubles import FakeService, refused
from twinforge.errors import AwsError, AwsRefusedError, UsageError
from twinforge.sagemaker.aws import all_pages, asking, find_or_none
from twinforge.sagemaker.logs import LogFollower, last_lines
from twinforge.sagemaker.patience import Patience
from twinforge.sagemaker.place import Place


def client_error(code: str, said: str = "no", **more: object) -> exceptions.ClientError:
    answer: Any = {"Error": {"Code": code, "Message": said}, **more}
    return exceptions.ClientError(answer, "Operation")


@pytest.mark.parametrize(
    ("error", "kind", "told", "hint"),
    [
        (client_error("ValidationException"), AwsRefusedError, "sagemaker answers Valid", ""),
        (client_error("ExpiredToken"), AwsRefusedError, "answers ExpiredToken", "aws sts"),
        (client_error("ThrottlingException"), AwsError, "answers Throttling", "again later"),
        (
            client_error("ModelError", OriginalStatusCode=503, OriginalMessage="loading"),
            AwsRefusedError,
            "the container answers 503: loading",
            "",
        ),
        (exceptions.NoCredentialsError(), AwsError, "there are no AWS credentials", "aws sso"),
        (exceptions.NoRegionError(), AwsError, "no AWS region is given", "--region"),
        (exceptions.ProfileNotFound(profile="me"), AwsError, "no such AWS profile", "profiles"),
        (exceptions.ParamValidationError(report="x"), AwsRefusedError, "x", ""),
        (
            exceptions.EndpointConnectionError(endpoint_url="http://x"),
            AwsError,
            "sagemaker can't be reached",
            "network",
        ),
    ],
)
def test_every_error_of_the_sdk_is_one_of_ours(
    error: Exception, kind: type[AwsError], told: str, hint: str
) -> None:
    with pytest.raises(AwsError) as caught, asking("sagemaker", "Operation"):
        raise error
    assert type(caught.value) is kind
    assert caught.value.message.startswith("Operation: ")
    assert told in caught.value.message
    assert hint in caught.value.hint


def test_all_pages_are_read_and_the_question_stays_the_same() -> None:
    service = FakeService(
        {"ListModels": [{"Models": [{"n": 1}], "NextToken": "t"}, {"Models": [{"n": 2}]}]}
    )
    found = all_pages(service, "ListModels", "Models", {"NameContains": "x"})
    assert [one["n"] for one in found] == [1, 2]
    assert service.calls[1] == ("ListModels", {"NameContains": "x", "NextToken": "t"})


def test_what_is_not_there_is_none_and_any_other_refusal_is_raised() -> None:
    assert (
        find_or_none(FakeService({"DescribeModel": [refused("no")]}), "DescribeModel", {}) is None
    )
    service = FakeService({"DescribeModel": [refused("no", "AccessDeniedException")]})
    with pytest.raises(AwsRefusedError):
        find_or_none(service, "DescribeModel", {})


def events(*lines: str, token: str) -> dict[str, object]:
    return {"events": [{"message": line} for line in lines], "nextForwardToken": token}


def test_a_followed_log_gives_every_line_once_however_it_is_paged() -> None:
    streams = {"logStreams": [{"logStreamName": "job/algo-1"}]}
    service = FakeService(
        {
            "DescribeLogStreams": [refused("no", "ResourceNotFoundException"), streams],
            "GetLogEvents": [
                events("a\n", token="1"),
                events("b", token="2"),
                events(token="2"),
                events("c", token="3"),
                events(token="3"),
            ],
        }
    )
    follower = LogFollower(service, "group", "job/")
    assert follower.new_lines() == ()
    assert follower.new_lines() == (("algo-1", "a"), ("algo-1", "b"))
    assert follower.new_lines() == (("algo-1", "c"),)
    asked = [p.get("nextToken") for name, p in service.calls if name == "GetLogEvents"]
    assert asked == [None, "1", "2", "2", "3"]


def test_the_last_lines_stand_below_their_streams() -> None:
    service = FakeService(
        {
            "DescribeLogStreams": [{"logStreams": [{"logStreamName": "v/i-1"}]}],
            "GetLogEvents": [events("a", "b", token="1")],
        }
    )
    assert last_lines(service, "group") == "log v/i-1:\n  a\n  b"


def test_looks_end_with_patience_and_pauses_lie_between_them() -> None:
    slept: list[float] = []
    patience = Patience(poll_s=10, limit_s=35, sleep=slept.append, clock=lambda: sum(slept))
    assert list(patience.looks()) == [0, 1, 2, 3]
    assert slept == [10, 10, 10]


@pytest.mark.parametrize("text", ["", "bucket/key", "s3://", "s3://B/k", "http://b/k", "s3://a/k"])
def test_what_is_no_s3_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no S3 address"):
        Place.parse(text)


def test_places_lie_below_each_other() -> None:
    assert str(Place.parse("s3://bucket").below("a/")) == "s3://bucket/a/"
    assert str(Place.parse("s3://bucket/x/").below("a")) == "s3://bucket/x/a"

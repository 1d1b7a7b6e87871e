from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinforge.errors import TwinforgeError, UsageError
from twinforge.sagemaker.local.framing import split_records
from twinforge.sagemaker.local.records import Batching, assemble, decide, requests_of

MIB = 1 << 20
MANY, SINGLE = Batching(6, 1, "MultiRecord"), Batching(6, 1, "SingleRecord")


def payloads(content: bytes, split: str, batching: Batching) -> list[bytes]:
    made = list(requests_of(split_records(content, split), batching=batching))
    assert sum(payload.count for payload in made) == len(split_records(content, split))
    return [payload.body for payload in made]


def test_a_file_that_is_not_split_is_one_request() -> None:
    assert payloads(b"1\n2\n", "None", SINGLE) == [b"1\n2\n"]


def test_one_record_a_request_or_as_many_as_fit() -> None:
    assert payloads(b"1\n2\n3", "Line", SINGLE) == [b"1\n", b"2\n", b"3"]
    assert payloads(b"1\n2\n3", "Line", MANY) == [b"1\n2\n3"]


def test_a_payload_is_as_big_as_allowed_and_no_bigger() -> None:
    line = b"x" * (MIB // 2 - 1) + b"\n"
    found = payloads(line * 5, "Line", Batching(1, 1, "MultiRecord"))
    assert [len(one) for one in found] == [MIB, MIB, MIB // 2]


def test_a_record_that_is_too_big_is_refused_and_0_allows_any() -> None:
    content = b"x" * (MIB + 1)
    with pytest.raises(TwinforgeError, match="a record of 1,048,577 bytes"):
        payloads(content, "Line", Batching(1, 1, "MultiRecord"))
    assert payloads(content, "None", Batching(0, 1, "MultiRecord")) == [content]


def test_an_empty_file_makes_no_request_by_lines() -> None:
    assert payloads(b"", "Line", MANY) == []


@given(st.binary(), st.sampled_from([MANY, SINGLE]))
def test_what_is_sent_is_the_file_cut_at_line_ends_only(content: bytes, batching: Batching) -> None:
    found = payloads(content, "Line", batching)
    assert b"".join(found) == content
    assert all(one.endswith(b"\n") for one in found[:-1])


def test_answers_are_joined_or_end_with_a_line_end_each() -> None:
    assert assemble([b"a", b"b\n", b"c"], assembly="None") == b"ab\nc"
    assert assemble([b"a", b"b\n", b"c"], assembly="Line") == b"a\nb\nc\n"


def test_what_is_asked_for_goes_before_the_container_and_that_before_the_default() -> None:
    theirs = {"MaxConcurrentTransforms": 8, "BatchStrategy": "SINGLE_RECORD"}
    by_default = decide(max_payload_mb=None, at_once=0, strategy="", parameters={})
    assert by_default == Batching(6, 1, "MultiRecord")
    by_them = decide(max_payload_mb=None, at_once=0, strategy="", parameters=theirs)
    assert by_them == Batching(6, 8, "SingleRecord")
    by_us = decide(max_payload_mb=0, at_once=2, strategy="MultiRecord", parameters=theirs)
    assert by_us == Batching(0, 2, "MultiRecord")
    assert by_us.told == "MaxConcurrentTransforms=2, MaxPayloadInMB=0, BatchStrategy=MULTI_RECORD"


def test_more_than_100_mb_at_a_time_is_refused() -> None:
    with pytest.raises(UsageError, match="3 requests at once of 50 MB each"):
        decide(max_payload_mb=50, at_once=3, strategy="", parameters={})


@pytest.mark.parametrize(
    "theirs", [{"BatchStrategy": "ALL"}, {"MaxPayloadInMB": "6"}, {"MaxConcurrentTransforms": -1}]
)
def test_parameters_of_a_container_that_are_none_are_refused(theirs: dict[str, object]) -> None:
    with pytest.raises(TwinforgeError, match="/execution-parameters are none"):
        decide(max_payload_mb=None, at_once=0, strategy="", parameters=theirs)
